//! One multiplication instead of the defining arithmetic.
//!
//! An output never falls as its channel's sum rises, so 255 *thresholds* say all about it: for each output
//! the least sum that gives it or more. A line through the same thresholds is the same function, however
//! often the defining arithmetic rounds; one is searched for here, with parameters that a core
//! evaluates in a multiplication with an addend and a shift.

/// `((value * multiplier >> 32) + addend) >> shift`, saturated, with `value = sum_scale * sum + offset`, gives the
/// output of every sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fused {
    /// Multiplies sums, so that the offset moves them by parts of 1.
    pub(super) sum_scale: i32,
    pub(super) offset: i32,
    pub(super) multiplier: i32,
    pub(super) addend: i32,
}

/// Sums of a channel and what they give.
pub(super) struct Thresholds {
    /// An output, and the least sum that gives it or more: one more than the greatest sum where none does.
    steps: Vec<(i64, i64)>,
    least_sum: i64,
    greatest_sum: i64,
}

/// How many addends are tried beside the first one, on both sides of it.
const ADDENDS: i64 = 1024;

/// `nearest`, and others a little apart: thresholds of scales that are simple fractions lie so regularly that no
/// other offset moves a line between them, but another slope does.
fn multipliers(nearest: i32) -> impl Iterator<Item = i32> {
    let apart = (14..=28).rev().flat_map(move |bits| [nearest >> bits, -(nearest >> bits)]);
    std::iter::once(0).chain(apart).filter_map(move |by| nearest.checked_add(by))
}

impl Thresholds {
    /// Those of `output`, which rises with the sum, of sums from `least_sum` to `greatest_sum`. Outputs are limited
    /// to `limits` later.
    pub(super) fn new(
        [least_sum, greatest_sum]: [i64; 2],
        limits: [i32; 2],
        output: impl Fn(i64) -> i32,
    ) -> Self {
        let (lowest, highest) = (output(least_sum), output(greatest_sum));
        let mut steps = Vec::new();
        // An output that is never passed is to be reached at once, or never, unless a limit sees to it.
        if lowest > limits[0] {
            steps.push((i64::from(lowest), least_sum));
        }
        let mut from = least_sum;
        for value in lowest + 1..=highest {
            let (mut below, mut at) = (from, greatest_sum);
            while at - below > 1 {
                let middle = below + (at - below) / 2;
                *(if output(middle) >= value { &mut at } else { &mut below }) = middle;
            }
            if output(below) >= value {
                at = below;
            }
            steps.push((i64::from(value), at));
            from = at;
        }
        if highest < limits[1] {
            steps.push((i64::from(highest) + 1, greatest_sum + 1));
        }
        Self { steps, least_sum, greatest_sum }
    }

    /// A line of slope `multiplier * 2^(exponent - 31)` through the thresholds, where values are `sum_scale` times
    /// the sum.
    pub(super) fn fit_addend(
        mut self,
        [multiplier, exponent]: [i32; 2],
        sum_scale: i32,
        shift: u32,
    ) -> Option<Fused> {
        let nearest = scaled(multiplier, exponent, sum_scale, shift)?;
        let (output, sum) = *self.steps.get(self.steps.len() / 2)?;
        let exact = (output << (32 + shift)) - sum * i64::from(sum_scale) * i64::from(nearest);
        let first = exact >> 32;
        let addends = (0..ADDENDS).flat_map(|step| [first + step, first - step - 1]);
        let addends = addends.filter_map(|addend| i32::try_from(addend).ok());
        multipliers(nearest).find_map(|multiplier| {
            addends.clone().find_map(|addend| self.offset(sum_scale, multiplier, addend, shift))
        })
    }

    /// As [`fit_addend`](Self::fit_addend), without an addend but with any of the scales of sums.
    pub(super) fn fit_sum_scale(
        mut self,
        [multiplier, exponent]: [i32; 2],
        sum_scales: impl Iterator<Item = i32>,
        shift: u32,
    ) -> Option<Fused> {
        let nearest: Vec<(i32, i32)> = sum_scales
            .filter_map(|sum_scale| Some((sum_scale, scaled(multiplier, exponent, sum_scale, shift)?)))
            .collect();
        let others = |(sum_scale, nearest)| multipliers(nearest).map(move |factor| (sum_scale, factor));
        let lines = nearest.iter().copied().chain(nearest.iter().copied().flat_map(others));
        lines.into_iter().find_map(|(sum_scale, factor)| self.offset(sum_scale, factor, 0, shift))
    }

    /// The offset of values with which every threshold is where it should be, if there is one and 32 bits hold
    /// every step.
    fn offset(&mut self, sum_scale: i32, multiplier: i32, addend: i32, shift: u32) -> Option<Fused> {
        let [scale, factor, add] = [sum_scale, multiplier, addend].map(i64::from);
        if factor <= 0 {
            return None;
        }
        let [mut least, mut greatest] = [i64::MIN, i64::MAX];
        for index in 0..self.steps.len() {
            let (output, sum) = self.steps[index];
            // The least value that gives the output: `sum` reaches it, and the one below does not.
            let value = ceiling((output << (32 + shift)) - (add << 32), factor);
            if sum <= self.greatest_sum {
                least = least.max(value - scale * sum);
            }
            if sum > self.least_sum {
                greatest = greatest.min(value - scale * (sum - 1) - 1);
            }
            if least > greatest {
                // The next line, a little apart from this one, will miss the same threshold.
                self.steps.swap(index / 2, index);
                return None;
            }
        }
        let offset = if least == i64::MIN { greatest } else { least };
        let fits = |sum: i64| {
            let value = scale * sum + offset;
            let output = ((value * factor) >> 32) + add;
            [value, output].into_iter().all(|word| i32::try_from(word).is_ok())
        };
        (fits(self.least_sum) && fits(self.greatest_sum)).then_some(Fused {
            sum_scale,
            offset: i32::try_from(offset).ok()?,
            multiplier,
            addend,
        })
    }
}

/// `multiplier * 2^(exponent - 31)` as the factor of values of `sum_scale` times the sum, whose product's upper word
/// is shifted by `shift`.
fn scaled(multiplier: i32, exponent: i32, sum_scale: i32, shift: u32) -> Option<i32> {
    let down = u32::try_from(-exponent).ok().filter(|&down| down < 31)?;
    let (numerator, denominator) = (i64::from(multiplier) << (1 + shift), i64::from(sum_scale) << down);
    let factor = (numerator + denominator / 2) / denominator;
    i32::try_from(factor).ok().filter(|&factor| factor > 0)
}

/// The quotient, rounded up.
fn ceiling(dividend: i64, divisor: i64) -> i64 {
    -(-dividend).div_euclid(divisor)
}

#[cfg(test)]
mod tests {
    use edgepkg_format::plan::{Clamp, Rounding, Scale};
    use edgepkg_kernels::fixed_point::requantize;

    use super::*;

    const SUMS: [i64; 2] = [-70_000, 90_000];

    fn evaluate(fused: Fused, sum: i64, shift: u32) -> i32 {
        let value = i64::from(fused.sum_scale) * sum + i64::from(fused.offset);
        let high = (value * i64::from(fused.multiplier)) >> 32;
        ((high + i64::from(fused.addend)) >> shift).clamp(-128, 127) as i32
    }

    /// Of many scales, how many have a line, each of which gives the output of every sum.
    fn lines(
        rounding: Rounding,
        clamp_min: i32,
        fit: impl Fn(Thresholds, [i32; 2]) -> (Option<Fused>, u32),
    ) -> usize {
        let zero_point = -20;
        let clamp = Clamp { min: clamp_min, max: 127 };
        let mut count = 0;
        for step in 0..60 {
            let (multiplier, exponent) = ((1 << 30) + 17_895_697 * step, -4 - step % 8);
            let scale = Scale { multiplier, shift: exponent };
            let output = |sum: i64| requantize(sum as i32, scale, rounding, zero_point, clamp);
            let thresholds = Thresholds::new(SUMS, [clamp.min, clamp.max], output);
            let (Some(fused), shift) = fit(thresholds, [multiplier, exponent]) else { continue };
            for sum in SUMS[0]..=SUMS[1] {
                let found = evaluate(fused, sum, shift).max(clamp.min);
                assert_eq!(found, output(sum), "{sum} times {multiplier} by 2^{exponent}, {fused:?}");
            }
            count += 1;
        }
        count
    }

    #[test]
    fn an_addend_gives_every_output_that_is_rounded_once_or_clamped_to_the_zero_point() {
        for (sum_scale, shift) in [(1, 3), (256, 11)] {
            let fit = |thresholds: Thresholds, scale| (thresholds.fit_addend(scale, sum_scale, shift), shift);
            assert_eq!(lines(Rounding::Once, -128, fit), 60);
            assert_eq!(lines(Rounding::Twice, -20, fit), 60);
        }
    }

    #[test]
    fn a_scale_of_sums_does_too() {
        let fit = |thresholds: Thresholds, scale| (thresholds.fit_sum_scale(scale, (8..256).rev(), 8), 8);
        assert_eq!(lines(Rounding::Once, -128, fit), 60);
        assert_eq!(lines(Rounding::Twice, -20, fit), 60);
    }

    #[test]
    fn halves_away_from_zero_on_both_sides_are_no_line() {
        let fit = |thresholds: Thresholds, scale| (thresholds.fit_addend(scale, 1, 3), 3);
        assert!(lines(Rounding::Twice, -128, fit) < 30);
    }

    #[test]
    fn a_line_stays_inside_of_32_bits() {
        let thresholds = |sums| Thresholds::new(sums, [-128, 127], |sum| (sum >> 21) as i32);
        let scale = [1 << 30, -20];
        assert!(thresholds([0, 1 << 23]).fit_addend(scale, 1, 3).is_some());
        assert_eq!(thresholds([-1 << 23, 1 << 23]).fit_addend(scale, 256, 11), None);
    }
}
