//! Products of matrices.

use super::super::geometry::broadcast;
use super::super::site::{Refusal, Site, unsupported};
use super::Lowering;
use crate::graph::{Activation, MatrixLayout, Op, TensorId};

/// A constant matrix, row-major.
struct Matrix {
    rows: usize,
    columns: usize,
    data: Vec<f32>,
}

impl Matrix {
    /// A constant as a matrix, when it is one: dimensions before the last two must be 1.
    fn new((shape, data): (Vec<usize>, Vec<f32>), vector: Vector) -> Option<Self> {
        let (batches, [rows, columns]) = match (&shape[..], vector) {
            (&[depth], Vector::Row) => (&[][..], [1, depth]),
            (&[depth], Vector::Column) => (&[][..], [depth, 1]),
            (all, _) => {
                let (batches, matrix) = all.split_at(all.len().checked_sub(2)?);
                (batches, [matrix[0], matrix[1]])
            }
        };
        batches.iter().all(|&extent| extent == 1).then_some(Self { rows, columns, data })
    }

    fn transposed(self) -> Self {
        let Self { rows, columns, data } = self;
        let at = |index: usize| data[index % rows * columns + index / rows];
        Self { rows: columns, columns: rows, data: (0..rows * columns).map(at).collect() }
    }

    fn scaled(mut self, factor: f32) -> Self {
        self.data.iter_mut().for_each(|value| *value *= factor);
        self
    }
}

/// What a constant of one dimension is.
#[derive(Clone, Copy)]
enum Vector {
    Row,
    Column,
}

const FULLY_CONNECTED: Op = Op::FullyConnected { activation: Activation::NONE };
const PRODUCT: Op = Op::BatchMatMul { a: MatrixLayout::RowsFirst, b: MatrixLayout::RowsFirst };
const BOTH_VARY: &str = "the product of two tensors that both vary";

impl Lowering {
    /// `weights [out, in]` times every row of `x`.
    fn multiplied(
        &mut self,
        site: &Site<'_>,
        x: TensorId,
        weights: (&str, Matrix),
        bias: Option<TensorId>,
    ) -> TensorId {
        let (name, Matrix { rows, columns, data }) = weights;
        let mut shape = self.shape(x).to_vec();
        *shape.last_mut().expect("it has rows") = rows;
        let weights = self.constant(name.to_owned(), vec![rows, columns], data);
        let inputs = [x, weights].into_iter().chain(bias).collect();
        self.emit(site, FULLY_CONNECTED, inputs, shape)
    }

    /// `weights [out, in]` times every row of `x`, plus `addends`.
    pub(super) fn mapped(
        &mut self,
        site: &Site<'_>,
        x: TensorId,
        [rows, columns]: [usize; 2],
        weights: Vec<f32>,
        addends: Vec<f32>,
    ) -> TensorId {
        let name = format!("{}/weights", site.name());
        let bias = addends.iter().any(|&addend| addend != 0.0);
        let bias = bias.then(|| self.constant(format!("{}/addend", site.name()), vec![rows], addends));
        self.multiplied(site, x, (&name, Matrix { rows, columns, data: weights }), bias)
    }

    fn last_two_swapped(&mut self, site: &Site<'_>, x: TensorId) -> TensorId {
        let rank = self.shape(x).len();
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(rank - 2, rank - 1);
        self.transposed(site, x, perm)
    }

    pub(super) fn matmul(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        if let Some(weights) = self.constant_operand(site, 1) {
            let Some(weights) = Matrix::new(weights, Vector::Column) else {
                return self.product_of_two(site, shape);
            };
            let x = self.operand(site, 0)?;
            let product = self.multiplied(site, x, (site.input_name(1), weights.transposed()), None);
            return Ok(self.reshaped(site, product, shape));
        }
        let Some(weights) = self.constant_operand(site, 0) else { return self.product_of_two(site, shape) };
        let Some(weights) = Matrix::new(weights, Vector::Row) else {
            return self.product_of_two(site, shape);
        };
        let weights = (site.input_name(0), weights);
        let x = self.operand(site, 1)?;
        if self.shape(x).len() == 1 {
            let product = self.multiplied(site, x, weights, None);
            return Ok(self.reshaped(site, product, shape));
        }
        let x = self.last_two_swapped(site, x);
        let product = self.multiplied(site, x, weights, None);
        let product = self.last_two_swapped(site, product);
        Ok(self.reshaped(site, product, shape))
    }

    /// Matrices that both vary, or of which one differs from batch to batch; a vector is a matrix of one row or column.
    fn product_of_two(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let (mut a, mut b) = (self.operand(site, 0)?, self.operand(site, 1)?);
        if let &[depth] = self.shape(a) {
            a = self.reshaped(site, a, &[1, depth]);
        }
        if let &[depth] = self.shape(b) {
            b = self.reshaped(site, b, &[depth, 1]);
        }
        let (of_a, of_b) = (self.shape(a), self.shape(b));
        let (a_outer, b_outer) = (&of_a[..of_a.len() - 2], &of_b[..of_b.len() - 2]);
        let mut whole = broadcast(a_outer, b_outer).expect("checked to fit");
        whole.extend([of_a[of_a.len() - 2], of_b[of_b.len() - 1]]);
        let product = self.emit(site, PRODUCT, vec![a, b], whole);
        Ok(self.reshaped(site, product, shape))
    }

    pub(super) fn gemm(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let alpha = site.float("alpha").unwrap_or(1.0);
        let (swap_a, swap_b) = (site.flag("transA"), site.flag("transB"));
        let added = self.gemm_addend(site, shape[1])?;
        let product = if let Some(b) = self.constant_operand(site, 1) {
            let Some(b) = Matrix::new(b, Vector::Row) else { return unsupported(BOTH_VARY) };
            let weights = if swap_b { b } else { b.transposed() }.scaled(alpha);
            let mut x = self.operand(site, 0)?;
            if swap_a {
                x = self.last_two_swapped(site, x);
            }
            let bias = if let Addend::Bias(bias) = added { Some(bias) } else { None };
            self.multiplied(site, x, (site.input_name(1), weights), bias)
        } else {
            let a = self.constant_operand(site, 0).and_then(|a| Matrix::new(a, Vector::Row));
            let Some(a) = a else { return unsupported(BOTH_VARY) };
            let weights = if swap_a { a.transposed() } else { a }.scaled(alpha);
            let mut x = self.operand(site, 1)?;
            if !swap_b {
                x = self.last_two_swapped(site, x);
            }
            let product = self.multiplied(site, x, (site.input_name(0), weights), None);
            let product = self.last_two_swapped(site, product);
            match added {
                Addend::Bias(bias) => self.added(site, product, bias, shape),
                _ => product,
            }
        };
        Ok(match added {
            Addend::Whole(addend) => self.added(site, product, addend, shape),
            Addend::Bias(_) | Addend::None => product,
        })
    }

    /// `beta * C`.
    fn gemm_addend(&mut self, site: &Site<'_>, columns: usize) -> Result<Addend, Refusal> {
        let beta = site.float("beta").unwrap_or(1.0);
        if site.input(2).is_none() || beta == 0.0 {
            return Ok(Addend::None);
        }
        let name = site.input_name(2).to_owned();
        let Some((shape, mut data)) = self.constant_operand(site, 2) else {
            let addend = self.operand(site, 2)?;
            return Ok(Addend::Whole(self.scaled_by(site, addend, beta)));
        };
        data.iter_mut().for_each(|value| *value *= beta);
        let same_for_rows = shape.len() < 2 || shape[0] == 1;
        Ok(if same_for_rows {
            if data.len() == 1 {
                data = vec![data[0]; columns];
            }
            Addend::Bias(self.constant(name, vec![columns], data))
        } else {
            Addend::Whole(self.constant(name, shape, data))
        })
    }
}

/// What is added to a product.
#[derive(Clone, Copy)]
enum Addend {
    None,
    /// A constant, the same for every row.
    Bias(TensorId),
    /// Anything else.
    Whole(TensorId),
}
