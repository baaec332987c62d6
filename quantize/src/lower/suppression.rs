//! Boxes chosen by their scores.

use edgepkg_format::plan::NonMaxSuppression;

use super::{Lowering, NodeResult, word};
use crate::graph::{Node, QuantizedTensor, Suppression};
use crate::multiplier::type_range;

impl Lowering<'_> {
    pub(super) fn suppression(&mut self, node: &Node, op: &Suppression) -> NodeResult {
        let [boxes, scores] = [0, 1].map(|position| self.tensor(node.inputs[position]));
        let [batches, classes, count] = [0, 1, 2].map(|axis| word(scores.shape[axis]));
        let record = NonMaxSuppression {
            boxes: self.place(node.inputs[0])?,
            scores: self.place(node.inputs[1])?,
            output: self.allocate(node.output())?,
            batches,
            classes,
            count,
            most: word(op.most),
            form: op.form,
            boxes_zero_point: boxes.quantization.zero_point(),
            least_score: least_score(op.score, scores),
            overlap: overlap_steps(op.overlap),
        };
        self.push(record);
        Ok(())
    }
}

/// The least raw score whose real value is above `score`; one that no score reaches where there is none.
fn least_score(score: Option<f32>, scores: &QuantizedTensor) -> i32 {
    let range = type_range(scores.dtype);
    let Some(least) = score else { return range.min };
    let real = |q: i32| scores.quantization.scale() * q.wrapping_sub(scores.quantization.zero_point()) as f32;
    (range.min..=range.max).find(|&q| real(q) > least).unwrap_or(i32::MAX)
}

/// The least share that rounds, as a quotient of float32, to more than `overlap`, in steps of `2^-30`, rounded up: so that
/// quotients that are `overlap` but for their rounding are not above it, as in floats.
fn overlap_steps(overlap: f32) -> u32 {
    let half_step = (f64::from(overlap.next_up()) - f64::from(overlap)) / 2.0;
    let steps = (f64::from(overlap) + half_step) * f64::from(1 << 30);
    steps.ceil().clamp(0.0, f64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use edgepkg_format::DType;

    use super::{least_score, overlap_steps};
    use crate::graph::{Quantization, QuantizedTensor};

    #[test]
    fn scores_must_be_above_the_least() {
        let scores = QuantizedTensor {
            name: String::new(),
            shape: vec![1, 1, 1],
            dtype: DType::Int8,
            quantization: Quantization::per_tensor(1.0 / 256.0, -128),
            data: None,
        };
        assert_eq!(least_score(None, &scores), -128);
        assert_eq!(least_score(Some(0.0), &scores), -127);
        assert_eq!(least_score(Some(0.5), &scores), 1);
        assert_eq!(least_score(Some(0.4999), &scores), 0);
        assert_eq!(least_score(Some(1.0), &scores), i32::MAX);
    }

    /// Whether `part` of `whole` is more than `overlap`, in the kernel's steps.
    fn is_above(part: u64, whole: u64, overlap: f32) -> bool {
        part << 30 > whole * u64::from(overlap_steps(overlap))
    }

    #[test]
    fn shares_are_compared_as_float_quotients_are() {
        for overlap in [0.0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.6, 2.0 / 3.0, 0.7, 0.75, 0.9, 0.95, 1.0] {
            for whole in 1..2000_u64 {
                for part in [1, whole / 3, whole * 9 / 20, whole / 2, whole * 2 / 3, whole * 3 / 5, whole] {
                    let in_floats = part as f32 / whole as f32 > overlap;
                    assert_eq!(is_above(part, whole, overlap), in_floats, "{part} / {whole} and {overlap}");
                }
            }
        }
    }
}
