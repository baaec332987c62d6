//! The runner for Raspberry Pi OS and other 64-bit Linux: one static program, with no library below it.
//!
//! It answers the device link on standard input and output, or with `--listen ADDRESS:PORT` to one connection after the
//! other. `--model FILE` is what the model slot holds when it starts: an artifact and its commit record.
#![no_std]
#![no_main]

mod arguments;
mod gauge;
mod port;
mod start;
mod system;

use core::panic::PanicInfo;

use edgepkg_format::link::{FrameReader, FrameWriter};
use edgepkg_format::linked::EveryOperator;
use edgepkg_format::plan::PlanEntry;
use edgepkg_image_aarch64::{self as memory, ModelSlot};
use edgepkg_image_trust::trust;
use edgepkg_runtime::server::{self, Buffers};

use crate::arguments::Arguments;
use crate::gauge::CycleGauge;
use crate::port::Port;
use crate::system::{Descriptor, SystemError};

/// The exit code of a runner that is wrong.
const EXIT_FAULT: u8 = 101;
/// The exit code of one that was started wrongly.
const EXIT_USAGE: u8 = 64;
/// The exit code where the system does not give what is needed.
const EXIT_SYSTEM: u8 = 71;

/// Runs on the stack that `_start` painted. `arguments` is what Linux gave the program.
#[unsafe(no_mangle)]
extern "C" fn main(arguments: *const usize) -> ! {
    // SAFETY: `_start` hands on what Linux gave.
    let Ok(arguments) = (unsafe { Arguments::read(arguments) }) else {
        leave(EXIT_USAGE, "usage: runner [--model FILE] [--listen ADDRESS:PORT]");
    };
    static mut PORT: Port = Port::new();
    static mut READER: FrameReader = FrameReader::new();
    static mut WRITER: FrameWriter = FrameWriter::new();
    static mut ENTRY: Option<PlanEntry> = None;
    let (port, reader, writer, entry) = (&raw mut PORT, &raw mut READER, &raw mut WRITER, &raw mut ENTRY);
    map_memory();
    // SAFETY: `main` is called once, by `_start`, and takes each of these once; the memory is there.
    let (port, reader, writer, entry, arena) =
        unsafe { (&mut *port, &mut *reader, &mut *writer, &mut *entry, memory::arena()) };
    if let Some(file) = arguments.model {
        // SAFETY: the slot is taken once after this, when it has been filled.
        let region = unsafe { memory::model_region() };
        match fill(region, file) {
            Ok(()) => {}
            Err(Unread::TooLarge) => leave(EXIT_USAGE, "the model file is larger than the model slot"),
            Err(Unread::System) => leave(EXIT_USAGE, "the model file cannot be read"),
        }
    }
    // SAFETY: nothing else has the slot.
    let mut slot = unsafe { ModelSlot::with_boot_file() };
    let mut gauge = CycleGauge::calibrated();
    let mut trust = trust();
    let Some(address) = arguments.listen else {
        port.connect(Descriptor::INPUT, Descriptor::OUTPUT);
        server::serve::<EveryOperator>(
            port,
            &mut slot,
            &mut gauge,
            &mut trust,
            Buffers { reader, writer, entry },
            arena,
        );
        system::exit(0)
    };
    let Ok(socket) = system::listen(address) else {
        leave(EXIT_SYSTEM, "cannot listen at this address");
    };
    loop {
        let Ok(connection) = system::accept(socket) else {
            leave(EXIT_SYSTEM, "no connection comes through");
        };
        port.connect(connection, connection);
        let buffers = Buffers { reader, writer, entry };
        server::serve::<EveryOperator>(port, &mut slot, &mut gauge, &mut trust, buffers, arena);
        system::close(connection);
    }
}

fn map_memory() {
    for [start, end] in memory::unmapped_regions() {
        // SAFETY: link.ld puts nothing there, and Linux puts its own at other ends of the address space of a program that
        // is not moved.
        if unsafe { system::map(start, end) }.is_err() {
            leave(EXIT_SYSTEM, "the system gives no memory at the addresses of arena and model slot");
        }
    }
}

/// Why the slot is not filled.
enum Unread {
    TooLarge,
    System,
}

impl From<SystemError> for Unread {
    fn from(_: SystemError) -> Self {
        Self::System
    }
}

fn fill(region: &mut [u8], file: &core::ffi::CStr) -> Result<(), Unread> {
    let file = system::open(file)?;
    let mut filled = 0;
    loop {
        // A file that ends where the region does is not told from a longer one, and its model would have no record.
        let rest = region.get_mut(filled..).filter(|rest| !rest.is_empty()).ok_or(Unread::TooLarge)?;
        match system::read(file, rest)? {
            0 => break,
            count => filled += count,
        }
    }
    system::close(file);
    Ok(())
}

fn leave(code: u8, why: &str) -> ! {
    for text in ["edgepkg runner: ", why, "\n"] {
        let _ = system::write_all(Descriptor::ERROR, text.as_bytes());
    }
    system::exit(code)
}

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    leave(EXIT_FAULT, "it has failed and stopped")
}
