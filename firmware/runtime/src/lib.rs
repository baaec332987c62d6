//! Executes artifacts where they lie: `no_std`, no allocation, in the caller's arena.
//!
//! A firmware that embeds a model ([`embed_model!`]) links its operators and no others; one that takes models as they come
//! ([`Model::parse`]) links all.
//!
//! ```no_run
//! use edgepkg_runtime::{Arena, Model, include_model};
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # const ARENA_BYTES: usize = 1024;
//! # static ARTIFACT: &[u8] = &[];
//! # let sample = [0; 490];
//! let model = Model::parse(ARTIFACT)?; // ARTIFACT = include_model!("kws.epa")
//! let mut arena = Arena::<{ ARENA_BYTES }>::new();
//! let mut session = model.session(&mut arena)?;
//! session.input(0)?.copy_from_i8(&sample)?;
//! session.run()?;
//! let scores = session.output(0)?;
//! for score in scores.values_i8() {
//!     let real = scores.scale() * f32::from(i16::from(score) - scores.zero_point() as i16);
//! #   let _ = real;
//! }
//! # Ok(())
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod arena;
mod error;
mod model;
mod observer;
pub mod server;
mod session;
mod tensor;

pub use arena::Arena;
pub use edgepkg_kernels::ISA;
pub use error::{ModelError, RunError, SessionError, TensorError};
pub use model::Model;
pub use observer::{Observer, Step};
pub use session::Session;
pub use tensor::{Tensor, TensorMut};

pub use edgepkg_format as format;
