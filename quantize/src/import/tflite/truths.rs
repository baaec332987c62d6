//! Comparisons and logic. Truths are 0 and 1.

use super::schema::Operator;
use super::{Element, Importer};
use crate::graph::{Comparison, FloatTensor, Op, Precision, TensorId};
use crate::import::ImportError;
use crate::tflite_schema::Builtin;
use crate::tflite_schema::tensor_type::{BOOL, FLOAT32};

/// The comparison of its two inputs that an operator is; `None` where it is another operator.
pub(super) fn comparison(builtin: Builtin) -> Option<Comparison> {
    match builtin {
        Builtin::Equal => Some(Comparison::Equal),
        Builtin::NotEqual => Some(Comparison::NotEqual),
        Builtin::Greater => Some(Comparison::Greater),
        Builtin::GreaterEqual => Some(Comparison::GreaterOrEqual),
        _ => None,
    }
}

impl<T: Element> Importer<'_, T> {
    /// What is less is what the other is greater than.
    pub(super) fn reversed_comparison(
        &mut self,
        operator: &Operator,
        builtin: Builtin,
    ) -> Result<(), ImportError> {
        let comparison = match builtin {
            Builtin::Less => Comparison::Greater,
            _ => Comparison::GreaterOrEqual,
        };
        let [a, b] = operator.inputs[..] else {
            return Err(self.file.problem(operator, "has not two inputs"));
        };
        let (inputs, output) = (vec![self.tensor(b)?, self.tensor(a)?], self.output(operator)?);
        self.push(operator, Op::Compare { comparison, precision: T::COMPARED }, inputs, output)
    }

    /// What is not is equal to what is not.
    pub(super) fn negation(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let &[x] = &operator.inputs[..] else {
            return Err(self.file.problem(operator, "has not one input"));
        };
        let (x, output) = (self.tensor(x)?, self.output(operator)?);
        self.compared_with_zero(operator, Comparison::Equal, x, output)
    }

    fn compared_with_zero(
        &mut self,
        operator: &Operator,
        comparison: Comparison,
        x: TensorId,
        output: TensorId,
    ) -> Result<(), ImportError> {
        let zero = self.graph.add_tensor(T::no_truth(format!("{}/zero", self.file.node_name(operator))));
        let op = Op::Compare { comparison, precision: Precision::Exact };
        self.push(operator, op, vec![x, zero], output)
    }
}

impl Importer<'_, FloatTensor> {
    /// Truths become 0 and 1, numbers the truth that they are not 0.
    pub(super) fn cast(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let (&[x], &[y]) = (&operator.inputs[..], &operator.outputs[..]) else {
            return Err(self.file.problem(operator, "has not one input and one output"));
        };
        let kind = |index: i32| self.file.tensor(index).map(|tensor| tensor.kind);
        let kinds = [kind(x), kind(y)];
        let (x, output) = (self.tensor(x)?, self.output(operator)?);
        match kinds {
            [Some(FLOAT32), Some(BOOL)] => self.compared_with_zero(operator, Comparison::NotEqual, x, output),
            [Some(FLOAT32 | BOOL), Some(FLOAT32 | BOOL)] => self.push(operator, Op::Reshape, vec![x], output),
            _ => Err(self.file.problem(operator, "casts between types other than float32 and bool")),
        }
    }
}
