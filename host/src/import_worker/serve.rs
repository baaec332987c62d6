//! The worker's side.

use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};

use edgepkg_quantize::import::{ImportError, transfer};

use super::limits::limit_this_process;
use super::request::Request;
use crate::model;

/// Takes a request from standard input, with this process limited, and writes the answer to `out`.
///
/// # Errors
///
/// When the limits cannot be set or the pipes fail.
pub fn serve(memory_bytes: u64, cpu_seconds: u64, out: &mut dyn Write) -> io::Result<()> {
    // A library's panic is the file's fault, and is answered; standard error is for this program's death.
    panic::set_hook(Box::new(|_| ()));
    limit_this_process(memory_bytes, cpu_seconds)?;
    let (Request { format, options, .. }, file) = Request::read(&mut io::stdin().lock())?;
    let read = || model::read_in_process(format, &file, &options);
    let found = panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let reason = "its contents contradict each other".to_owned();
        Err(ImportError::Unreadable { format: format.name().into(), reason })
    });
    transfer::write(found, out)
}
