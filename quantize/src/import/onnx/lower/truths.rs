//! Comparisons, logic, and what is taken where something holds. Truths are 0 and 1.

use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::tract_core::internal::DatumType;

use super::super::site::{Refusal, Site, unsupported};
use super::Lowering;
use crate::graph::{Activation, BinaryFunction, Comparison, Op, Precision, TensorId};

/// Whether what `node` writes may be truths that vary.
pub(super) fn are_written(node: &NodeProto) -> bool {
    matches!(
        &*node.op_type,
        "And"
            | "Cast"
            | "Concat"
            | "Equal"
            | "Expand"
            | "Flatten"
            | "Gather"
            | "Greater"
            | "GreaterOrEqual"
            | "Identity"
            | "Less"
            | "LessOrEqual"
            | "Not"
            | "Or"
            | "Reshape"
            | "Slice"
            | "Squeeze"
            | "Transpose"
            | "Unsqueeze"
            | "Where"
            | "Xor"
    )
}

impl Lowering {
    /// Comparisons and logic: of two truths the lesser is whether both hold, the greater whether one does.
    pub(super) fn truth(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let types = [DatumType::F32, DatumType::Bool];
        if let Some(other) = site.inputs().find(|fact| !types.contains(&fact.datum_type)) {
            return unsupported(format!("operands of type {:?} that are not constant", other.datum_type));
        }
        let a = self.operand(site, 0)?;
        if site.node.op_type == "Not" {
            return Ok(self.compared_with_zero(site, Comparison::Equal, a));
        }
        let b = self.operand(site, 1)?;
        let binary = |function| Op::Binary { function, activation: Activation::NONE };
        let compare = |comparison| Op::Compare { comparison, precision: Precision::Exact };
        let (op, inputs) = match &*site.node.op_type {
            "And" => (binary(BinaryFunction::Minimum), vec![a, b]),
            "Or" => (binary(BinaryFunction::Maximum), vec![a, b]),
            "Xor" => (compare(Comparison::NotEqual), vec![a, b]),
            "Equal" => (compare(Comparison::Equal), vec![a, b]),
            "Greater" => (compare(Comparison::Greater), vec![a, b]),
            "GreaterOrEqual" => (compare(Comparison::GreaterOrEqual), vec![a, b]),
            "Less" => (compare(Comparison::Greater), vec![b, a]),
            _ => (compare(Comparison::GreaterOrEqual), vec![b, a]),
        };
        Ok(self.emit(site, op, inputs, shape.to_vec()))
    }

    fn compared_with_zero(&mut self, site: &Site<'_>, comparison: Comparison, x: TensorId) -> TensorId {
        let shape = self.shape(x).to_vec();
        let zero = self.constant(format!("{}/zero", site.name()), vec![1; shape.len().min(1)], vec![0.0]);
        self.emit(site, Op::Compare { comparison, precision: Precision::Exact }, vec![x, zero], shape)
    }

    /// Truths become 0 and 1, numbers the truth that they are not 0.
    pub(super) fn cast(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let from = site.x().datum_type;
        if site.int("to") == Some(DataType::Bool as i64) && from != DatumType::Bool {
            if from != DatumType::F32 {
                return unsupported(format!("booleans of values of type {from:?} that are not constant"));
            }
            let x = self.operand(site, 0)?;
            return Ok(self.compared_with_zero(site, Comparison::NotEqual, x));
        }
        self.unary(site, Op::Reshape, shape)
    }

    /// What stands in masks for minus infinity becomes the least float: what follows takes them alike.
    pub(super) fn selection(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        if site.input(1).is_some_and(|fact| !matches!(fact.datum_type, DatumType::F32 | DatumType::Bool)) {
            return unsupported("operands of other types than float that are not constant");
        }
        let mut inputs = vec![self.operand(site, 0)?];
        for position in 1..3 {
            inputs.push(match self.constant_operand(site, position) {
                // A tensor of its own, that no other reader wants otherwise.
                Some((shape, data)) if data.len() == 1 || data.iter().any(|value| value.is_infinite()) => {
                    let finite = data.iter().map(|value| value.clamp(f32::MIN, f32::MAX)).collect();
                    self.constant(site.input_name(position).to_owned(), shape, finite)
                }
                _ => self.operand(site, position)?,
            });
        }
        Ok(self.emit(site, Op::Select, inputs, shape.to_vec()))
    }

    /// The triangle above or below a diagonal, with zeros elsewhere.
    pub(super) fn triangle(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let diagonal = match site.all_ints(1) {
            Some(diagonals) if diagonals.len() == 1 => diagonals[0],
            Some(_) => return Err(site.invalid("has not one diagonal")),
            None if site.input(1).is_some() => return unsupported("a diagonal that is not constant"),
            None => 0,
        };
        let &[.., rows, columns] = shape else {
            return Err(site.invalid("has an operand that is no matrix"));
        };
        let is_upper = site.int("upper") != Some(0);
        let is_kept = |at: usize| {
            let beyond = (at % columns) as i64 - (at / columns) as i64;
            if is_upper { beyond >= diagonal } else { beyond <= diagonal }
        };
        let kept = (0..rows * columns).map(|at| if is_kept(at) { 1.0 } else { 0.0 }).collect();
        let kept = self.constant(format!("{}/triangle", site.name()), vec![rows, columns], kept);
        let zero = self.constant(format!("{}/zero", site.name()), vec![1], vec![0.0]);
        let x = self.operand(site, 0)?;
        Ok(self.emit(site, Op::Select, vec![kept, x, zero], shape.to_vec()))
    }
}
