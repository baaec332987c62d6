//! What carries bytes to the host: chosen here and nowhere else.

/// What carries bytes to the host.
#[cfg(feature = "probe")]
pub use crate::rtt::Rtt as Port;
/// What carries bytes to the host.
#[cfg(not(feature = "probe"))]
pub use crate::uart::Uart as Port;
