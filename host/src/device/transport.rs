//! Bytes to a device and back, with a limit on waiting.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

/// Carries bytes to a device and back.
pub trait Transport: Send {
    /// Sends bytes.
    ///
    /// # Errors
    ///
    /// When the other end is gone.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The next byte.
    ///
    /// # Errors
    ///
    /// `TimedOut` when none arrived before `deadline`, `UnexpectedEof` when the other end is gone.
    fn next_byte(&mut self, deadline: Instant) -> io::Result<u8>;
}

/// A pair of pipes, or any reader and writer: a thread reads, so that waiting can end.
#[derive(Debug)]
pub struct Pipes<W> {
    to_device: W,
    from_device: Receiver<io::Result<Vec<u8>>>,
    arrived: std::vec::IntoIter<u8>,
}

const READ_BYTES: usize = 4096;

impl<W: Write + Send> Pipes<W> {
    /// Sends through `to_device` and receives from `from_device`.
    pub fn new(to_device: W, mut from_device: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        // The thread ends when the device closes its end or this one is dropped.
        thread::spawn(move || {
            let mut buffer = vec![0; READ_BYTES];
            loop {
                let arrived = match from_device.read(&mut buffer) {
                    Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(length) => Ok(buffer[..length].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let ended = arrived.is_err();
                if sender.send(arrived).is_err() || ended {
                    return;
                }
            }
        });
        Self { to_device, from_device: receiver, arrived: Vec::new().into_iter() }
    }
}

impl<W: Write + Send> Transport for Pipes<W> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to_device.write_all(bytes)?;
        self.to_device.flush()
    }

    fn next_byte(&mut self, deadline: Instant) -> io::Result<u8> {
        loop {
            if let Some(byte) = self.arrived.next() {
                return Ok(byte);
            }
            let patience = deadline.saturating_duration_since(Instant::now());
            self.arrived = match self.from_device.recv_timeout(patience) {
                Ok(arrived) => arrived?.into_iter(),
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::TimedOut.into()),
                Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
    }
}
