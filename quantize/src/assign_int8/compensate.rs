//! Rounds weights so that the errors of a row cancel in its sums, as far as the samples show how inputs go together.
//!
//! Weights are rounded one after the other, and what each is off is made up for by those that are left: by as much as
//! its input says of theirs. After Frantar et al., "GPTQ", 2022; then single weights are moved by whole steps
//! as long as that lessens the error.

use super::weights::WEIGHT_MAX;
use crate::calibrate::SecondMoments;

/// How often each row's weights are gone through again.
const MOST_SWEEPS: usize = 8;

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
            Trust::OfStates => 0.03,
        }
    }
}

/// How the inputs of rows of weights go together, made ready.
pub(super) struct Compensation {
    depth: usize,
    /// `[depth, depth]`, with damping.
    covariance: Vec<f64>,
    /// The upper triangle `u` with `transposed(u) * u` the covariance's inverse.
    factor: Vec<f64>,
}

impl Compensation {
    /// `None` where the samples show nothing.
    pub fn new(moments: &SecondMoments, trust: Trust) -> Option<Self> {
        let depth = moments.mean.len();
        let mut covariance = moments.covariance.clone();
        let trace: f64 = (0..depth).map(|index| covariance[index * (depth + 1)]).sum();
        let damping = trust.damping() * trace / depth as f64;
        if !(damping > 0.0 && damping.is_finite()) {
            return None;
        }
        for index in 0..depth {
            covariance[index * (depth + 1)] += damping;
        }
        let lower = cholesky(&covariance, depth)?;
        let inverse = inverse(&lower, depth);
        let factor = transposed(&cholesky(&inverse, depth)?, depth);
        Some(Self { depth, covariance, factor })
    }

    /// The integers of a row of weights whose step is `scale`.
    pub fn round(&self, row: &[f32], scale: f32) -> Vec<i8> {
        let (depth, scale) = (self.depth, f64::from(scale));
        let exact: Vec<f64> = row.iter().map(|&weight| f64::from(weight) / scale).collect();
        let mut left = exact.clone();
        let mut rounded = vec![0.0; depth];
        for index in 0..depth {
            rounded[index] = nearest(left[index]);
            let factors = &self.factor[index * depth..][..depth];
            let error = (left[index] - rounded[index]) / factors[index];
            for (left, factor) in left[index + 1..].iter_mut().zip(&factors[index + 1..]) {
                *left -= error * factor;
            }
        }
        self.improve(&exact, &mut rounded);
        rounded.into_iter().map(|weight| weight as i8).collect()
    }

    /// Moves weights as long as the error gets less.
    fn improve(&self, exact: &[f64], rounded: &mut [f64]) {
        let depth = self.depth;
        let row = |index: usize| &self.covariance[index * depth..][..depth];
        // Half the slope of the error along each weight.
        let error: Vec<f64> = rounded.iter().zip(exact).map(|(rounded, exact)| rounded - exact).collect();
        let dot = |index| row(index).iter().zip(&error).map(|(covariance, error)| covariance * error).sum();
        let mut slopes: Vec<f64> = (0..depth).map(dot).collect();
        for _ in 0..MOST_SWEEPS {
            let mut moved = false;
            for index in 0..depth {
                let better = nearest(rounded[index] - slopes[index] / row(index)[index]);
                let step = better - rounded[index];
                if step != 0.0 {
                    rounded[index] = better;
                    slopes.iter_mut().zip(row(index)).for_each(|(slope, value)| *slope += step * value);
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
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
    use super::{Compensation, Trust, cholesky, inverse};
    use crate::calibrate::SecondMoments;

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
        let moments = SecondMoments { mean: vec![0.0; 2], covariance: vec![1.0, 0.99, 0.99, 1.0] };
        let compensation = |moments| Compensation::new(moments, Trust::OfActivations);
        let rounded = compensation(&moments).unwrap().round(&[0.4, 0.4], 1.0);
        assert_eq!(rounded.iter().sum::<i8>(), 1, "{rounded:?}");
        let apart = SecondMoments { mean: vec![0.0; 2], covariance: vec![1.0, 0.0, 0.0, 1.0] };
        assert_eq!(compensation(&apart).unwrap().round(&[0.4, 0.4], 1.0), [0, 0]);
        let nothing = SecondMoments { mean: vec![0.0; 2], covariance: vec![0.0; 4] };
        assert!(compensation(&nothing).is_none());
    }
}
