//! Executes artifacts: `no_std`, no allocation, in the caller's arena.
#![no_std]
#![forbid(unsafe_code)]
