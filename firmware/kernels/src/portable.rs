//! Kernels in vectors of 16 bytes, which hosts have: what the board `host` runs.
//!
//! They compute what `reference` defines, bit for bit: sums wrap, so their order is free. What does not fit
//! them is the reference's.

pub mod conv2d;
pub mod depthwise_conv2d;
mod dot;
pub mod elementwise;
pub mod fully_connected;
mod gather;
mod outputs;
