//! The key whose models an image runs. Without one of its features it runs everybody's.
//!
//! `EDGEPKG_TRUSTED_KEY` gives the public key when the image is built, 64 hexadecimal digits, and `EDGEPKG_LEAST_COUNTER` the lowest
//! counter of a model that runs; 0 if it is not said.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(feature = "salty", feature = "dalek"))]
mod key;

/// Whose models the image runs.
#[cfg(any(feature = "salty", feature = "dalek"))]
pub fn trust() -> impl edgepkg_runtime::server::Trust {
    key::trust()
}

/// Whose models the image runs: everybody's.
#[cfg(not(any(feature = "salty", feature = "dalek")))]
pub fn trust() -> impl edgepkg_runtime::server::Trust {
    edgepkg_runtime::server::Anyone
}
