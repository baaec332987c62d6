//! Every byte that edgepkg's host tool and its firmware share. `FORMAT.md` is the specification.
//!
//! - [`artifact`]: the flat artifact `*.epa`: header, sections, digest.
//! - [`info`]: its name, version, inputs and outputs.
//! - [`needs`]: what it takes of a program, known when that is compiled.
//! - [`plan`]: its operators, one record each, read in place while they run.
//! - [`linked`]: the operators that a program links, a constant.
//! - [`slot`]: the commit record that makes a model slot on a board valid.
//! - [`link`]: the frames and messages between host and device.
//!
//! Readers are total: on any bytes they return an error or a value whose offsets, lengths and shapes
//! have been checked, and they never panic.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "alloc")]
pub mod aligned;
pub mod artifact;
pub mod info;
pub mod isa;
pub mod link;
pub mod linked;
pub mod needs;
pub mod plan;
pub mod slot;
pub mod tensor;
pub mod trailer;
#[cfg(feature = "alloc")]
pub mod write;

pub use artifact::{Artifact, ArtifactError};
pub use info::{Info, Port};
pub use isa::Isa;
pub use plan::{OperatorKind, Record};
pub use tensor::{DType, Space, TensorRef};
