//! A client of QEMU's test protocol: accesses of the machine's bus, as a bus master makes them, while the core runs or
//! stands still.

use std::io::{self, BufRead as _, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of one access, and with them the longest answer.
const ACCESS_LIMIT_BYTES: usize = 64 << 10;

/// A connection.
#[derive(Debug)]
pub struct Qtest {
    stream: BufReader<UnixStream>,
}

impl Qtest {
    /// Takes over `stream`.
    ///
    /// # Errors
    ///
    /// Where it takes no time limit.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Reads from `address` on.
    ///
    /// # Errors
    ///
    /// Where QEMU is gone.
    pub fn read(&mut self, address: u32, bytes: &mut [u8]) -> io::Result<()> {
        let pieces = (address..).step_by(ACCESS_LIMIT_BYTES).zip(bytes.chunks_mut(ACCESS_LIMIT_BYTES));
        for (address, piece) in pieces {
            let answer = self.ask(&format!("b64read {address:#x} {:#x}", piece.len()))?;
            match BASE64_STANDARD.decode(&answer) {
                Ok(read) if read.len() == piece.len() => piece.copy_from_slice(&read),
                _ => return Err(broken(&answer)),
            }
        }
        Ok(())
    }

    /// Writes from `address` on.
    ///
    /// # Errors
    ///
    /// Where QEMU is gone.
    pub fn write(&mut self, address: u32, bytes: &[u8]) -> io::Result<()> {
        let pieces = (address..).step_by(ACCESS_LIMIT_BYTES).zip(bytes.chunks(ACCESS_LIMIT_BYTES));
        for (address, piece) in pieces {
            self.ask(&format!("b64write {address:#x} {:#x} {}", piece.len(), BASE64_STANDARD.encode(piece)))?;
        }
        Ok(())
    }

    fn ask(&mut self, command: &str) -> io::Result<String> {
        self.stream.get_mut().write_all(format!("{command}\n").as_bytes())?;
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let answer = line.trim_end().strip_prefix("OK").ok_or_else(|| broken(&line))?;
        Ok(answer.trim_start().to_owned())
    }
}

fn broken(answer: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("QEMU answers {answer:?}"))
}
