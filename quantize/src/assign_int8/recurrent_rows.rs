//! Rounds the weights of a recurrent layer's gates so that their errors cancel in the layer's state.
//!
//! A gate's sum has a part of the input and one of the hidden state, which go together, so both parts' weights are one row.
//! A step counts as much as the state moves with the sum in it. What a bias can take up, it does.

use crate::calibrate::Step;
use crate::graph::{Recurrent, RecurrentCell};

use super::compensate::{Compensation, Part, Row, Trust};

/// About so many products are summed for a layer; where each unit's own sums took more, a gate's units share theirs.
const MOST_PRODUCTS: usize = 1 << 36;

/// Rows with more elements are rounded one by one.
const GREATEST_DEPTH: usize = 1024;

/// A column's least share of its own sum of squares that others do not explain.
const LEAST_LEFT: f64 = 1e-6;

/// A layer's weights, `[gates * units, inputs]` and `[gates * units, units]`, with their scales.
pub(super) struct Rows<'a> {
    pub op: Recurrent,
    pub inputs: usize,
    pub units: usize,
    pub input_weights: &'a [f32],
    pub hidden_weights: &'a [f32],
    /// Of each row.
    pub input_scales: &'a [f32],
    /// Likewise.
    pub hidden_scales: &'a [f32],
}

/// The layer's integers.
pub(super) struct Rounded {
    pub input_weights: Vec<i8>,
    pub hidden_weights: Vec<i8>,
    /// Of each row.
    pub input_scales: Vec<f32>,
    /// Likewise.
    pub hidden_scales: Vec<f32>,
    /// What is added to the input's biases makes up for the weights' errors.
    pub input_bias: Vec<f32>,
    /// Likewise.
    pub hidden_bias: Vec<f32>,
}

/// `None` where `steps` show nothing of some gate.
pub(super) fn round(rows: &Rows<'_>, steps: &[Step]) -> Option<Rounded> {
    let depth = rows.inputs + rows.units;
    if depth > GREATEST_DEPTH {
        return None;
    }
    let products = steps.len() * depth * depth * rows.op.gates() * rows.units;
    let together = if products > MOST_PRODUCTS { rows.units } else { 1 };
    let mut rounded = Rounded {
        input_weights: Vec::new(),
        hidden_weights: Vec::new(),
        input_scales: Vec::new(),
        hidden_scales: Vec::new(),
        input_bias: Vec::new(),
        hidden_bias: Vec::new(),
    };
    for gate in 0..rows.op.gates() {
        for first in (0..rows.units).step_by(together) {
            let units = first..first + together;
            let mut moments = Moments::new(depth, has_two_biases(rows.op, gate));
            for step in steps {
                moments.add(&Weighted::new(rows.op, step, gate, units.clone()));
            }
            let biases = moments.take_biases();
            let parts = [(rows.inputs, Trust::OfActivations), (rows.units, Trust::OfStates)];
            let compensation = Compensation::new(&moments.covariance(), steps.len(), &parts)?;
            for unit in units {
                rounded.add(rows, gate * rows.units + unit, &compensation, &biases);
            }
        }
    }
    Some(rounded)
}

/// Whether the part of the hidden state counts otherwise than that of the input, so that both biases are used.
fn has_two_biases(op: Recurrent, gate: usize) -> bool {
    op.cell == RecurrentCell::GruResetAfter && gate == 2
}

/// What is multiplied with a gate's weights in a step.
struct Weighted<'a> {
    step: &'a Step,
    /// How much the input's part counts.
    of_input: f32,
    /// How much the hidden state's part counts.
    of_hidden: f32,
    /// Whether the hidden state is behind the reset gates.
    is_reset: bool,
}

impl<'a> Weighted<'a> {
    fn new(op: Recurrent, step: &'a Step, gate: usize, units: std::ops::Range<usize>) -> Self {
        let slopes = &step.slopes[gate * step.hidden.len()..][units.clone()];
        let mean_square = |values: &mut dyn Iterator<Item = f32>| {
            libm::sqrtf(values.map(|value| value * value).sum::<f32>() / slopes.len() as f32)
        };
        let of_input = mean_square(&mut slopes.iter().copied());
        let of_hidden = if has_two_biases(op, gate) {
            mean_square(&mut slopes.iter().zip(&step.reset[units]).map(|(slope, reset)| slope * reset))
        } else {
            of_input
        };
        let is_reset = op.cell == RecurrentCell::GruResetBefore && gate == 2;
        Self { step, of_input, of_hidden, is_reset }
    }
}

/// Sums of products of a row's elements and its biases, over steps.
struct Moments {
    depth: usize,
    biases: usize,
    /// `[depth + biases, depth + biases]`, whose lower triangle is meant.
    sums: Vec<f64>,
    row: Vec<f64>,
}

impl Moments {
    fn new(depth: usize, has_two_biases: bool) -> Self {
        let biases = if has_two_biases { 2 } else { 1 };
        let width = depth + biases;
        Self { depth, biases, sums: vec![0.0; width * width], row: Vec::with_capacity(width) }
    }

    fn add(&mut self, weighted: &Weighted<'_>) {
        let Weighted { step, of_input, of_hidden, is_reset } = *weighted;
        let (of_input, of_hidden) = (f64::from(of_input), f64::from(of_hidden));
        self.row.clear();
        self.row.extend(step.x.iter().map(|&x| f64::from(x) * of_input));
        if is_reset {
            let behind = step.hidden.iter().zip(&step.reset);
            self.row.extend(behind.map(|(hidden, reset)| f64::from(hidden * reset) * of_hidden));
        } else {
            self.row.extend(step.hidden.iter().map(|&hidden| f64::from(hidden) * of_hidden));
        }
        self.row.extend([of_input, of_hidden].into_iter().take(self.biases));
        let width = self.row.len();
        for (index, &value) in self.row.iter().enumerate() {
            let sums = &mut self.sums[index * width..][..=index];
            sums.iter_mut().zip(&self.row).for_each(|(sum, other)| *sum += value * other);
        }
    }

    /// Takes out of the sums what biases take up. Of each bias, the last first, by how much it makes up for an error in
    /// each of the elements and biases before it.
    fn take_biases(&mut self) -> Vec<Vec<f64>> {
        let width = self.depth + self.biases;
        let of_its_own = |sums: &[f64], index: usize| sums[index * (width + 1)];
        let before: Vec<f64> = (0..width).map(|index| of_its_own(&self.sums, index)).collect();
        let mut biases = Vec::new();
        for bias in (self.depth..width).rev() {
            let pivot = of_its_own(&self.sums, bias);
            let (above, row) = self.sums.split_at_mut(bias * width);
            let row = &row[..bias];
            let is_free = pivot > LEAST_LEFT * before[bias];
            let shares: Vec<f64> = row.iter().map(|sum| if is_free { sum / pivot } else { 0.0 }).collect();
            for (index, share) in shares.iter().enumerate() {
                let sums = &mut above[index * width..][..=index];
                sums.iter_mut().zip(row.iter()).for_each(|(sum, other)| *sum -= share * other);
            }
            biases.push(shares);
        }
        biases
    }

    /// `[depth, depth]`.
    fn covariance(&self) -> Vec<f64> {
        let (depth, width) = (self.depth, self.depth + self.biases);
        let sum = |index: usize| {
            let (row, column) = (index / depth, index % depth);
            self.sums[row.max(column) * width + row.min(column)]
        };
        (0..depth * depth).map(sum).collect()
    }
}

impl Rounded {
    /// Rounds row `index` of both weights.
    fn add(&mut self, rows: &Rows<'_>, index: usize, compensation: &Compensation, biases: &[Vec<f64>]) {
        let (inputs, units) = (rows.inputs, rows.units);
        let of_input = &rows.input_weights[index * inputs..][..inputs];
        let of_hidden = &rows.hidden_weights[index * units..][..units];
        let exact = [of_input, of_hidden].concat();
        let parts = [
            Part { elements: inputs, scale: rows.input_scales[index] },
            Part { elements: units, scale: rows.hidden_scales[index] },
        ];
        let Row { integers, scales, .. } = compensation.round_row(&exact, &parts, rows.hidden_scales.len());
        let step = |element: usize| scales[usize::from(element >= inputs)];
        let off = integers.iter().enumerate().zip(&exact);
        let mut errors: Vec<f64> = off
            .map(|((element, &integer), &exact)| {
                f64::from(integer) * f64::from(step(element)) - f64::from(exact)
            })
            .collect();
        let mut shifts = Vec::new();
        // Of the two, the last is told before the first is known, and the first with what remains of it.
        for shares in biases.iter().rev() {
            let shift: f64 = -shares.iter().zip(&errors).map(|(share, error)| share * error).sum::<f64>();
            shifts.push(shift as f32);
            errors.push(shift);
        }
        self.input_weights.extend_from_slice(&integers[..inputs]);
        self.hidden_weights.extend_from_slice(&integers[inputs..]);
        self.input_scales.push(scales[0]);
        self.hidden_scales.push(scales[1]);
        self.input_bias.push(shifts[0]);
        self.hidden_bias.push(shifts.get(1).copied().unwrap_or(0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::{Moments, Weighted};
    use crate::calibrate::Step;

    #[test]
    fn biases_take_up_what_they_can() {
        // What goes in is all but the same in every step, so that a bias can make up for errors of its weight.
        let steps = [1.0, 1.0, 1.25].map(|x| Step { x: vec![x], hidden: vec![], ..Step::default() });
        let mut moments = Moments::new(1, false);
        for step in &steps {
            moments.add(&Weighted { step, of_input: 2.0, of_hidden: 2.0, is_reset: false });
        }
        let biases = moments.take_biases();
        assert_eq!(biases.len(), 1);
        assert!((biases[0][0] - 13.0 / 12.0).abs() < 1e-12, "{biases:?}");
        let variance = 4.0 * (2.0 + 1.25 * 1.25 - 3.25 * 3.25 / 3.0);
        assert!((moments.covariance()[0] - variance).abs() < 1e-12);
    }
}
