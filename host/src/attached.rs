//! A runner that is there already, at a serial port or at a TCP address.

use std::fs::File;
use std::io;
use std::net::TcpStream;

use crate::device::transport::{Pipes, Transport};

/// Where a runner is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attached {
    /// A serial port of this computer.
    Serial {
        /// Its name: `/dev/ttyACM0`.
        port: String,
        /// Bits a second.
        baud: u32,
    },
    /// A runner that listens.
    Tcp {
        /// `HOST:PORT`.
        address: String,
    },
}

/// Why a runner is not reached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The serial port.
    #[error("cannot open the serial port `{port}`")]
    Serial {
        /// Its name.
        port: String,
        /// Why.
        source: io::Error,
    },
    /// The connection.
    #[error("cannot connect to `{address}`")]
    Tcp {
        /// Where to.
        address: String,
        /// Why.
        source: io::Error,
    },
}

impl AttachError {
    /// The way out.
    pub fn hint(&self) -> String {
        match self {
            AttachError::Serial { .. } => {
                "see that the board is plugged in, no other program has the port, and it is yours to open (on \
                 Debian and Ubuntu, members of the group `dialout` may)"
                    .to_owned()
            }
            AttachError::Tcp { .. } => {
                "on the other computer, `runner --listen ADDRESS:PORT` waits for a connection".to_owned()
            }
        }
    }
}

impl Attached {
    /// Opens the port or the connection.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(&self) -> Result<Box<dyn Transport>, AttachError> {
        match self {
            Attached::Serial { port, baud } => {
                let failed = |source| AttachError::Serial { port: port.clone(), source };
                let to_device = open_serial(port, *baud).map_err(failed)?;
                let from_device = to_device.try_clone().map_err(failed)?;
                Ok(Box::new(Pipes::new(to_device, from_device)))
            }
            Attached::Tcp { address } => {
                let failed = |source| AttachError::Tcp { address: address.clone(), source };
                let to_device = TcpStream::connect(address).map_err(failed)?;
                to_device.set_nodelay(true).map_err(failed)?;
                let from_device = to_device.try_clone().map_err(failed)?;
                Ok(Box::new(Pipes::new(to_device, from_device)))
            }
        }
    }
}

/// A serial port that carries bytes as they are, at `baud`.
#[cfg(unix)]
fn open_serial(port: &str, baud: u32) -> io::Result<File> {
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

    let file = File::options().read(true).write(true).open(port)?;
    let mut settings = tcgetattr(&file)?;
    settings.make_raw();
    settings.set_speed(baud)?;
    tcsetattr(&file, OptionalActions::Flush, &settings)?;
    Ok(file)
}

#[cfg(not(unix))]
fn open_serial(_port: &str, _baud: u32) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}
