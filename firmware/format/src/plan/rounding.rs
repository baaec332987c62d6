//! How products with scales are rounded.

use serde::{Deserialize, Serialize};

use super::field::{Field, WordReader, WordWriter};

/// How often the product of an integer and a scale, `x * multiplier * 2^(shift - 31)`, is rounded on its way to
/// an integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u32)]
pub enum Rounding {
    /// After the multiplication and again after a shift to the right, as TensorFlow Lite Micro does by default.
    #[default]
    Twice = 0,
    /// When it is whole, halves up: what ONNX Runtime finds in floats, and rounds. Means of a window, which have
    /// many halves, go to the even one there and here.
    Once = 1,
}

impl Rounding {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Twice, Self::Once];

    /// The name used in reports and messages.
    pub fn name(self) -> &'static str {
        match self {
            Rounding::Twice => "twice",
            Rounding::Once => "once",
        }
    }
}

impl Field for Rounding {
    const WORDS: usize = 1;

    const SOME: Self = Rounding::Twice;

    #[inline(always)]
    fn fill(&mut self, words: &mut WordReader<'_>) -> bool {
        *self = match words.next() {
            0 => Rounding::Twice,
            1 => Rounding::Once,
            _ => return false,
        };
        true
    }

    fn write(&self, words: &mut WordWriter<'_>) {
        words.put(*self as u32);
    }
}
