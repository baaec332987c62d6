//! The kernels that define every result, in safe Rust, one operator a file.
//!
//! A kernel takes the record and the regions of its operands. With the lengths that
//! `Record::operands` gives, no value of any field makes it panic or loop beyond its data.

pub mod conv2d;
pub mod depthwise_conv2d;
pub mod elementwise;
pub mod fully_connected;
pub mod gather;
pub mod lookup;
pub mod mean;
pub mod movement;
pub mod pool2d;
pub mod requantize;
pub mod softmax;
mod sums;
pub mod unary;
mod walk;
pub(crate) mod window;
