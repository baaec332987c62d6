//! The program's arguments: `[--model FILE] [--listen ADDRESS:PORT]`.

use core::ffi::{CStr, c_char};
use core::net::SocketAddrV4;

/// What was asked for.
pub struct Arguments {
    /// The file with the model slot's contents: an artifact and its commit record.
    pub model: Option<&'static CStr>,
    /// Where to listen for the host; without it the host is at standard input and output.
    pub listen: Option<SocketAddrV4>,
}

/// What was said instead.
pub struct Misused;

impl Arguments {
    /// Reads the arguments.
    ///
    /// # Safety
    ///
    /// `start` is what Linux gave the program: a count, then that many pointers to text that ends with a zero and stays.
    pub unsafe fn read(start: *const usize) -> Result<Self, Misused> {
        // SAFETY: the caller's.
        let count = unsafe { start.read() };
        let argument = |index: usize| {
            // SAFETY: the caller's; the index is below the count.
            (index < count).then(|| unsafe { CStr::from_ptr(start.add(1 + index).read() as *const c_char) })
        };
        let mut arguments = Self { model: None, listen: None };
        let mut index = 1;
        while let Some(flag) = argument(index) {
            let value = argument(index + 1).ok_or(Misused)?;
            match flag.to_bytes() {
                b"--model" => arguments.model = Some(value),
                b"--listen" => {
                    let address = value.to_str().ok().and_then(|text| text.parse().ok());
                    arguments.listen = Some(address.ok_or(Misused)?);
                }
                _ => return Err(Misused),
            }
            index += 2;
        }
        Ok(arguments)
    }
}
