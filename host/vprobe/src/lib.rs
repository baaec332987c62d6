//! A debug probe without hardware.
//!
//! [`VirtualProbe`] sits where the driver of a CMSIS-DAP probe does: above it is probe-rs as it is, flash algorithms
//! included; below it are a debug port and a memory port as Arm specifies them, whose bus, core and flash are an emulated
//! chip's in QEMU. What it does not show: USB, the wire's signals, the time that flash takes and how it wears, and what
//! vendors' chips need to be unlocked.
#![deny(unsafe_code)]
#![cfg(unix)]

mod chip;
mod core;
pub mod debug_port;
mod fault;
mod gdb;
pub mod memory_port;
mod probe;
mod profile;
mod qemu;
mod qtest;
mod store;
mod trace;

use std::io;

pub use chip::Chip;
pub use fault::{Fault, Rule, When};
pub use probe::{SharedChip, VirtualProbe};
pub use profile::{Profile, SIMULATED_CORTEX_M4, SIMULATED_TARGETS};
pub use qemu::Emulation;
pub use trace::{Change, TracedChange};

/// Why a chip cannot be stood in for.
#[derive(Debug, thiserror::Error)]
pub enum ChipError {
    /// The emulator does not start.
    #[error("the emulator `{program}` does not start: {source}")]
    Emulator {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The emulator is gone or does not answer.
    #[error("the emulator is gone: {0}")]
    Lost(io::Error),
    /// The folder of its sockets.
    #[error("cannot write the files for the emulator: {0}")]
    Files(io::Error),
}
