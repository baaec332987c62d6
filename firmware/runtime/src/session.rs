//! A model in an arena.

use core::cell::Cell;
use core::marker::PhantomData;
use core::ops::Range;

use bytemuck::cast_slice;
use edgepkg_format::info::Ports;
use edgepkg_format::linked::{EveryOperator, Linked};
use edgepkg_format::plan::{Operand, Operands, PlanEntry};
use edgepkg_format::{Artifact, OperatorKind, Port, Space};
use edgepkg_kernels::{Computed, View};

use crate::error::{RunError, SessionError, TensorError};
use crate::observer::{Observer, Step};
use crate::tensor::{Tensor, TensorMut};

/// A model in an arena: inputs in, [`run`](Self::run), outputs out, again and again.
///
/// Inputs and outputs are read and written where they lie, in the arena. A run may overwrite inputs, so each input is to be
/// set before each run. While no session borrows it, the arena is free for another model, or for anything else.
///
/// ```
/// # use edgepkg_runtime::{Arena, embed_model};
/// # embed_model!(Keywords = "../tests/data/kws.epa");
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let mut arena = Arena::<{ Keywords::ARENA_BYTES }>::new();
/// let mut session = Keywords::MODEL.session(&mut arena)?;
/// for sample in [[0; 490], [7; 490]] {
///     session.input(0)?.copy_from_i8(&sample)?;
///     session.run()?;
///     let scores = session.output(0)?;
///     assert!(scores.argmax() < 12);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session<'s, L: Linked = EveryOperator> {
    artifact: &'s Artifact<'s>,
    /// What a run takes, and after it what is kept between runs.
    arena: &'s mut [i8],
    /// The byte of the plan at which the run stands.
    position: usize,
    /// The record there, counted from 0.
    record: u32,
    /// One bit an input, the last one for all from 31 on.
    inputs_set: u32,
    linked: PhantomData<L>,
}

/// Where a session stands in its run, without what it computes in. The default is before the first run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    position: usize,
    record: u32,
    inputs_set: u32,
}

impl<'s, L: Linked> Session<'s, L> {
    pub(crate) fn new(artifact: &'s Artifact<'s>, arena: &'s mut [i8]) -> Result<Self, SessionError> {
        let needed_bytes = artifact.arena_bytes();
        let available_bytes = arena.len() as u32;
        let Some(arena) = arena.get_mut(..needed_bytes as usize) else {
            return Err(SessionError::ArenaTooSmall { needed_bytes, available_bytes });
        };
        if !(arena.as_ptr() as usize).is_multiple_of(edgepkg_format::artifact::ALIGNMENT) {
            return Err(SessionError::ArenaMisaligned);
        }
        Ok(Self { artifact, arena, position: 0, record: 0, inputs_set: 0, linked: PhantomData })
    }

    /// The input at `index`, to be written. Asking for it counts as setting it.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn input(&mut self, index: usize) -> Result<TensorMut<'_>, TensorError> {
        let port = port(self.artifact.inputs(), index)?;
        Ok(TensorMut::new(port, self.input_bytes(index)?))
    }

    /// The bytes of the input at `index`, to be written; for int8 its elements. Asking for them counts as setting it. Less code
    /// than [`input`](Self::input), which reads names, labels and scale, too.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn input_bytes(&mut self, index: usize) -> Result<&mut [i8], TensorError> {
        let range = range(self.artifact.inputs(), index)?;
        self.inputs_set |= input_bit(index);
        Ok(self.arena.get_mut(range).unwrap_or_default())
    }

    /// The bytes of the output at `index`; for int8 its elements.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn output_bytes(&self, index: usize) -> Result<&[i8], TensorError> {
        let range = range(self.artifact.outputs(), index)?;
        Ok(self.arena.get(range).unwrap_or_default())
    }

    /// The output at `index`: what the last run left.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn output(&self, index: usize) -> Result<Tensor<'_>, TensorError> {
        let port = port(self.artifact.outputs(), index)?;
        Ok(Tensor::new(port, self.output_bytes(index)?))
    }

    /// Gives what the model keeps between runs its initial value.
    pub fn reset_state(&mut self) {
        let state = self.arena.get_mut(self.artifact.run_bytes() as usize..).unwrap_or_default();
        for (byte, &value) in state.iter_mut().zip(cast_slice::<u8, i8>(self.artifact.state())) {
            *byte = value;
        }
    }

    /// Where it stands: what [`Model::session_at`](crate::Model::session_at) goes on from.
    pub fn progress(&self) -> Progress {
        Progress { position: self.position, record: self.record, inputs_set: self.inputs_set }
    }

    pub(crate) fn at(self, Progress { position, record, inputs_set }: Progress) -> Self {
        Self { position, record, inputs_set, ..self }
    }

    /// Whether a run has begun, by [`step`](Self::step), and not ended.
    pub fn is_running(&self) -> bool {
        self.record != 0
    }

    /// Runs the whole model, or the rest of a run that [`step`](Self::step) began.
    ///
    /// # Errors
    ///
    /// When an input was not set since the last run.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.run_observed(&mut ())
    }

    /// [`run`](Self::run), with `observer` called around every operator.
    ///
    /// # Errors
    ///
    /// When an input was not set since the last run.
    pub fn run_observed(&mut self, observer: &mut impl Observer) -> Result<(), RunError> {
        self.run_in(&mut None, observer)
    }

    /// [`run_observed`](Self::run_observed), with the record that runs in `entry`, which may lie elsewhere than on the
    /// stack.
    pub(crate) fn run_in(
        &mut self,
        entry: &mut Option<PlanEntry>,
        observer: &mut impl Observer,
    ) -> Result<(), RunError> {
        while self.step_linked::<L>(entry, observer)?.is_some() {}
        Ok(())
    }

    /// Runs one operator and gives its number. `None` means that none was left: the run is complete, and the next step begins
    /// a new one. Between steps a program feeds its watchdog, polls its inputs, or lets other tasks go on; a run that was begun
    /// is dropped with its session.
    ///
    /// ```
    /// # use edgepkg_runtime::{Arena, embed_model};
    /// # embed_model!(Keywords = "../tests/data/kws.epa");
    /// # fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let mut arena = Arena::<{ Keywords::ARENA_BYTES }>::new();
    /// # let mut session = Keywords::MODEL.session(&mut arena)?;
    /// # let mut fed = 0;
    /// # let mut feed_watchdog = || fed += 1;
    /// session.input(0)?.copy_from_i8(&[0; 490])?;
    /// while session.step()?.is_some() {
    ///     feed_watchdog();
    /// }
    /// # assert!(fed > 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When it would begin a run and an input was not set since the last one.
    pub fn step(&mut self) -> Result<Option<u32>, RunError> {
        self.step_observed(&mut ())
    }

    /// [`step`](Self::step), with `observer` called around the operator. Gives the record's number.
    ///
    /// # Errors
    ///
    /// When it would begin a run and an input was not set since the last one.
    pub fn step_observed(&mut self, observer: &mut impl Observer) -> Result<Option<u32>, RunError> {
        self.step_linked::<L>(&mut None, observer)
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
    ) -> Result<Option<u32>, RunError> {
        if self.record == 0 {
            self.check_inputs()?;
        }
        let mut plan = self.artifact.plan().at(self.position);
        // After an error there is no entry.
        let _ = plan.read_next::<Computed<M>>(entry);
        self.position = plan.position();
        let Some(entry) = entry else {
            self.position = 0;
            self.record = 0;
            self.inputs_set = 0;
            return Ok(None);
        };
        let record = self.record;
        self.execute::<M>(entry, record, observer);
        self.record += 1;
        Ok(Some(record))
    }

    fn check_inputs(&self) -> Result<(), RunError> {
        match (0..self.artifact.inputs().len()).find(|&index| self.inputs_set & input_bit(index) == 0) {
            Some(index) => Err(RunError::InputNotSet { index }),
            None => Ok(()),
        }
    }

    fn execute<M: Linked>(&mut self, entry: &PlanEntry, record: u32, observer: &mut impl Observer) {
        let cells = Cell::from_mut(&mut *self.arena).as_slice_of_cells();
        let (arena, state) = cells.split_at(self.artifact.run_bytes() as usize);
        let memory = Memory { constants: self.artifact.constants(), arena, state };
        let views = memory.views::<M>(entry);
        let Some((&View::Arena(output), views)) = views.split_last() else {
            return;
        };
        let step = Step { record, layer: entry.layer, kind: entry.record.kind(), output };
        observer.before(&step);
        edgepkg_kernels::run_linked::<M>(&entry.record, views, output);
        observer.after(&step);
    }
}

/// What records refer to.
struct Memory<'m> {
    constants: &'m [u8],
    arena: &'m [Cell<i8>],
    state: &'m [Cell<i8>],
}

impl<'m> Memory<'m> {
    /// The operands' bytes. By itself, so that the operands are off the stack while the kernel runs.
    #[inline(never)]
    fn views<L: Linked>(&self, entry: &PlanEntry) -> heapless::Vec<View<'m>, { Operands::GREATEST_COUNT }> {
        let mut operands = Operands::default();
        match entry.record.find_operands::<Computed<L>>(&mut operands) {
            Ok(()) => operands.iter().map(|operand| self.view(operand)).collect(),
            Err(_) => heapless::Vec::new(),
        }
    }

    /// An operand's bytes. `Model::parse` has shown that they lie inside their space.
    fn view(&self, operand: &Operand) -> View<'m> {
        let start = operand.tensor.offset as usize;
        let range = start..start + operand.bytes as usize;
        match operand.tensor.space {
            Space::Const => View::Const(&cast_slice(self.constants)[range]),
            Space::State => View::Arena(&self.state[range]),
            _ => View::Arena(&self.arena[range]),
        }
    }
}

/// Where a port lies in the arena.
#[inline(never)]
fn range(ports: Ports<'_>, index: usize) -> Result<Range<usize>, TensorError> {
    let (tensor, bytes) = ports.region(index).ok_or_else(|| no_such(ports, index))?;
    let start = tensor.offset as usize;
    Ok(start..start + bytes as usize)
}

fn port(ports: Ports<'_>, index: usize) -> Result<Port<'_>, TensorError> {
    ports.get(index).ok_or_else(|| no_such(ports, index))
}

fn no_such(ports: Ports<'_>, index: usize) -> TensorError {
    TensorError::NoSuchTensor { index, count: ports.len() }
}

fn input_bit(index: usize) -> u32 {
    1 << index.min(31)
}
