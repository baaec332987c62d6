//! What carries bytes to the host: chosen here and nowhere else.

/// Whether a debug probe carries them, and writes the model too; else a serial port does.
pub const PROBED: bool = cfg!(feature = "probe");

/// What carries bytes to the host.
#[cfg(feature = "probe")]
pub use crate::rtt::Rtt as Port;
/// What carries bytes to the host.
#[cfg(not(feature = "probe"))]
pub use crate::uart::Uart as Port;
