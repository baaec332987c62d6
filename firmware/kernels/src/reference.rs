//! The kernels that define every result, in safe Rust, one operator a file.
//!
//! A kernel takes the record and the regions of its operands. With the lengths that
//! `Record::operands` gives, no value of any field makes it panic or loop beyond its data.

pub mod arg_extreme;
pub mod batch_mat_mul;
pub mod binary;
pub mod conv2d;
pub mod conv2d16;
pub mod cumulative_sum;
pub mod depthwise_conv2d;
pub mod div;
pub mod elementwise;
pub mod fully_connected;
pub mod gather;
pub mod interpolate16;
pub mod leaky_relu16;
pub mod log_softmax;
pub mod lookup;
pub mod lstm;
pub mod mean;
pub mod movement;
pub mod non_max_suppression;
pub mod pool2d;
pub mod recurrent;
pub mod requantize;
pub mod resize_bilinear;
pub mod sigmoid16;
pub mod softmax;
mod sums;
pub mod svdf;
pub mod top_indices;
pub mod transpose_conv2d;
pub mod unary;
mod walk;
pub(crate) mod window;
