//! The distribution of one tensor's values, and ranges chosen from it.

use super::Range;

/// Bins of a histogram.
const BINS: usize = 2048;
/// Ends that are tried on each side for the range with the least error.
const ENDS: usize = 128;
/// Steps between the ends of an int8 range.
const STEPS: f64 = 255.0;

/// How many values lie in each of [`BINS`] equal parts of a range.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    range: Range,
    bins_per_unit: f64,
    counts: Vec<u64>,
    /// Values that are 0 exactly: no quantization moves them.
    zeros: u64,
}

impl Histogram {
    /// An empty histogram over the range in which all values will lie.
    pub(super) fn new(range: Range) -> Self {
        let width = f64::from(range.max) - f64::from(range.min);
        let bins_per_unit = if width > 0.0 { BINS as f64 / width } else { 0.0 };
        Self { range, bins_per_unit, counts: vec![0; BINS], zeros: 0 }
    }

    /// Counts `values`.
    pub(super) fn count(&mut self, values: &[f32]) {
        for &value in values {
            let bin = (f64::from(value) - f64::from(self.range.min)) * self.bins_per_unit;
            self.counts[(bin as usize).min(BINS - 1)] += 1;
            self.zeros += u64::from(value == 0.0);
        }
    }

    /// The range without what lies below the `100 - percentile`th and above the `percentile`th percentile.
    pub(super) fn percentile_range(&self, percentile: f64) -> Range {
        let total: u64 = self.counts.iter().sum();
        let beyond = (total as f64 * (100.0 - percentile) / 100.0) as u64;
        let skipped = |counts: &mut dyn Iterator<Item = &u64>| {
            let mut seen = 0;
            counts
                .take_while(|&&count| {
                    seen += count;
                    seen <= beyond
                })
                .count()
        };
        let low = skipped(&mut self.counts.iter()).min(BINS - 1);
        let high = BINS - skipped(&mut self.counts.iter().rev()).min(BINS - 1);
        self.between(low, high.max(low + 1))
    }

    /// The range that int8 represents the values in with the least mean squared error: what a wider range
    /// loses to rounding, a narrower one loses to clamping. It always holds 0.
    pub(super) fn least_error_range(&self) -> Range {
        let below = TailErrors::new((0..BINS).map(|bin| (self.counts[bin], self.centre(bin))));
        let above = TailErrors::new((0..BINS).rev().map(|bin| (self.counts[bin], self.centre(bin))));
        let moving = (self.counts.iter().sum::<u64>() - self.zeros) as f64;
        let (min, max) = (f64::from(self.range.min), f64::from(self.range.max));
        let low_ends = if min < 0.0 { ENDS } else { 1 };
        let high_ends = if max > 0.0 { ENDS } else { 1 };
        let mut best = (f64::INFINITY, self.range);
        for low_end in 0..low_ends {
            let low = min.min(0.0) * (1.0 - low_end as f64 / ENDS as f64);
            for high_end in 0..high_ends {
                let high = max.max(0.0) * (1.0 - high_end as f64 / ENDS as f64);
                let step = (high - low) / STEPS;
                let error = moving * step * step / 12.0
                    + below.beyond(self.bin(low), low)
                    + above.beyond(BINS - self.bin(high), high);
                if error < best.0 {
                    best = (error, Range { min: low as f32, max: high as f32 });
                }
            }
        }
        best.1
    }

    /// The bins whose centres lie below `value`.
    fn bin(&self, value: f64) -> usize {
        let position = (value - f64::from(self.range.min)) * self.bins_per_unit + 0.5;
        (position.max(0.0) as usize).min(BINS)
    }

    fn centre(&self, bin: usize) -> f64 {
        f64::from(self.range.min) + (bin as f64 + 0.5) / self.bins_per_unit.max(f64::MIN_POSITIVE)
    }

    fn between(&self, low: usize, high: usize) -> Range {
        let edge = |bin: usize| match bin {
            0 => self.range.min,
            BINS => self.range.max,
            _ => (f64::from(self.range.min) + bin as f64 / self.bins_per_unit) as f32,
        };
        if self.bins_per_unit == 0.0 { self.range } else { Range { min: edge(low), max: edge(high) } }
    }
}

/// Sums over the outermost bins of one side: `sums[n]` is the number, the sum and the sum of squares of the
/// values in the first `n`.
struct TailErrors {
    sums: Vec<[f64; 3]>,
}

impl TailErrors {
    fn new(bins: impl Iterator<Item = (u64, f64)>) -> Self {
        let mut sums = vec![[0.0; 3]];
        for (count, centre) in bins {
            let [n, sum, squares] = sums[sums.len() - 1];
            let count = count as f64;
            sums.push([n + count, sum + count * centre, squares + count * centre * centre]);
        }
        Self { sums }
    }

    /// Squared error of clamping the first `bins` to `end`.
    fn beyond(&self, bins: usize, end: f64) -> f64 {
        let [n, sum, squares] = self.sums[bins];
        (squares - 2.0 * end * sum + end * end * n).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, Range};

    fn histogram(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::new(Range::of(values).unwrap());
        histogram.count(values);
        histogram
    }

    #[test]
    fn percentiles_leave_out_both_tails() {
        let values: Vec<f32> = (0..=2048).map(|value| value as f32).collect();
        let range = histogram(&values).percentile_range(99.0);
        assert!((range.min - 20.0).abs() < 2.0 && (range.max - 2028.0).abs() < 2.0, "{range:?}");
        assert_eq!(histogram(&values).percentile_range(100.0), Range { min: 0.0, max: 2048.0 });
        assert_eq!(histogram(&[3.0, 3.0]).percentile_range(99.0), Range { min: 3.0, max: 3.0 });
    }

    #[test]
    fn least_error_keeps_even_values_and_cuts_outliers() {
        let even: Vec<f32> = (-1000..=1000).map(|value| value as f32).collect();
        assert_eq!(histogram(&even).least_error_range(), Range { min: -1000.0, max: 1000.0 });
        let mut outlier: Vec<f32> = (0..3_000_000).map(|value| (value % 1000) as f32).collect();
        outlier.push(2000.0);
        let range = histogram(&outlier).least_error_range();
        assert!(range.min == 0.0 && range.max > 950.0 && range.max < 1300.0, "{range:?}");
    }
}
