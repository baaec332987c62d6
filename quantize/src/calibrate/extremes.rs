//! How far values beyond those seen are to be expected.

/// The greatest values of the samples: how they spread tells what the next samples may bring.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extremes {
    count: usize,
    greatest: f32,
    sum: f64,
    squares: f64,
}

/// One sample in so many may pass what is expected.
const RETURN_PERIOD: f64 = 100.0;
/// Euler's constant: the mean of the standard Gumbel distribution.
const EULER: f64 = 0.577_215_664_901_532_9;

impl Extremes {
    /// Adds the greatest value of one sample.
    pub(crate) fn add(&mut self, greatest: f32) {
        if self.count == 0 || greatest > self.greatest {
            self.greatest = greatest;
        }
        self.count += 1;
        self.sum += f64::from(greatest);
        self.squares += f64::from(greatest) * f64::from(greatest);
    }

    /// The greatest value seen.
    pub(crate) fn greatest(&self) -> f32 {
        self.greatest
    }

    /// The greatest value seen, or what one sample in [`RETURN_PERIOD`] passes if the greatest values are
    /// Gumbel distributed, whichever is more.
    pub(crate) fn expected(&self) -> f32 {
        if self.count < 2 {
            return self.greatest;
        }
        let count = self.count as f64;
        let mean = self.sum / count;
        let variance = ((self.squares - mean * self.sum) / (count - 1.0)).max(0.0);
        let spread = libm::sqrt(6.0 * variance) / std::f64::consts::PI;
        let passed = mean + spread * (-libm::log(-libm::log(1.0 - 1.0 / RETURN_PERIOD)) - EULER);
        self.greatest.max(passed as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::Extremes;

    fn expected(values: &[f32]) -> f32 {
        let mut extremes = Extremes::default();
        values.iter().for_each(|&value| extremes.add(value));
        extremes.expected()
    }

    #[test]
    fn values_that_spread_are_expected_to_be_passed() {
        // Mean 3, standard deviation 1.5811: 3 + 1.5811 * sqrt(6) / pi * (4.6001 - 0.5772).
        assert!((expected(&[1.0, 2.0, 3.0, 4.0, 5.0]) - 7.959).abs() < 0.001);
    }

    #[test]
    fn what_was_seen_is_expected() {
        assert_eq!(expected(&[2.0, 2.0, 2.0]), 2.0);
        assert_eq!(expected(&[7.0]), 7.0);
        let mut outlier = vec![1.0; 999];
        outlier.push(50.0);
        assert_eq!(expected(&outlier), 50.0);
    }
}
