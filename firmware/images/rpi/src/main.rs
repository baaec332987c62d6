//! The runner for Raspberry Pi 3, Zero 2 and 4: bare metal, started by the firmware as `kernel8.img`.
//!
//! The firmware has put the model slot's bytes (artifact and commit record) at the start of the model
//! region, by `initramfs model.epa 0x08000000` in config.txt. The runner answers the device link on
//! the serial port.
#![no_std]
#![no_main]

mod boot;
mod fault;
mod gauge;
mod machine;
mod mmu;
mod registers;
mod uart;

use edgepkg_format::link::{FrameReader, FrameWriter};
use edgepkg_format::linked::EveryOperator;
use edgepkg_format::plan::PlanEntry;
use edgepkg_image_aarch64::{ModelSlot, arena};
use edgepkg_image_trust::trust;
use edgepkg_runtime::server::{self, Buffers};

use crate::gauge::InstructionGauge;
use crate::machine::Machine;
use crate::uart::Uart;

/// Runs once `.data` and `.bss` are ready, on the stack that `_start` painted.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let machine = Machine::detect();
    // SAFETY: this is the boot core's first Rust code, at EL1 with the MMU off.
    unsafe { mmu::enable(machine) };
    static mut READER: FrameReader = FrameReader::new();
    static mut WRITER: FrameWriter = FrameWriter::new();
    static mut ENTRY: Option<PlanEntry> = None;
    let (reader, writer, entry) = (&raw mut READER, &raw mut WRITER, &raw mut ENTRY);
    // SAFETY: `main` is called once, by `_start`, and takes each of these once.
    let (mut uart, mut slot, buffers, arena) = unsafe {
        let buffers = Buffers { reader: &mut *reader, writer: &mut *writer, entry: &mut *entry };
        (Uart::start(machine), ModelSlot::with_boot_file(), buffers, arena())
    };
    let mut gauge = InstructionGauge::calibrated();
    let mut trust = trust();
    server::serve::<EveryOperator>(&mut uart, &mut slot, &mut gauge, &mut trust, buffers, arena);
    fault::stop()
}
