//! Kernels in the instructions of one core, bit-equal to `reference`. A record of a kind that only they
//! compute is made for them by the host.

#[cfg(dsp)]
pub mod armv7em;
