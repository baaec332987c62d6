//! Rounds weights so that the errors of a row cancel in its sums, as far as the samples show how inputs go together.
//!
//! Weights are rounded one after the other, and what each is off is made up for by those that are left: by as much as
//! its input says of theirs. After Frantar et al., "GPTQ", 2022; then single weights are moved by whole steps
//! as long as that lessens the error. Scales are those, of some, that leave the least.

use std::ops::Range;

use super::weights::WEIGHT_MAX;

/// How often each row's weights are gone through again.
const MOST_SWEEPS: usize = 8;

/// So many wider scales are tried for a row, beside the one whose greatest weight is [`WEIGHT_MAX`].
const MOST_WIDER: usize = 24;

/// By how much each makes the greatest weight less.
const LESS_EACH: f32 = 0.25;

/// Samples for each element of a row that are enough to try them: of fewer, scales are found that fit these samples alone.
const ENOUGH_SAMPLES: usize = 2;

/// About so many products are computed for the rows of a layer.
const MOST_PRODUCTS: usize = 1 << 31;

/// The least damping, as a share of the mean variance of all elements.
const LEAST_DAMPING: f64 = 1e-9;

/// How far what the samples show of inputs holds for what they are later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// They come of other samples alone.
    OfActivations,
    /// They come of the rounded weights, too, step after step.
    OfStates,
}

impl Trust {
    /// What is added to each element's variance, as a share of the mean one.
    fn damping(self) -> f64 {
        match self {
            Trust::OfActivations => 0.001,
            Trust::OfStates => 0.01,
        }
    }
}

/// Elements of a row with one scale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// How many.
    pub elements: usize,
    /// The least scale that holds every weight.
    pub scale: f32,
}

/// A row of weights in the scales that were found.
pub(super) struct Row {
    /// The weights.
    pub integers: Vec<i8>,
    /// Of each part.
    pub scales: Vec<f32>,
    /// What is left of the error's variance.
    error: f64,
}

/// How the inputs of rows of weights go together, made ready. Elements lie in the order in which they are rounded:
/// those that count most first, as the others can make up for them.
pub(super) struct Compensation {
    /// How many samples show it.
    samples: usize,
    /// The place of each element in a row.
    order: Vec<usize>,
    /// `[depth, depth]`, with damping.
    covariance: Vec<f64>,
    /// The upper triangle `u` with `transposed(u) * u` the covariance's inverse.
    factor: Vec<f64>,
}

impl Compensation {
    /// `covariance` is `[depth, depth]`, of so many samples; `parts` are the elements of a row from the first on, by how far it
    /// holds for them. `None` where the samples show nothing.
    pub fn new(covariance: &[f64], samples: usize, parts: &[(usize, Trust)]) -> Option<Self> {
        let depth: usize = parts.iter().map(|(elements, _)| elements).sum();
        let variance = |index: usize| covariance[index * (depth + 1)];
        let mean = |elements: Range<usize>| {
            let count = elements.len() as f64;
            elements.map(variance).sum::<f64>() / count
        };
        let least_damping = LEAST_DAMPING * mean(0..depth);
        let mut damped: Vec<f64> = Vec::with_capacity(depth);
        for &(elements, trust) in parts {
            let damping = trust.damping() * mean(damped.len()..damped.len() + elements);
            let damping = if damping > least_damping { damping } else { least_damping };
            damped.extend((damped.len()..damped.len() + elements).map(|index| variance(index) + damping));
        }
        if !damped.iter().all(|&variance| variance > 0.0 && variance.is_finite()) {
            return None;
        }
        let mut order: Vec<usize> = (0..depth).collect();
        order.sort_by(|&a, &b| damped[b].total_cmp(&damped[a]));
        let element = |index: usize| {
            let (row, column) = (order[index / depth], order[index % depth]);
            if row == column { damped[row] } else { covariance[row * depth + column] }
        };
        let covariance: Vec<f64> = (0..depth * depth).map(element).collect();
        let inverse = inverse(&cholesky(&covariance, depth)?, depth);
        let factor = transposed(&cholesky(&inverse, depth)?, depth);
        Some(Self { samples, order, covariance, factor })
    }

    /// A row of weights, one of `rows` of a layer, in the best scales that are found for its parts, one after the other.
    pub fn round_row(&self, row: &[f32], parts: &[Part], rows: usize) -> Row {
        let depth = row.len();
        let tried = if self.samples < ENOUGH_SAMPLES * depth {
            0
        } else {
            (MOST_PRODUCTS / (rows * depth * depth)).min(MOST_WIDER)
        };
        let mut best = self.round(row, parts, parts.iter().map(|part| part.scale).collect());
        for (index, part) in parts.iter().enumerate() {
            for wider in 1..=tried {
                let mut scales = best.scales.clone();
                scales[index] = part.scale * (WEIGHT_MAX / (WEIGHT_MAX - wider as f32 * LESS_EACH));
                let rounded = self.round(row, parts, scales);
                if rounded.error < best.error {
                    best = rounded;
                }
            }
        }
        best
    }

    /// A row of weights in these scales.
    fn round(&self, row: &[f32], parts: &[Part], scales: Vec<f32>) -> Row {
        let depth = self.order.len();
        let of_part = parts.iter().zip(&scales);
        let steps: Vec<f32> =
            of_part.flat_map(|(part, &scale)| std::iter::repeat_n(scale, part.elements)).collect();
        let in_order = |values: &[f32]| -> Vec<f64> {
            self.order.iter().map(|&element| f64::from(values[element])).collect()
        };
        let (exact, steps) = (in_order(row), in_order(&steps));
        let mut left = exact.clone();
        let mut rounded = vec![0.0; depth];
        for index in 0..depth {
            rounded[index] = nearest(left[index] / steps[index]);
            let factors = &self.factor[index * depth..][..depth];
            let error = (left[index] - rounded[index] * steps[index]) / factors[index];
            for (left, factor) in left[index + 1..].iter_mut().zip(&factors[index + 1..]) {
                *left -= error * factor;
            }
        }
        let error = self.improve(&exact, &steps, &mut rounded);
        let mut integers = vec![0; depth];
        for (&element, weight) in self.order.iter().zip(rounded) {
            integers[element] = weight as i8;
        }
        Row { integers, scales, error }
    }

    /// Moves weights as long as the error gets less, and tells what is left of it.
    fn improve(&self, exact: &[f64], steps: &[f64], rounded: &mut [f64]) -> f64 {
        let depth = self.order.len();
        let row = |index: usize| &self.covariance[index * depth..][..depth];
        let errors = rounded.iter().zip(steps).zip(exact);
        let mut errors: Vec<f64> = errors.map(|((rounded, step), exact)| rounded * step - exact).collect();
        // Half the slope of the error along each weight.
        let dot = |index| row(index).iter().zip(&errors).map(|(covariance, error)| covariance * error).sum();
        let mut slopes: Vec<f64> = (0..depth).map(dot).collect();
        for _ in 0..MOST_SWEEPS {
            let mut moved = false;
            for index in 0..depth {
                let better = nearest(rounded[index] - slopes[index] / (row(index)[index] * steps[index]));
                let by = (better - rounded[index]) * steps[index];
                if by != 0.0 {
                    rounded[index] = better;
                    errors[index] += by;
                    slopes.iter_mut().zip(row(index)).for_each(|(slope, value)| *slope += by * value);
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        errors.iter().zip(&slopes).map(|(error, slope)| error * slope).sum()
    }
}

fn nearest(weight: f64) -> f64 {
    let greatest = f64::from(WEIGHT_MAX);
    weight.round().clamp(-greatest, greatest)
}

/// The lower triangle whose product with itself transposed is `matrix`; `None` where there is none.
fn cholesky(matrix: &[f64], depth: usize) -> Option<Vec<f64>> {
    let mut lower = vec![0.0; depth * depth];
    for row in 0..depth {
        for column in 0..=row {
            let [a, b] = [row, column].map(|index| &lower[index * depth..][..column]);
            let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            let rest = matrix[row * depth + column] - product;
            lower[row * depth + column] = if row == column {
                if !(rest > 0.0 && rest.is_finite()) {
                    return None;
                }
                libm::sqrt(rest)
            } else {
                rest / lower[column * (depth + 1)]
            };
        }
    }
    Some(lower)
}

/// The inverse of the matrix whose triangle is `lower`.
fn inverse(lower: &[f64], depth: usize) -> Vec<f64> {
    // The triangle's own inverse, transposed: columns lie in rows.
    let mut columns = vec![0.0; depth * depth];
    for column in 0..depth {
        let own = &mut columns[column * depth..][..depth];
        for row in column..depth {
            let unit = if row == column { 1.0 } else { 0.0 };
            let factors = &lower[row * depth..][column..row];
            let product: f64 = factors.iter().zip(&own[column..row]).map(|(a, b)| a * b).sum();
            own[row] = (unit - product) / lower[row * (depth + 1)];
        }
    }
    let mut inverse = vec![0.0; depth * depth];
    for row in 0..depth {
        for column in 0..=row {
            let [a, b] = [row, column].map(|index| &columns[index * depth..][row..depth]);
            let product = a.iter().zip(b).map(|(a, b)| a * b).sum();
            inverse[row * depth + column] = product;
            inverse[column * depth + row] = product;
        }
    }
    inverse
}

fn transposed(matrix: &[f64], depth: usize) -> Vec<f64> {
    (0..depth * depth).map(|index| matrix[index % depth * depth + index / depth]).collect()
}

#[cfg(test)]
mod tests {
    use super::{Compensation, Part, Trust, cholesky, inverse};

    fn part(elements: usize, scale: f32) -> Part {
        Part { elements, scale }
    }

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        let matrix = [4.0, 2.0, 0.6, 2.0, 5.0, 1.0, 0.6, 1.0, 3.0];
        let inverse = inverse(&cholesky(&matrix, 3).unwrap(), 3);
        for index in 0..9 {
            let (row, column) = (index / 3, index % 3);
            let product: f64 = (0..3).map(|i| matrix[3 * row + i] * inverse[3 * i + column]).sum();
            let expected = if row == column { 1.0 } else { 0.0 };
            assert!((product - expected).abs() < 1e-12, "{product} at {index}");
        }
        assert_eq!(cholesky(&[1.0, 2.0, 2.0, 1.0], 2), None);
    }

    #[test]
    fn inputs_that_go_together_share_their_errors() {
        // Two inputs that are nearly the same: 0.4 and 0.4 are 0.8, for which one of them is rounded up.
        let rounded = |covariance| {
            let compensation = Compensation::new(covariance, 1, &[(2, Trust::OfActivations)])?;
            Some(compensation.round_row(&[0.4, 0.4], &[part(2, 1.0)], 1).integers)
        };
        let together = rounded(&[1.0, 0.99, 0.99, 1.0]).expect("they go together");
        assert_eq!(together.iter().sum::<i8>(), 1, "{together:?}");
        assert_eq!(rounded(&[1.0, 0.0, 0.0, 1.0]), Some(vec![0, 0]));
        assert_eq!(rounded(&[0.0; 4]), None);
    }

    #[test]
    fn what_counts_most_is_made_up_for_by_the_others() {
        // The second element counts most and its step is wide: the first, whose step is narrow, takes up what it is off.
        let parts = [(1, Trust::OfActivations), (1, Trust::OfStates)];
        let compensation = Compensation::new(&[1.0, 1.9, 1.9, 4.0], 4, &parts).unwrap();
        let [fine, coarse] =
            compensation.round_row(&[0.0, 0.4], &[part(1, 0.01), part(1, 1.0)], 1).integers[..]
        else {
            panic!("two weights")
        };
        assert_eq!(coarse, 0);
        assert!((70..=84).contains(&fine), "{fine}");
    }

    #[test]
    fn a_wider_scale_is_taken_where_less_is_left() {
        let round = |samples| {
            let compensation =
                Compensation::new(&[1.0, 0.0, 0.0, 1.0], samples, &[(2, Trust::OfActivations)]);
            compensation.unwrap().round_row(&[127.0, 63.5], &[part(2, 1.0)], 1)
        };
        let found = round(4);
        assert!(found.integers[0] == 2 * found.integers[1] && found.scales[0] > 1.0, "{:?}", found.integers);
        assert_eq!(round(3).scales, [1.0], "too few samples to search by");
    }
}
