//! Einsum as transposes, sums and one product of matrices.

use super::super::einsum::Equation;
use super::super::site::{Refusal, Site};
use super::Lowering;
use crate::graph::{MatrixLayout, Op, TensorId};

impl Lowering {
    /// Of two operands: dimensions that both and the result have are batches, those that only one has its rows or
    /// columns, and those that the result lacks the depth. What one operand alone has and the result lacks is summed first.
    pub(super) fn einsum(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let equation = Equation::of(site)?;
        let mut operands = Vec::new();
        for (position, labels) in equation.operands.iter().enumerate() {
            let others = equation.operands.iter().enumerate().filter(|(other, _)| *other != position);
            let elsewhere: String = others.flat_map(|(_, labels)| labels.chars()).collect();
            let is_read = |label: char| equation.result.contains(label) || elsewhere.contains(label);
            let x = self.operand(site, position)?;
            operands.push(self.summed_but_for(site, x, labels, is_read));
        }
        let (result, labels) = match &operands[..] {
            [(x, labels)] => (*x, labels.clone()),
            [a, b] => self.matrices(site, &equation.result, a, b),
            _ => unreachable!("checked to be one or two"),
        };
        let perm = equation.result.chars().map(|label| place(&labels, label)).collect();
        let result = self.transposed(site, result, perm);
        Ok(self.emit(site, Op::Reshape, vec![result], shape.to_vec()))
    }

    fn summed_but_for(
        &mut self,
        site: &Site<'_>,
        x: TensorId,
        labels: &str,
        is_read: impl Fn(char) -> bool,
    ) -> (TensorId, String) {
        let axes: Vec<usize> =
            labels.chars().enumerate().filter(|&(_, label)| !is_read(label)).map(|(axis, _)| axis).collect();
        if axes.is_empty() {
            return (x, labels.to_owned());
        }
        let from = self.shape(x).iter().enumerate();
        let shape = from.filter(|(axis, _)| !axes.contains(axis)).map(|(_, &extent)| extent).collect();
        (
            self.emit(site, Op::Sum { axes }, vec![x], shape),
            labels.chars().filter(|&label| is_read(label)).collect(),
        )
    }

    fn matrices(
        &mut self,
        site: &Site<'_>,
        result: &str,
        (a, of_a): &(TensorId, String),
        (b, of_b): &(TensorId, String),
    ) -> (TensorId, String) {
        let those = |labels: &str, keep: &dyn Fn(char) -> bool| -> String {
            labels.chars().filter(|&label| keep(label)).collect()
        };
        let batches = those(of_a, &|label| of_b.contains(label) && result.contains(label));
        let depth = those(of_a, &|label| of_b.contains(label) && !result.contains(label));
        let rows = those(of_a, &|label| !of_b.contains(label));
        let columns = those(of_b, &|label| !of_a.contains(label));
        let extents = |lowering: &Self, id: TensorId, labels: &str, wanted: &str| -> Vec<usize> {
            wanted.chars().map(|label| lowering.shape(id)[place(labels, label)]).collect()
        };
        let outer = extents(self, *a, of_a, &batches);
        let [of_rows, of_depth] = [&rows, &depth].map(|wanted| extents(self, *a, of_a, wanted));
        let of_columns = extents(self, *b, of_b, &columns);
        let count = |extents: &[usize]| extents.iter().product::<usize>();
        let matrix = |lowering: &mut Self, id: TensorId, labels: &str, order: &str, last: [usize; 2]| {
            let perm = order.chars().map(|label| place(labels, label)).collect();
            let ordered = lowering.transposed(site, id, perm);
            lowering.reshaped(site, ordered, &[&[count(&outer)], &last[..]].concat())
        };
        let [m, k, n] = [&of_rows, &of_depth, &of_columns].map(|extents| count(extents));
        let a = matrix(self, *a, of_a, &format!("{batches}{rows}{depth}"), [m, k]);
        let b = matrix(self, *b, of_b, &format!("{batches}{depth}{columns}"), [k, n]);
        let product = Op::BatchMatMul { a: MatrixLayout::RowsFirst, b: MatrixLayout::RowsFirst };
        let product = self.emit(site, product, vec![a, b], vec![count(&outer), m, n]);
        let product = self.reshaped(site, product, &[outer, of_rows, of_columns].concat());
        (product, format!("{batches}{rows}{columns}"))
    }
}

/// Which dimension a label names.
fn place(labels: &str, label: char) -> usize {
    labels.chars().position(|other| other == label).expect("checked to be there")
}
