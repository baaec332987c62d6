//! What is asked of tensors of one type or the other.

use edgepkg_format::DType;

use super::{Checked, ensure};
use crate::graph::{FloatTensor, QuantizedTensor, Tensor};
use crate::multiplier::exponent_of_state;

/// What is wrong with an operator that keeps floats.
const KEEPS: &str = "keeps floats between runs, which is not supported";

/// A tensor that operators read and write.
pub trait Operand: Tensor {
    /// Whether its data has a value for each of `elements`, and its type says what they mean.
    ///
    /// # Errors
    ///
    /// What is wrong, as the sentence goes on.
    fn check_content(&self, elements: usize) -> Checked;

    /// Whether it may move between operators.
    ///
    /// # Errors
    ///
    /// What is wrong, as the sentence goes on.
    fn check_activation(&self) -> Checked;

    /// Whether it may hold indices.
    ///
    /// # Errors
    ///
    /// What is wrong, as the sentence goes on.
    fn check_indices(&self) -> Checked;

    /// Whether it has the type that every operator takes.
    fn is_narrow(&self) -> bool;

    /// Whether it has the element type of `other`.
    fn has_type_of(&self, other: &Self) -> bool;

    /// Whether it has the scale and the zero point of `other`.
    fn has_steps_of(&self, other: &Self) -> bool;

    /// Whether it may say what is and what is not.
    ///
    /// # Errors
    ///
    /// What is wrong, as the sentence goes on.
    fn check_truths(&self) -> Checked;

    /// Whether it may be weights whose outputs lie along `axis`.
    ///
    /// # Errors
    ///
    /// What is wrong with the operator that reads it, as the sentence goes on.
    fn check_weights(&self, axis: usize) -> Checked;

    /// Whether it has one scale.
    ///
    /// # Errors
    ///
    /// What is wrong with the operator that reads it, as the sentence goes on.
    fn check_scale(&self) -> Checked;

    /// Whether it may be what an operator keeps from run to run.
    ///
    /// # Errors
    ///
    /// What is wrong with the operator, as the sentence goes on.
    fn check_variable(&self) -> Checked;

    /// Whether it may be weights of features of `state`, by time.
    ///
    /// # Errors
    ///
    /// What is wrong with the operator, as the sentence goes on.
    fn check_times(&self, state: &Self) -> Checked;

    /// Whether it may be the cells of a long short-term memory.
    ///
    /// # Errors
    ///
    /// What is wrong with the operator, as the sentence goes on.
    fn check_cells(&self) -> Checked;

    /// Whether it may be the hidden state or the cells of a recurrent layer.
    ///
    /// # Errors
    ///
    /// What is wrong with the operator, as the sentence goes on.
    fn check_recurrent_state(&self) -> Checked;

    /// Whether it may be a bias of a layer that reads `x`.
    ///
    /// # Errors
    ///
    /// What is wrong with the operator that reads it, as the sentence goes on.
    fn check_bias(&self, x: &Self) -> Checked;

    /// Whether it may be a bias of sums of 32 bits.
    ///
    /// # Errors
    ///
    /// What is wrong with the operator that reads it, as the sentence goes on.
    fn check_narrow_bias(&self) -> Checked;
}

impl Operand for QuantizedTensor {
    fn check_content(&self, elements: usize) -> Checked {
        let bytes = self.dtype.bytes(elements as u32).ok_or("is larger than 4 GiB")? as usize;
        if let Some(data) = &self.data {
            ensure(data.len() == bytes, "has more or less data than its shape")?;
        }
        let quantization = &self.quantization;
        let count = quantization.scales.len();
        ensure(count >= 1, "has no scale")?;
        ensure(quantization.zero_points.len() == count, "has more or less zero points than scales")?;
        let per_axis = self.shape.get(quantization.axis) == Some(&count);
        ensure(count == 1 || per_axis, "has more or less scales than its axis is long")?;
        ensure(
            quantization.scales.iter().all(|scale| scale.is_finite() && *scale > 0.0),
            "has a scale that is not positive",
        )?;
        let range = match self.dtype {
            DType::Int4 => -8..=7,
            DType::Int8 => i32::from(i8::MIN)..=i32::from(i8::MAX),
            DType::Int16 => i32::from(i16::MIN)..=i32::from(i16::MAX),
            DType::Int32 | DType::Int64 => i32::MIN..=i32::MAX,
        };
        ensure(
            quantization.zero_points.iter().all(|zero_point| range.contains(zero_point)),
            "has a zero point outside its type",
        )
    }

    /// int8 or int16 with one scale.
    fn check_activation(&self) -> Checked {
        ensure(matches!(self.dtype, DType::Int8 | DType::Int16), "is neither int8 nor int16")?;
        ensure(self.quantization.scales.len() == 1, "has more than one scale")
    }

    /// int32 that stand for themselves.
    fn check_indices(&self) -> Checked {
        ensure(self.dtype == DType::Int32, "is not int32")?;
        let quantization = &self.quantization;
        ensure(quantization.scales == [1.0] && quantization.zero_points == [0], "has a scale")
    }

    fn is_narrow(&self) -> bool {
        self.dtype == DType::Int8
    }

    fn has_type_of(&self, other: &Self) -> bool {
        self.dtype == other.dtype
    }

    fn has_steps_of(&self, other: &Self) -> bool {
        self.quantization.scales == other.quantization.scales
            && self.quantization.zero_points == other.quantization.zero_points
    }

    /// 0 and 1 that stand for themselves.
    fn check_truths(&self) -> Checked {
        self.check_activation()?;
        let quantization = &self.quantization;
        ensure(quantization.scales == [1.0] && quantization.zero_points == [0], "has a scale")
    }

    fn check_weights(&self, axis: usize) -> Checked {
        ensure(self.dtype == DType::Int8 && self.data.is_some(), "has weights that are no int8 constant")?;
        let per_channel = self.quantization.scales.len() == 1 || self.quantization.axis == axis;
        ensure(per_channel, "has weights with scales along another axis than its outputs")
    }

    fn check_scale(&self) -> Checked {
        ensure(self.quantization.scales.len() == 1, "has weights with more than one scale")
    }

    fn check_variable(&self) -> Checked {
        let is_one = self.check_activation().is_ok() && self.data.is_some();
        ensure(is_one, "has a variable that is not int8 or int16 with one scale and an initial value")
    }

    fn check_times(&self, state: &Self) -> Checked {
        let is_sound = self.check_variable().is_ok() && self.dtype == state.dtype;
        ensure(is_sound, "has weights of time that are no constant of the type of its state")
    }

    fn check_cells(&self) -> Checked {
        self.check_variable()?;
        let is_sound = self.dtype == DType::Int16 && self.quantization.zero_points == [0];
        ensure(is_sound, "has cells that are not int16 with the zero point 0")
    }

    fn check_recurrent_state(&self) -> Checked {
        let exponent = self.quantization.scales.first().and_then(|&scale| exponent_of_state(scale));
        let is_sound = self.dtype == DType::Int16 && self.quantization.zero_points == [0];
        ensure(
            is_sound && exponent.is_some(),
            "has a state that is not int16 with the zero point 0 and a power of two of at least 2^-15 for a scale",
        )
    }

    fn check_bias(&self, x: &Self) -> Checked {
        ensure(self.data.is_some(), "has a bias that is not constant")?;
        match x.dtype {
            DType::Int16 => ensure(
                matches!(self.dtype, DType::Int16 | DType::Int32 | DType::Int64),
                "has a bias that is none of int16, int32 and int64",
            ),
            _ => self.check_narrow_bias(),
        }
    }

    fn check_narrow_bias(&self) -> Checked {
        let is_one = self.dtype == DType::Int32 && self.data.is_some();
        ensure(is_one, "has a bias that is no int32 constant")
    }
}

impl Operand for FloatTensor {
    fn check_content(&self, elements: usize) -> Checked {
        let Some(data) = &self.data else { return Ok(()) };
        ensure(data.len() == elements, "has more or less data than its shape")?;
        ensure(data.iter().all(|value| value.is_finite()), "has a value that is not finite")
    }

    fn check_activation(&self) -> Checked {
        Ok(())
    }

    fn check_indices(&self) -> Checked {
        Ok(())
    }

    fn is_narrow(&self) -> bool {
        true
    }

    fn has_type_of(&self, _: &Self) -> bool {
        true
    }

    fn has_steps_of(&self, _: &Self) -> bool {
        true
    }

    fn check_truths(&self) -> Checked {
        Ok(())
    }

    fn check_weights(&self, _: usize) -> Checked {
        ensure(self.data.is_some(), "has weights that are not constant")
    }

    fn check_scale(&self) -> Checked {
        Ok(())
    }

    fn check_variable(&self) -> Checked {
        ensure(self.data.is_some(), "has a variable without an initial value")
    }

    fn check_times(&self, _: &Self) -> Checked {
        Err(KEEPS)
    }

    fn check_cells(&self) -> Checked {
        Err(KEEPS)
    }

    fn check_recurrent_state(&self) -> Checked {
        Ok(())
    }

    fn check_narrow_bias(&self) -> Checked {
        self.check_bias(self)
    }

    fn check_bias(&self, _: &Self) -> Checked {
        ensure(self.data.is_some(), "has a bias that is not constant")
    }
}
