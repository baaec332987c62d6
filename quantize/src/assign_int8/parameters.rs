//! Scale and zero point of a range, and values in them.

use edgepkg_format::DType;
use edgepkg_format::plan::Clamp;

use crate::calibrate::{Lattice, Range};
use crate::graph::{Op, Quantization};
use crate::multiplier::{GREATEST_STATE_EXPONENT, scale_of_state, type_range};

/// The least scale of an activation or of weights, so that the product of two is a normal float32.
pub(super) const LEAST_SCALE: f32 = 1.0 / (1_u64 << 60) as f32;

/// int8 over `range`, widened to hold 0, which is represented exactly.
///
/// A tensor that was 0 throughout calibration gets [-1, 1].
pub(crate) fn of_range(range: Range) -> Quantization {
    let range = match range.including(0.0) {
        Range { min: 0.0, max: 0.0 } => Range { min: -1.0, max: 1.0 },
        range => range,
    };
    let scale = ((f64::from(range.max) - f64::from(range.min)) / 255.0) as f32;
    let scale = scale.max(LEAST_SCALE);
    let zero_point = (-128.0 - f64::from(range.min) / f64::from(scale)).round();
    Quantization::per_tensor(scale, zero_point.clamp(-128.0, 127.0) as i32)
}

/// int16 over `range`, 0 in its middle.
pub(super) fn of_range_int16(range: Range) -> Quantization {
    let greatest = f64::from(range.max).max(-f64::from(range.min));
    let greatest = if greatest > 0.0 { greatest } else { 1.0 };
    Quantization::per_tensor(((greatest / f64::from(i16::MAX)) as f32).max(LEAST_SCALE), 0)
}

/// int16 over `range`, with 0 in its middle and a power of two for a scale: what recurrent layers keep.
pub(super) fn of_state(range: Range) -> Quantization {
    let holds = |exponent: &u32| range.max.max(-range.min) <= scale_of_state(*exponent) * 32_768.0;
    let exponent = (0..=GREATEST_STATE_EXPONENT).find(holds).unwrap_or(GREATEST_STATE_EXPONENT);
    Quantization::per_tensor(scale_of_state(exponent), 0)
}

/// As [`prescribed`], of an output of int16.
pub(super) fn prescribed_int16(op: &Op) -> Option<Quantization> {
    match op {
        Op::Softmax { .. } | Op::Logistic | Op::Tanh => Some(Quantization::per_tensor(1.0 / 32_768.0, 0)),
        op if op.writes_truths() => Some(truths()),
        _ => None,
    }
}

/// The parameters that an operator's arithmetic gives its output; `None` where it takes any.
pub(crate) fn prescribed(op: &Op) -> Option<Quantization> {
    match op {
        Op::Softmax { .. } | Op::Logistic => Some(Quantization::per_tensor(1.0 / 256.0, -128)),
        Op::LogSoftmax => Some(Quantization::per_tensor(1.0 / 16.0, 127)),
        op if op.writes_indices() => Some(indices()),
        op if op.writes_truths() => Some(truths()),
        Op::Tanh => Some(Quantization::per_tensor(1.0 / 128.0, 0)),
        _ => None,
    }
}

/// What indices stand for: themselves.
pub(super) fn indices() -> Quantization {
    Quantization::per_tensor(1.0, 0)
}

/// What 0 and 1 stand for where they say what is: themselves.
pub(super) fn truths() -> Quantization {
    Quantization::per_tensor(1.0, 0)
}

/// Whether `values` are integers of `dtype` in `quantization`, to a thousandth of a step.
pub(super) fn holds_exactly(quantization: &Quantization, dtype: DType, values: &[f32]) -> bool {
    let Clamp { min, max } = type_range(dtype);
    values.iter().all(|&value| {
        let steps = f64::from(value) / f64::from(quantization.scale());
        let nearest = steps.round();
        let raw = nearest + f64::from(quantization.zero_point());
        (steps - nearest).abs() < 1e-3 && raw >= f64::from(min) && raw <= f64::from(max)
    })
}

/// int8 over `range` and its negatives, with zero point 0.
pub(super) fn symmetric(range: Range) -> Quantization {
    let greatest = range.max.max(-range.min);
    let scale = if greatest > 0.0 { greatest / 127.0 } else { 1.0 };
    Quantization::per_tensor(scale.max(LEAST_SCALE), 0)
}

/// The grid that an input's values lie on already.
pub(super) fn of_lattice(lattice: &Lattice) -> Quantization {
    Quantization::per_tensor(lattice.step.max(LEAST_SCALE), lattice.zero_point())
}

/// The reals that `dtype` has in `quantization`.
pub(super) fn range_of(quantization: &Quantization, dtype: DType) -> Range {
    let Clamp { min, max } = type_range(dtype);
    let real = |q: i32| quantization.scale() * (q - quantization.zero_point()) as f32;
    Range { min: real(min), max: real(max) }
}

#[cfg(test)]
mod tests {
    use super::{Range, of_range, of_range_int16, of_state};
    use crate::graph::Quantization;

    #[test]
    fn ranges_of_int16_are_centred() {
        let scale = |min: f32, max: f32| of_range_int16(Range { min, max });
        assert_eq!(scale(0.0, 32_767.0), Quantization::per_tensor(1.0, 0));
        assert_eq!(scale(-65_534.0, 3.0), Quantization::per_tensor(2.0, 0));
        assert_eq!(scale(0.0, 0.0), scale(-1.0, 0.5));
    }

    #[test]
    fn states_have_powers_of_two() {
        let scale = |min: f32, max: f32| of_state(Range { min, max }).scale() * 32_768.0;
        assert_eq!([scale(-1.0, 0.5), scale(0.0, 1.1), scale(-4.0, 3.9)], [1.0, 2.0, 4.0]);
        assert_eq!(scale(-1e9, 0.0), 32_768.0);
    }

    #[test]
    fn ranges_hold_zero_exactly() {
        let parameters = |min: f32, max: f32| of_range(Range { min, max });
        assert_eq!(parameters(0.0, 25.5), Quantization::per_tensor(0.1, -128));
        assert_eq!(parameters(5.0, 25.5), Quantization::per_tensor(0.1, -128));
        assert_eq!(parameters(-25.5, -5.0), Quantization::per_tensor(0.1, 127));
        assert_eq!(parameters(-1.0, 1.0), Quantization::per_tensor(2.0 / 255.0, -1));
        assert_eq!(parameters(0.0, 0.0), parameters(-1.0, 1.0));
    }
}
