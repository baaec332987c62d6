//! A client of QEMU's GDB server: stops and starts the core, and knows its registers.
//!
//! The protocol is GDB's ("Debugging with GDB", appendix E): packets `$body#checksum`, each acknowledged by `+`.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long the server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a packet is sent anew when its checksum did not arrive as it left.
const ATTEMPTS: u32 = 3;
/// The longest answer that is read.
const ANSWER_LIMIT_BYTES: usize = 1 << 20;

/// The core's registers, as GDB numbers those of Cortex-M.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// R0 to R12, the stack pointer, the link register, the program counter.
    General(u8),
    /// The program status.
    Xpsr,
}

impl Register {
    /// The stack pointer in use.
    pub const STACK_POINTER: Self = Register::General(13);
    /// Where a function returns to.
    pub const LINK: Self = Register::General(14);
    /// The program counter.
    pub const PROGRAM_COUNTER: Self = Register::General(15);

    fn number(self) -> u8 {
        match self {
            Register::General(number) => number,
            Register::Xpsr => 25,
        }
    }
}

/// Why the core stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was asked to, stepped, or came to a breakpoint.
    Halted,
    /// It wrote to a watched address, and has gone past that instruction.
    Wrote(u32),
}

/// A connection.
#[derive(Debug)]
pub struct Gdb {
    stream: BufReader<UnixStream>,
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the GDB server answers {what:?}"))
}

impl Gdb {
    /// Takes over `stream`; the core stands still.
    ///
    /// # Errors
    ///
    /// Where the other end is no GDB server.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let mut gdb = Self { stream: BufReader::new(stream) };
        gdb.ask("qSupported:xmlRegisters=arm")?;
        // Registers beyond the general ones have numbers once the description was read.
        gdb.ask("qXfer:features:read:target.xml:0,ffb")?;
        gdb.ask("?")?;
        Ok(gdb)
    }

    /// A register's value.
    ///
    /// # Errors
    ///
    /// Where the server is gone or has no such register.
    pub fn read_register(&mut self, register: Register) -> io::Result<u32> {
        let answer = self.ask(&format!("p{:x}", register.number()))?;
        let bytes = from_hexadecimal(&answer).ok_or_else(|| broken(&answer))?;
        let bytes = bytes.first_chunk::<4>().ok_or_else(|| broken(&answer))?;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// Sets a register.
    ///
    /// # Errors
    ///
    /// As [`read_register`](Self::read_register).
    pub fn write_register(&mut self, register: Register, value: u32) -> io::Result<()> {
        let value = to_hexadecimal(&value.to_le_bytes());
        self.command(&format!("P{:x}={value}", register.number()))
    }

    /// Lets the core stop at `address`, whatever is there.
    ///
    /// # Errors
    ///
    /// Where the server is gone or refuses.
    pub fn set_breakpoint(&mut self, address: u32) -> io::Result<()> {
        self.command(&format!("Z1,{address:x},2"))
    }

    /// Lets it not stop there any more.
    ///
    /// # Errors
    ///
    /// As [`set_breakpoint`](Self::set_breakpoint).
    pub fn clear_breakpoint(&mut self, address: u32) -> io::Result<()> {
        self.command(&format!("z1,{address:x},2"))
    }

    /// Lets the core stop when it has written to one of `length` bytes from `address` on.
    ///
    /// # Errors
    ///
    /// As [`set_breakpoint`](Self::set_breakpoint).
    pub fn watch_writes(&mut self, address: u32, length: u32) -> io::Result<()> {
        self.command(&format!("Z2,{address:x},{length:x}"))
    }

    /// Lets it not stop for them any more.
    ///
    /// # Errors
    ///
    /// As [`set_breakpoint`](Self::set_breakpoint).
    pub fn unwatch_writes(&mut self, address: u32, length: u32) -> io::Result<()> {
        self.command(&format!("z2,{address:x},{length:x}"))
    }

    /// Changes memory behind the back of what controls it: flash too.
    ///
    /// # Errors
    ///
    /// Where the server is gone or nothing is there.
    pub fn corrupt(&mut self, address: u32, bytes: &[u8]) -> io::Result<()> {
        self.command(&format!("M{address:x},{:x}:{}", bytes.len(), to_hexadecimal(bytes)))
    }

    /// Executes one instruction.
    ///
    /// # Errors
    ///
    /// Where the server is gone.
    pub fn step(&mut self) -> io::Result<Stop> {
        let answer = self.ask("s")?;
        stop(&answer)
    }

    /// Lets the core run; [`stopped`](Self::stopped) tells when it stops.
    ///
    /// # Errors
    ///
    /// Where the server is gone.
    pub fn start(&mut self) -> io::Result<()> {
        self.send("c")
    }

    /// Why the running core has stopped, once it has; waits at most `patience`.
    ///
    /// # Errors
    ///
    /// Where the server is gone.
    pub fn stopped(&mut self, patience: Duration) -> io::Result<Option<Stop>> {
        if self.stream.buffer().is_empty() {
            // A zero timeout would be none.
            self.stream.get_ref().set_read_timeout(Some(patience.max(Duration::from_micros(1))))?;
            let waited = io::BufRead::fill_buf(&mut self.stream).map(|bytes| bytes.is_empty());
            self.stream.get_ref().set_read_timeout(Some(ANSWER_TIMEOUT))?;
            match waited {
                Ok(false) => {}
                Ok(true) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if is_timeout(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let answer = self.receive()?;
        stop(&answer).map(Some)
    }

    /// Stops the running core, if it has not stopped by itself.
    ///
    /// # Errors
    ///
    /// Where the server is gone or the core does not stop.
    pub fn halt(&mut self) -> io::Result<Stop> {
        self.stream.get_mut().write_all(&[3])?;
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        while Instant::now() < deadline {
            if let Some(stop) = self.stopped(Duration::from_millis(100))? {
                return Ok(stop);
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Resets the machine, whose core stands still before and after.
    ///
    /// # Errors
    ///
    /// Where the server is gone.
    pub fn reset(&mut self) -> io::Result<()> {
        self.send(&format!("qRcmd,{}", to_hexadecimal(b"system_reset")))?;
        // Its output comes in packets `O...` before the answer.
        loop {
            match self.receive()?.as_str() {
                "OK" => return Ok(()),
                output if output.starts_with('O') => {}
                other => return Err(broken(other)),
            }
        }
    }

    fn command(&mut self, body: &str) -> io::Result<()> {
        match self.ask(body)?.as_str() {
            "OK" => Ok(()),
            other => Err(broken(other)),
        }
    }

    fn ask(&mut self, body: &str) -> io::Result<String> {
        self.send(body)?;
        self.receive()
    }

    fn send(&mut self, body: &str) -> io::Result<()> {
        let packet = format!("${body}#{:02x}", checksum(body.as_bytes()));
        for _ in 0..ATTEMPTS {
            self.stream.get_mut().write_all(packet.as_bytes())?;
            match self.byte()? {
                b'+' => return Ok(()),
                b'-' => {}
                other => return Err(broken(&char::from(other).to_string())),
            }
        }
        Err(broken("-"))
    }

    fn receive(&mut self) -> io::Result<String> {
        while self.byte()? != b'$' {}
        let mut body = Vec::new();
        loop {
            match self.byte()? {
                b'#' => break,
                // What follows is a byte that would end or start a packet.
                b'}' => body.push(self.byte()? ^ 0x20),
                byte if body.len() < ANSWER_LIMIT_BYTES => body.push(byte),
                _ => return Err(broken("without an end")),
            }
        }
        let mut digits = [0; 2];
        self.stream.read_exact(&mut digits)?;
        self.stream.get_mut().write_all(b"+")?;
        String::from_utf8(body).map_err(|_| broken("in no text"))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// What a stop reply says: `T05thread:01;watch:00001000;`.
fn stop(answer: &str) -> io::Result<Stop> {
    if !answer.starts_with(['S', 'T']) {
        return Err(broken(answer));
    }
    let details = answer.get(3..).unwrap_or_default();
    let mut fields = details.split(';').filter_map(|field| field.split_once(':'));
    let watched = fields.find(|(name, _)| matches!(*name, "watch" | "awatch"));
    match watched.map(|(_, address)| u64::from_str_radix(address, 16)) {
        Some(Ok(address)) => Ok(Stop::Wrote(address as u32)),
        Some(Err(_)) => Err(broken(answer)),
        None => Ok(Stop::Halted),
    }
}

fn checksum(body: &[u8]) -> u8 {
    body.iter().fold(0, |sum, byte| byte.wrapping_add(sum))
}

/// Two digits a byte.
pub(crate) fn to_hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of two digits each.
pub(crate) fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match *pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_replies_say_what_was_written() {
        assert_eq!(stop("T05thread:01;").unwrap(), Stop::Halted);
        assert_eq!(stop("T05thread:01;watch:1fc00;").unwrap(), Stop::Wrote(0x1fc00));
        assert_eq!(stop("S05").unwrap(), Stop::Halted);
        assert!(stop("E01").is_err());
        assert!(stop("").is_err());
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(from_hexadecimal(&to_hexadecimal(&bytes)), Some(bytes));
        assert_eq!(from_hexadecimal("0"), None);
        assert_eq!(from_hexadecimal("0g"), None);
    }

    #[test]
    fn a_server_that_talks_nonsense_is_an_error() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"+$E01#a6").unwrap();
        drop(theirs);
        assert!(Gdb::new(ours).is_err());
    }
}
