//! A model in an arena.

use core::cell::Cell;
use core::marker::PhantomData;

use bytemuck::cast_slice;
use edgepkg_format::info::Ports;
use edgepkg_format::linked::{EveryOperator, Linked};
use edgepkg_format::plan::{Operand, Operands, PlanEntry};
use edgepkg_format::{Artifact, Port, Space};
use edgepkg_kernels::{Computed, View};

use crate::error::{RunError, SessionError, TensorError};
use crate::observer::{Observer, Step};
use crate::tensor::{Tensor, TensorMut};

/// A model in an arena: inputs in, [`run`](Self::run), outputs out, again and again.
///
/// A run may overwrite inputs, so each input is to be set before each run.
#[derive(Debug)]
pub struct Session<'s, L: Linked = EveryOperator> {
    artifact: &'s Artifact<'s>,
    arena: &'s [Cell<i8>],
    state: &'s [Cell<i8>],
    /// The byte of the plan at which the run stands.
    position: usize,
    /// The record there, counted from 0.
    record: u32,
    /// One bit an input, the last one for all from 31 on.
    inputs_set: u32,
    linked: PhantomData<L>,
}

impl<'s, L: Linked> Session<'s, L> {
    pub(crate) fn new(artifact: &'s Artifact<'s>, arena: &'s mut [i8]) -> Result<Self, SessionError> {
        let needed_bytes = artifact.arena_bytes();
        if arena.len() < needed_bytes as usize {
            return Err(SessionError::ArenaTooSmall { needed_bytes, available_bytes: arena.len() as u32 });
        }
        if !(arena.as_ptr() as usize).is_multiple_of(edgepkg_format::artifact::ALIGNMENT) {
            return Err(SessionError::ArenaMisaligned);
        }
        let cells = Cell::from_mut(&mut arena[..needed_bytes as usize]).as_slice_of_cells();
        let (arena, state) = cells.split_at(artifact.run_bytes() as usize);
        Ok(Self { artifact, arena, state, position: 0, record: 0, inputs_set: 0, linked: PhantomData })
    }

    /// The input at `index`, to be written. Asking for it counts as setting it.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn input(&mut self, index: usize) -> Result<TensorMut<'_>, TensorError> {
        let tensor = self.tensor(self.artifact.inputs(), index)?;
        self.inputs_set |= input_bit(index);
        Ok(TensorMut::new(tensor))
    }

    /// The bytes of an input, to be written. Asking for them counts as setting it.
    pub(crate) fn input_cells(&mut self, index: usize) -> Result<&[Cell<i8>], TensorError> {
        let cells = self.cells(self.artifact.inputs(), index)?;
        self.inputs_set |= input_bit(index);
        Ok(cells)
    }

    /// The bytes of an output.
    pub(crate) fn output_cells(&self, index: usize) -> Result<&[Cell<i8>], TensorError> {
        self.cells(self.artifact.outputs(), index)
    }

    /// The output at `index`: what the last run left.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn output(&self, index: usize) -> Result<Tensor<'_>, TensorError> {
        self.tensor(self.artifact.outputs(), index)
    }

    fn tensor(&self, ports: Ports<'s>, index: usize) -> Result<Tensor<'s>, TensorError> {
        let port = ports.get(index).ok_or(TensorError::NoSuchTensor { index, count: ports.len() })?;
        let cells = self.cells_of(&port);
        Ok(Tensor::new(port, cells))
    }

    /// What [`tensor`](Self::tensor) has of the arena, without the rest, which is large.
    #[inline(never)]
    fn cells(&self, ports: Ports<'s>, index: usize) -> Result<&'s [Cell<i8>], TensorError> {
        match ports.get(index) {
            Some(port) => Ok(self.cells_of(&port)),
            None => Err(TensorError::NoSuchTensor { index, count: ports.len() }),
        }
    }

    fn cells_of(&self, port: &Port<'_>) -> &'s [Cell<i8>] {
        let start = port.tensor.offset as usize;
        let bytes = port.bytes().unwrap_or_default() as usize;
        self.arena.get(start..start + bytes).unwrap_or_default()
    }

    /// Gives what the model keeps between runs its initial value.
    pub fn reset_state(&mut self) {
        for (cell, &value) in self.state.iter().zip(cast_slice::<u8, i8>(self.artifact.state())) {
            cell.set(value);
        }
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
        while self.step_in(entry, observer)?.is_some() {}
        Ok(())
    }

    /// Runs one operator. `None` means that none was left: the run is complete, and the next step begins a
    /// new one.
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
        self.step_in(&mut None, observer)
    }

    fn step_in(
        &mut self,
        entry: &mut Option<PlanEntry>,
        observer: &mut impl Observer,
    ) -> Result<Option<u32>, RunError> {
        if self.record == 0 {
            self.check_inputs()?;
        }
        let mut plan = self.artifact.plan().at(self.position);
        // After an error there is no entry.
        let _ = plan.read_next::<Computed<L>>(entry);
        self.position = plan.position();
        let Some(entry) = entry else {
            self.position = 0;
            self.record = 0;
            self.inputs_set = 0;
            return Ok(None);
        };
        let record = self.record;
        self.execute(entry, record, observer);
        self.record += 1;
        Ok(Some(record))
    }

    fn check_inputs(&self) -> Result<(), RunError> {
        match (0..self.artifact.inputs().len()).find(|&index| self.inputs_set & input_bit(index) == 0) {
            Some(index) => Err(RunError::InputNotSet { index }),
            None => Ok(()),
        }
    }

    fn execute(&self, entry: &PlanEntry, record: u32, observer: &mut impl Observer) {
        let views = self.views(entry);
        let Some((&View::Arena(output), views)) = views.split_last() else {
            return;
        };
        let step = Step { record, layer: entry.layer, kind: entry.record.kind(), output };
        observer.before(&step);
        edgepkg_kernels::run_linked::<L>(&entry.record, views, output);
        observer.after(&step);
    }

    /// The operands' bytes. By itself, so that the operands are off the stack while the kernel runs.
    #[inline(never)]
    fn views(&self, entry: &PlanEntry) -> heapless::Vec<View<'s>, { Operands::GREATEST_COUNT }> {
        let mut operands = Operands::default();
        match entry.record.find_operands::<Computed<L>>(&mut operands) {
            Ok(()) => operands.iter().map(|operand| self.view(operand)).collect(),
            Err(_) => heapless::Vec::new(),
        }
    }

    /// An operand's bytes. `Model::parse` has shown that they lie inside their space.
    fn view(&self, operand: &Operand) -> View<'s> {
        let start = operand.tensor.offset as usize;
        let range = start..start + operand.bytes as usize;
        match operand.tensor.space {
            Space::Const => View::Const(&cast_slice(self.artifact.constants())[range]),
            Space::State => View::Arena(&self.state[range]),
            _ => View::Arena(&self.arena[range]),
        }
    }
}

fn input_bit(index: usize) -> u32 {
    1 << index.min(31)
}
