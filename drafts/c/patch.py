import pathlib
def rd(p): return pathlib.Path(p).read_text()
def wr(p,t): pathlib.Path(p).write_text(t)
def sub(p,*pairs):
    t=rd(p)
    for a,b in pairs:
        assert a in t,(p,a)
        t=t.replace(a,b,1)
    wr(p,t)
sub('firmware/format/src/plan/entry.rs',('''    /// Puts the next record into `entry`''','''    /// What the next record computes; `None` at the end.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or its operator is not known.
    pub fn next_kind(&self) -> Result<Option<OperatorKind>, PlanError> {
        let at = self.at as u32;
        match self.section.get(self.at..).unwrap_or_default() {
            [] => Ok(None),
            [low, high, ..] => {
                let kind = u16::from_le_bytes([*low, *high]);
                OperatorKind::from_code(kind).map(Some).ok_or(PlanError::UnknownOperator { kind, at })
            }
            _ => Err(PlanError::Truncated { at }),
        }
    }

    /// Puts the next record into `entry`'''))
sub('firmware/format/src/artifact.rs',('''/// Length that the header at the start of `bytes` states''','''/// The next record of a plan that is checked, for whoever has the code of its operator.
#[derive(Debug)]
pub struct RecordCheck<'c, 'a> {
    artifact: &'c Artifact<'a>,
    plan: PlanReader<'a>,
    number: u32,
}

impl RecordCheck<'_, '_> {
    /// Checks the record, and then what `check` demands beside, as [`Unchecked::check`] does with each.
    ///
    /// # Errors
    ///
    /// The first thing found wrong.
    pub fn check<L: Linked, E: From<ArtifactError>>(
        &mut self,
        entry: &mut Option<PlanEntry>,
        check: impl FnOnce(u32, &Record, &Operands) -> Result<(), E>,
    ) -> Result<(), E> {
        self.plan.read_next::<L>(entry).map_err(ArtifactError::Plan)?;
        let Some(PlanEntry { record, .. }) = entry else { return Err(ArtifactError::Info.into()) };
        let mut operands = Operands::default();
        self.artifact.check_record::<L>(self.number, record, &mut operands)?;
        check(self.number, record, &operands)?;
        self.number += 1;
        Ok(())
    }
}

/// Length that the header at the start of `bytes` states'''),
('''            Err(ArtifactError::Info.into())
        }
    }
}
''','''            Err(ArtifactError::Info.into())
        }
    }

    /// As [`check`](Self::check), for programs that have the code of each operator apart: `check` is given every record
    /// unchecked, by its kind, and calls [`RecordCheck::check`] with that operator linked.
    ///
    /// # Errors
    ///
    /// The first thing found wrong, here or by `check`; a record that `check` has left unchecked.
    pub fn check_each<E: From<ArtifactError>>(
        &self,
        mut check: impl FnMut(OperatorKind, &mut RecordCheck<'_, 'a>) -> Result<(), E>,
    ) -> Result<&Artifact<'a>, E> {
        let [inputs, outputs] = self.ports;
        self.artifact.check_ports(inputs)?;
        self.artifact.check_ports(outputs)?;
        let mut operators = OperatorSet::EMPTY;
        let mut record = RecordCheck { artifact: &self.artifact, plan: self.artifact.plan(), number: 0 };
        let mut checked = 0;
        while let Some(kind) = record.plan.next_kind().map_err(ArtifactError::Plan)? {
            check(kind, &mut record)?;
            checked += 1;
            if record.number != checked {
                return Err(ArtifactError::Info.into());
            }
            operators = operators.with(kind);
        }
        if operators == self.operators { Ok(&self.artifact) } else { Err(ArtifactError::Info.into()) }
    }
}
'''))
sub('firmware/runtime/src/model.rs',('''        let artifact = unchecked.check::<Computed<L>, _>(entry, |number, record, operands| {
            if overlaps_are_safe(operands, |input| safe_distances_linked::<Computed<L>>(record, input)) {
                Ok(())
            } else {
                Err(ModelError::Overlap { record: number, kind: record.kind() })
            }
        })?;
        Ok(Self { artifact: *artifact, linked: PhantomData })
    }
''','''        let artifact = unchecked.check::<Computed<L>, _>(entry, check_overlaps::<L>)?;
        Ok(Self::of_checked(*artifact))
    }

    /// The model of an artifact whose every record has been checked.
    pub(crate) fn of_checked(artifact: Artifact<'a>) -> Self {
        Self { artifact, linked: PhantomData }
    }
'''),('''/// Whether the output shares bytes with an input only''','''/// Whether the record writes over its inputs only where its kernel allows it.
pub(crate) fn check_overlaps<L: Linked>(
    number: u32,
    record: &Record,
    operands: &Operands,
) -> Result<(), ModelError> {
    if overlaps_are_safe(operands, |input| safe_distances_linked::<Computed<L>>(record, input)) {
        Ok(())
    } else {
        Err(ModelError::Overlap { record: number, kind: record.kind() })
    }
}

/// Whether the output shares bytes with an input only'''),
('use edgepkg_format::plan::{Access, Operands, PlanEntry};','use edgepkg_format::plan::{Access, Operands, PlanEntry, Record};'))
sub('firmware/runtime/src/session.rs',('''        self.step_in(&mut None, observer)
    }

    fn step_in(
        &mut self,
        entry: &mut Option<PlanEntry>,
        observer: &mut impl Observer,
    )''','''        self.step_linked::<L>(&mut None, observer)
    }

    /// What the next step computes; `None` where none is left.
    pub(crate) fn next_kind(&self) -> Option<OperatorKind> {
        self.artifact.plan().at(self.position).next_kind().ok().flatten()
    }

    /// A step with the operators of `M`, among which the next one is.
    pub(crate) fn step_linked<M: Linked>(
        &mut self,
        entry: &mut Option<PlanEntry>,
        observer: &mut impl Observer,
    )'''),
('while self.step_in(entry, observer)?','while self.step_linked::<L>(entry, observer)?'),
('plan.read_next::<Computed<L>>(entry)','plan.read_next::<Computed<M>>(entry)'),
('self.execute(entry, record, observer);','self.execute::<M>(entry, record, observer);'),
('fn execute(&mut self','fn execute<M: Linked>(&mut self'),
('memory.views::<L>(entry)','memory.views::<M>(entry)'),
('run_linked::<L>(&entry.record','run_linked::<M>(&entry.record'),
('use edgepkg_format::{Artifact, Port, Space};','use edgepkg_format::{Artifact, OperatorKind, Port, Space};'))
sub('firmware/runtime/src/lib.rs',('mod observer;\n','mod observer;\npub mod operator;\n'))
sub('firmware/images/Cargo.toml',('members = ["cortex-m", "rpi"]','members = ["../c", "cortex-m", "rpi"]'))
sub('tests/Cargo.toml',('[dev-dependencies]\n','[dev-dependencies]\ncbindgen.workspace = true\n'))
sub('Cargo.toml',('clap = {','cbindgen = { version = "0.29", default-features = false }\nclap = {'))
