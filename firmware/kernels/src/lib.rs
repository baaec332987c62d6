//! int8 operators. `reference` is safe Rust and defines every result.
#![no_std]
#![forbid(unsafe_code)]

pub mod isa;

pub use isa::ISA;
