//! The device link over RTT: buffers in the chip's RAM, which the probe reads and writes while the core runs.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use probe_rs::MemoryInterface as _;
use probe_rs::rtt::{Error as RttError, Rtt, ScanRegion};

use super::connection::{CORE, Connection, HALT_TIMEOUT};
use super::error::{Cause, DeployError};
use crate::device::transport::Transport;

/// How long a runner may take to have its buffers ready after a reset.
const READY_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a runner may take to make room for what is sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Between looks that find nothing: at first none, then this.
const PAUSE: Duration = Duration::from_micros(500);
const READ_BYTES: usize = 1024;
/// The identifier of a control block, and where it is one no more.
const IDENTIFIER_BYTES: usize = 16;

/// Bytes to a runner and back, through the probe.
pub struct RttTransport {
    connection: Connection,
    rtt: Rtt,
    arrived: VecDeque<u8>,
}

impl Connection {
    /// Resets the chip and waits for its runner, whose control block lies at `control_block`.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    pub fn start_runner(mut self, control_block: u64) -> Result<RttTransport, DeployError> {
        let no_runner = |board: String, cause: Cause| DeployError::NoRunner { board, cause };
        // What an earlier program left there would be taken for the runner's.
        let cleared = self.halt().and_then(|()| {
            let mut core = self.session.core(CORE)?;
            core.write_8(control_block, &[0; IDENTIFIER_BYTES])?;
            core.reset()
        });
        cleared.map_err(|error| no_runner(self.board.clone(), Cause::of(&error)))?;
        self.attach_runner(&ScanRegion::Exact(control_block))
    }

    /// Resets the chip and waits for the runner that is there, wherever in RAM its control block lies.
    ///
    /// # Errors
    ///
    /// Where none starts.
    pub fn restart_runner(mut self) -> Result<RttTransport, DeployError> {
        let ram = self.ram.clone();
        let failed = |board: &str, cause: Cause| DeployError::NoRunner { board: board.to_owned(), cause };
        let cleared = self.session.core(CORE).map_err(RttError::Probe).and_then(|mut core| {
            core.halt(HALT_TIMEOUT)?;
            Rtt::clear_control_block(&mut core, &ram)?;
            Ok(core.reset()?)
        });
        match cleared {
            Ok(()) | Err(RttError::ControlBlockNotFound) => {}
            Err(error) => return Err(failed(&self.board, Cause::of(&error))),
        }
        self.attach_runner(&ram)
    }

    /// Goes on with the runner that is there, looking for its control block in `region`.
    pub(super) fn attach_runner(mut self, region: &ScanRegion) -> Result<RttTransport, DeployError> {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            let attached = match self.session.core(CORE) {
                Ok(mut core) => Rtt::attach_region(&mut core, region),
                Err(error) => Err(RttError::Probe(error)),
            };
            match attached {
                Ok(rtt) => return Ok(RttTransport { connection: self, rtt, arrived: VecDeque::new() }),
                Err(RttError::Probe(error)) => {
                    let cause = Cause::of(&error);
                    return Err(DeployError::NoRunner { board: self.board, cause });
                }
                Err(_) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                Err(error) => {
                    let cause = Cause::of(&error);
                    return Err(DeployError::NoRunner { board: self.board, cause });
                }
            }
        }
    }
}

impl RttTransport {
    /// The connection, for other things than talking.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    fn look(&mut self) -> Result<(), RttError> {
        let mut core = self.connection.session.core(CORE)?;
        let mut bytes = [0; READ_BYTES];
        let channel = self.rtt.up_channel(0).ok_or_else(|| RttError::MissingChannel(0))?;
        let length = channel.read(&mut core, &mut bytes)?;
        self.arrived.extend(&bytes[..length]);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, RttError> {
        let mut core = self.connection.session.core(CORE)?;
        let channel = self.rtt.down_channel(0).ok_or_else(|| RttError::MissingChannel(0))?;
        channel.write(&mut core, bytes)
    }
}

fn gone(error: &RttError) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, Cause::of(error).to_string())
}

impl Transport for RttTransport {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let deadline = Instant::now() + SEND_TIMEOUT;
        let mut rest = bytes;
        while !rest.is_empty() {
            let sent = self.write(rest).map_err(|error| gone(&error))?;
            rest = &rest[sent..];
            if sent == 0 {
                if Instant::now() > deadline {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    fn next_byte(&mut self, deadline: Instant) -> io::Result<u8> {
        loop {
            if let Some(byte) = self.arrived.pop_front() {
                return Ok(byte);
            }
            self.look().map_err(|error| gone(&error))?;
            if self.arrived.is_empty() {
                if Instant::now() > deadline {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
}
