//! Executes artifacts where they lie: `no_std`, no allocation, in the caller's arena.
//!
//! A firmware that embeds a model links its operators and no others: [`built_model!`] takes in what the build script made of a
//! model file (`edgepkg_quantize::build`), [`embed_model!`] an artifact. One that takes models as they come
//! ([`Model::parse`]) links all.
//!
//! ```
//! use edgepkg_runtime::{Arena, embed_model};
//!
//! embed_model!(Keywords = "../tests/data/kws.epa");
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # let sample = [0; 490];
//! let mut arena = Arena::<{ Keywords::ARENA_BYTES }>::new();
//! let mut session = Keywords::MODEL.session(&mut arena)?;
//! session.input(0)?.copy_from_i8(&sample)?;
//! session.run()?;
//! let scores = session.output(0)?;
//! let best = scores.argmax();
//! let real = scores.quantization().dequantize(scores.as_i8()[best].into());
//! assert!((0.0..=1.0).contains(&real));
//! # Ok(())
//! # }
//! ```
//!
//! # In a program
//!
//! - Nothing here blocks, waits or uses an interrupt: a session is called from `main`, from an interrupt of low priority, or
//!   from a task. [`Session::step`] runs one operator, for programs with a watchdog, a deadline or other tasks; in an async
//!   task `while session.step()?.is_some() { yield_now().await }` lets the others go on in between.
//! - Inputs and outputs are slices of the arena ([`TensorMut::as_i8_mut`], [`Tensor::as_i8`]), so what makes features can write
//!   them in place.
//! - Models that run one after the other share an [`Arena`].
//! - After [`Model::parse`] nothing panics, whatever the model's bytes are.
//!
//! # Features
//!
//! None is on by default. `defmt`: errors and what observers see can be logged. `serde`: errors and [`Quantization`] can be
//! serialized.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod arena;
mod embed;
mod error;
mod model;
mod observer;
pub mod operator;
mod quantization;
pub mod server;
mod session;
mod tensor;

pub use arena::{Arena, greatest};
pub use edgepkg_kernels::ISA;
pub use error::{ModelError, RunError, SessionError, TensorError};
pub use model::Model;
pub use observer::{Observer, Step};
pub use quantization::Quantization;
pub use session::{Progress, Session};
pub use tensor::{Tensor, TensorMut};

pub use edgepkg_format as format;
