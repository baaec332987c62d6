//! Tensors and operators of files that compute with floats.

use std::sync::Arc;

use super::file::File;
use super::operator::fused;
use super::schema::Operator;
use super::{Element, Importer, names, number};
use crate::graph::{Activation, FloatTensor, Op, Precision, TensorId, UnaryFunction};
use crate::import::ImportError;
use crate::tflite_schema::Builtin;
use crate::tflite_schema::tensor_type::{BOOL, FLOAT32, INT32, INT64, UINT8};

impl Element for FloatTensor {
    const COMPARED: Precision = Precision::Exact;

    /// Constants may be stored as something else; what is computed must be float32.
    fn convert(file: &File<'_>, index: i32) -> Result<Self, ImportError> {
        let tensor = file.readable(index)?;
        let shape = tensor.extents().ok_or_else(|| tensor.problem("has a negative extent"))?;
        let is_constant = file.is_constant(index);
        let refused = |expected: &'static str| ImportError::TensorType {
            tensor: tensor.name.clone(),
            found: names::tensor_type(tensor.kind),
            expected: expected.into(),
        };
        if is_constant && tensor.kind == UINT8 {
            // Between floats, old files hold int8 under this type.
            return Err(refused(number::FLOAT_CONSTANTS));
        }
        let is_index = matches!(tensor.kind, INT32 | INT64) && file.holds_indices(index);
        if !is_constant && tensor.kind != FLOAT32 && tensor.kind != BOOL && !is_index {
            return Err(refused("what a float model computes must be float32"));
        }
        let data = is_constant.then(|| number::reals(file, index)).transpose()?.map(Arc::from);
        Ok(Self { name: tensor.name.clone(), shape, data })
    }

    fn like(&self, name: String, shape: Vec<usize>) -> Self {
        Self { name, shape, data: None }
    }

    fn negative(&self, name: String) -> Self {
        self.like(name, self.shape.clone())
    }

    fn no_truth(name: String) -> Self {
        Self { name, shape: Vec::new(), data: Some([0.0].into()) }
    }

    fn constant_bytes(&self) -> usize {
        self.data.as_ref().map_or(0, |data| size_of_val(&data[..]))
    }

    fn lower(
        importer: &mut Importer<'_, Self>,
        operator: &Operator,
        builtin: Builtin,
    ) -> Result<(), ImportError> {
        match builtin {
            // A constant's negative may go into a bias.
            Builtin::Sub if operator.inputs.get(1).is_some_and(|&b| importer.file.is_constant(b)) => {
                importer.difference(operator)
            }
            Builtin::Div => importer.quotient(operator),
            Builtin::DetectionPostProcess => importer.detection(operator),
            Builtin::Pow => importer.power(operator),
            Builtin::AddN => importer.sum_of_all(operator),
            Builtin::Cast if !operator.outputs.iter().any(|&output| importer.file.holds_indices(output)) => {
                importer.cast(operator)
            }
            Builtin::UnidirectionalSequenceLstm
            | Builtin::BidirectionalSequenceLstm
            | Builtin::UnidirectionalSequenceRnn
            | Builtin::BidirectionalSequenceRnn => importer.sequence(operator, builtin),
            _ => importer.lower(operator, builtin),
        }
    }
}

impl Importer<'_, FloatTensor> {
    /// `a - b` is `a + -1 * b`.
    fn difference(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let (a, b, activation) = self.binary(operator)?;
        let minus_one = FloatTensor { name: "-1".to_owned(), shape: vec![1], data: Some([-1.0].into()) };
        let minus_one = self.graph.add_tensor(minus_one);
        let FloatTensor { name, shape, .. } = self.graph.tensor(b).clone();
        let negated = self.graph.add_tensor(FloatTensor { name, shape, data: None });
        self.push(operator, Op::Mul { activation: Activation::NONE }, vec![b, minus_one], negated)?;
        let output = self.output(operator)?;
        self.push(operator, Op::Add { activation }, vec![a, negated], output)
    }

    fn sum_of_all(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let output = self.output(operator)?;
        let mut operands = Vec::new();
        for &input in &operator.inputs {
            operands.push(self.tensor(input)?);
        }
        let Some((&first, others)) = operands.split_first() else {
            return Err(self.file.problem(operator, "lacks an input"));
        };
        let mut sum = first;
        for (position, &operand) in others.iter().enumerate() {
            let is_last = position + 1 == others.len();
            let shape = self.graph.tensor(first).shape.clone();
            let next = if is_last { output } else { self.between(operator, first, shape) };
            self.push(operator, Op::Add { activation: Activation::NONE }, vec![sum, operand], next)?;
            sum = next;
        }
        if others.is_empty() { self.push(operator, Op::Reshape, vec![first], output) } else { Ok(()) }
    }

    /// `a / b` is `a * (1 / b)`.
    fn quotient(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let (a, b, activation) = self.binary(operator)?;
        let FloatTensor { name, shape, data } = self.graph.tensor(b).clone();
        let data: Option<Arc<[f32]>> = data.map(|data| data.iter().map(|value| value.recip()).collect());
        let is_constant = data.is_some();
        let inverse = self.graph.add_tensor(FloatTensor { name, shape, data });
        if !is_constant {
            self.push(operator, Op::Unary(UnaryFunction::Reciprocal), vec![b], inverse)?;
        }
        let output = self.output(operator)?;
        self.push(operator, Op::Mul { activation }, vec![a, inverse], output)
    }

    /// A power whose exponent is constant and one for all elements.
    fn power(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let (x, exponents, _) = self.binary(operator)?;
        let exponents = self.graph.tensor(exponents).data.clone().unwrap_or_default();
        let Some((&exponent, _)) =
            exponents.split_first().filter(|(first, others)| others.iter().all(|other| other == *first))
        else {
            return Err(self.file.problem(operator, "has exponents that vary or differ"));
        };
        let output = self.output(operator)?;
        self.push(operator, Op::Unary(UnaryFunction::Power { exponent }), vec![x], output)
    }

    /// The operands and the activation of an operator that has two.
    fn binary(&mut self, operator: &Operator) -> Result<(TensorId, TensorId, Activation), ImportError> {
        let problem = |problem| self.file.problem(operator, problem);
        let &[a, b] = &operator.inputs[..] else { return Err(problem("lacks an input")) };
        let activation = fused(&operator.options).map_err(problem)?;
        Ok((self.tensor(a)?, self.tensor(b)?, activation))
    }
}
