//! Constants get back the integers that they were dequantized from.

use std::sync::Arc;

use crate::assign_int8::weights::{Channels, quantize_bias};
use crate::graph::Quantization;

/// What is known of a constant that was dequantized.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    /// One, or one for each channel.
    pub scales: Vec<f32>,
    /// As many, as of int8.
    pub zero_points: Vec<i32>,
    /// The integers less their zero points, where they have 32 bits.
    pub words: Option<Vec<i32>>,
}

/// The greatest relative difference between a bias's scale and the product it should be: that of rounding.
const SAME_SCALE: f32 = 1e-6;

/// The integers whose products with their channel's scale `values` are, bit for bit; `None` where a value
/// is none, or one does not fit int8.
pub(super) fn weights(values: &[f32], channels: &Channels, scales: &[f32]) -> Option<Vec<i8>> {
    let scale = |index: usize| if scales.len() == 1 { scales[0] } else { scales[channels.of(index)] };
    values.iter().enumerate().map(|(index, &value)| offset(value, scale(index)).and_then(fit)).collect()
}

/// The same for a constant in the place of an activation, which has one scale and a zero point.
pub(super) fn activation(values: &[f32], quantization: &Quantization) -> Option<Vec<i8>> {
    let integer =
        |&value: &f32| fit(offset(value, quantization.scale())?.checked_add(quantization.zero_point())?);
    values.iter().map(integer).collect()
}

fn offset(value: f32, scale: f32) -> Option<i32> {
    let offset = (value / scale).round();
    (offset * scale == value).then_some(offset as i32)
}

fn fit(offset: i32) -> Option<i8> {
    i8::try_from(offset).ok()
}

/// A bias in the scales that the sums of products have.
pub(super) struct Bias {
    pub words: Arc<[u8]>,
    /// Whether it is the file's.
    pub is_exact: bool,
}

/// `values` in `scales`: the integers of `given`, where that has been changed by nothing and has these scales.
pub(super) fn bias(values: &[f32], scales: &[f32], given: Option<&Constant>) -> Bias {
    let exact = given.and_then(|given| {
        let words = given.words.as_ref().filter(|words| words.len() == values.len())?;
        let own = |channel: usize| given.scales[channel % given.scales.len()];
        let same = (0..values.len()).all(|channel| {
            words[channel] as f32 * own(channel) == values[channel]
                && (own(channel) - scales[channel]).abs() <= SAME_SCALE * scales[channel]
        });
        same.then(|| words.clone())
    });
    let is_exact = exact.is_some();
    let nearest = |value: i64| value.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    let words = exact.unwrap_or_else(|| quantize_bias(values, scales).into_iter().map(nearest).collect());
    Bias { words: words.into_iter().flat_map(i32::to_le_bytes).collect(), is_exact }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_integer_comes_back_from_its_product_with_a_scale() {
        let channels = Channels::new(&[2, 256], 0);
        let scales = [0.003_921_569, 7.391e-5];
        let integers: Vec<i8> = (0..512).map(|index| (index % 256 - 128) as i8).collect();
        let values: Vec<f32> =
            integers.iter().enumerate().map(|(at, &q)| f32::from(q) * scales[at / 256]).collect();
        assert_eq!(weights(&values, &channels, &scales), Some(integers));
    }

    #[test]
    fn what_is_no_product_has_no_integer() {
        let one = Channels::new(&[1, 1], 0);
        for value in [0.05, f32::NAN, f32::INFINITY, 12.8, -12.9] {
            assert_eq!(weights(&[value], &one, &[0.1]), None, "{value}");
        }
    }

    #[test]
    fn a_bias_keeps_all_its_bits_where_its_scale_is_right() {
        let scales = vec![0.5];
        let given =
            Constant { scales: scales.clone(), zero_points: vec![0], words: Some(vec![(1 << 30) + 1]) };
        let values = [((1 << 30) + 1) as f32 * 0.5];
        let kept = bias(&values, &scales, Some(&given));
        assert_eq!((&*kept.words, kept.is_exact), (&((1 << 30) + 1_i32).to_le_bytes()[..], true));
        let moved = bias(&values, &[0.25], Some(&given));
        assert_eq!((&*moved.words, moved.is_exact), (&i32::MAX.to_le_bytes()[..], false));
    }
}
