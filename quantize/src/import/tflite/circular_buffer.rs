//! TensorFlow Lite Micro's CIRCULAR_BUFFER: the last rows that a streaming model was given.

use edgepkg_format::DType;

use super::schema::{Operator, Options};
use super::{Element, Importer};
use crate::graph::{Op, QuantizedTensor, Stateful};
use crate::import::ImportError;

/// Rows of buffers that are full in each run, where a file does not say how often they are.
const ROWS_OF_EACH_RUN: [usize; 3] = [5, 13, 25];

impl Importer<'_, QuantizedTensor> {
    /// What was kept, without its oldest row and with the input behind it, is the output and is kept.
    pub(super) fn circular_buffer(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let problem = |problem: &str| self.file.problem(operator, problem);
        let (&[x], &[output]) = (&operator.inputs[..], &operator.outputs[..]) else {
            return Err(problem("has not one input and one output"));
        };
        let x = self.tensor(x)?;
        // Its output is what it keeps, and marked so in some files.
        let is_variable = self.file.tensor(output).is_some_and(|tensor| tensor.is_variable);
        let output = match is_variable {
            true => self.converted(output, QuantizedTensor::variable)?,
            false => self.output(operator)?,
        };
        let [from, to] = [x, output].map(|id| self.graph.tensor(id).clone());
        let (&[1, 1, height, depth], &[1, rows, ..]) = (&from.shape[..], &to.shape[..]) else {
            return Err(self.file.problem(operator, "is not given one row of one image"));
        };
        if to.shape != [1, rows, height, depth] || from.dtype != DType::Int8 || to.dtype != DType::Int8 {
            return Err(self.file.problem(operator, "gives other rows than it is given"));
        }
        if cycles(operator, rows) != 1 {
            return Err(self.file.problem(
                operator,
                "lets what follows run only every second time or less often, which is not supported",
            ));
        }
        let data = self.bytes_of(&to, |bytes| vec![to.quantization.zero_point() as u8; bytes])?;
        let named = |part: &str, shape: Vec<usize>| to.like(format!("{}/{part}", to.name), shape);
        let kept = QuantizedTensor { data: Some(data), ..named("kept", to.shape.clone()) };
        self.count_constant(kept.constant_bytes())?;
        let kept = self.graph.add_tensor(kept);
        let mut parts = vec![x];
        if rows > 1 {
            let before = self.graph.add_tensor(named("before", to.shape.clone()));
            let newer = self.graph.add_tensor(named("newer", vec![1, rows - 1, height, depth]));
            self.push(operator, Op::Stateful(Stateful::ReadVariable), vec![kept], before)?;
            self.push(operator, Op::Slice { begin: vec![0, 1, 0, 0] }, vec![before], newer)?;
            parts.insert(0, newer);
        }
        let assigned = self.graph.add_tensor(named("assigned", to.shape.clone()));
        self.push(operator, Op::Concat { axis: 1 }, parts, output)?;
        self.push(operator, Op::Stateful(Stateful::AssignVariable), vec![output, kept], assigned)
    }
}

/// In how many runs what follows is computed once.
fn cycles(operator: &Operator, rows: usize) -> usize {
    let stated = match &operator.options {
        Options::Custom(options) => options.first().map(|(_, cycles)| *cycles as usize),
        _ => None,
    };
    match stated {
        Some(0) | None => {
            if ROWS_OF_EACH_RUN.contains(&rows) {
                1
            } else {
                2
            }
        }
        Some(cycles) => cycles,
    }
}
