//! A client of QEMU's test protocol: accesses of the machine's bus, as a bus master makes them, while the core runs or
//! stands still.

use std::io::{self, BufRead as _, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::gdb::{from_hexadecimal, to_hexadecimal};

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
            let answer = self.ask(&format!("read {address:#x} {:#x}", piece.len()))?;
            let read = answer.strip_prefix("0x").and_then(from_hexadecimal);
            match read.filter(|read| read.len() == piece.len()) {
                Some(read) => piece.copy_from_slice(&read),
                None => return Err(broken(&answer)),
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
            self.ask(&format!("write {address:#x} {:#x} 0x{}", piece.len(), to_hexadecimal(piece)))?;
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
