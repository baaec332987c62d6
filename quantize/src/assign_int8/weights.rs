//! Weights and biases as integers.

use edgepkg_format::DType;

use super::parameters::LEAST_SCALE;

/// The greatest magnitude of a weight: symmetric, so that -128 is not used.
pub(super) const WEIGHT_MAX: f32 = 127.0;
/// The greatest magnitude of a bias of int32 or int64. What these hold beyond it is left to the products.
pub(super) const fn greatest_bias(bias: DType) -> f32 {
    match bias {
        DType::Int64 => (1u64 << 45) as f32,
        _ => (1 << 30) as f32,
    }
}

/// Where the output channels lie in weights.
pub(crate) struct Channels {
    /// How many.
    pub(crate) count: usize,
    /// Elements from one to the next.
    stride: usize,
}

impl Channels {
    /// Those of weights of `shape`, along `axis`.
    pub(crate) fn new(shape: &[usize], axis: usize) -> Self {
        Self { count: shape[axis], stride: shape[axis + 1..].iter().product() }
    }

    /// The output channel of element `index`.
    pub(crate) fn of(&self, index: usize) -> usize {
        index / self.stride % self.count
    }
}

/// A scale for each output channel, such that weights fit 8 bits and the bias is at most `greatest_bias`.
pub(super) fn scales(
    values: &[f32],
    channels: &Channels,
    bias: &[f32],
    input_scale: f32,
    greatest_bias: f32,
) -> Vec<f32> {
    let mut greatest = vec![0.0_f32; channels.count];
    for (index, value) in values.iter().enumerate() {
        let greatest = &mut greatest[channels.of(index)];
        if value.abs() > *greatest {
            *greatest = value.abs();
        }
    }
    greatest
        .iter()
        .zip(bias)
        .map(|(greatest, bias)| {
            (greatest / WEIGHT_MAX).max(bias.abs() / input_scale / greatest_bias).max(LEAST_SCALE)
        })
        .collect()
}

/// `values` in the scales of their channels.
pub(super) fn quantize(values: &[f32], channels: &Channels, scales: &[f32]) -> Vec<i8> {
    values
        .iter()
        .enumerate()
        .map(|(index, value)| {
            (value / scales[channels.of(index)]).round().clamp(-WEIGHT_MAX, WEIGHT_MAX) as i8
        })
        .collect()
}

/// What quantization adds to each weight.
pub(super) fn errors(values: &[f32], channels: &Channels, scales: &[f32], quantized: &[i8]) -> Vec<f32> {
    values
        .iter()
        .zip(quantized)
        .enumerate()
        .map(|(index, (value, &q))| scales[channels.of(index)] * f32::from(q) - value)
        .collect()
}

/// `bias` in its scales.
pub(crate) fn quantize_bias(bias: &[f32], scales: &[f32]) -> Vec<i64> {
    bias.iter()
        .zip(scales)
        .map(|(bias, scale)| (f64::from(*bias) / f64::from(*scale)).round() as i64)
        .collect()
}

#[cfg(test)]
mod tests {
    use edgepkg_format::DType;

    use super::{Channels, errors, greatest_bias, quantize, quantize_bias, scales};

    const INT32: f32 = greatest_bias(DType::Int32);

    #[test]
    fn channels_have_scales_of_their_own() {
        let rows = Channels::new(&[2, 1, 1, 2], 0);
        let values = [12.7, -6.35, 0.0, 1.27];
        let own = scales(&values, &rows, &[0.0, 0.0], 1.0, INT32);
        assert_eq!(quantize(&values, &rows, &own), [127, -64, 0, 127]);
        let columns = Channels::new(&[1, 1, 2, 2], 3);
        let own = scales(&values, &columns, &[0.0, 0.0], 1.0, INT32);
        assert_eq!(quantize(&values, &columns, &own), [127, -127, 0, 25]);
    }

    #[test]
    fn a_bias_that_does_not_fit_widens_the_scale() {
        let one = Channels::new(&[1, 1], 0);
        let own = scales(&[1e-9], &one, &[100.0], 0.5, INT32);
        let bias = quantize_bias(&[100.0], &[0.5 * own[0]]);
        assert!((bias[0] - (1i64 << 30)).abs() < 1 << 8, "{}", bias[0]);
        assert_eq!(quantize(&[1e-9], &one, &own), [0]);
    }

    #[test]
    fn errors_are_what_quantization_adds() {
        let one = Channels::new(&[1, 2], 0);
        assert_eq!(errors(&[127.0, 1.25], &one, &[1.0], &[127, 1]), [0.0, -0.25]);
    }
}
