//! What can be wrong with a record's shapes.

/// A record whose shapes contradict each other, or are too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde-errors", derive(serde::Serialize, serde::Deserialize))]
pub enum GeometryError {
    /// A tensor has more than 2^28 elements, or a window or an output reaches 2^15.
    TooLarge,
    /// A tensor has a type the operator does not take.
    WrongType,
    /// Constant data lies in another space, or an output in the constant one.
    WrongSpace,
    /// Shapes, groups or strides contradict each other, or are 0.
    Inconsistent,
    /// A table of words is not aligned to 4 bytes, or a tensor not to its element.
    Misaligned,
}
