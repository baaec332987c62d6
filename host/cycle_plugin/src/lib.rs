//! A plugin for QEMU's emulators: counts the instructions that a program executes between two of its
//! functions, and models the cycles that a core takes for them.
//!
//! `-plugin LIBRARY,model=cortex-m4,start=ADDRESS,stop=ADDRESS,windows=FILE`: from each entry of the function
//! at `start` to the next entry of that at `stop` is a window, and each appends a line to FILE: the instructions
//! executed and the cycles modelled, `12 17`.
// Tests, and systems whose QEMU takes no such library, only use the models.
#![cfg_attr(any(test, not(target_os = "linux")), allow(dead_code))]

mod cortex_m4;
mod options;
#[cfg(all(target_os = "linux", not(test)))]
mod plugin;
#[cfg(all(target_os = "linux", not(test)))]
mod qemu;
