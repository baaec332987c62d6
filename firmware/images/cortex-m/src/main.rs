//! The runner for Cortex-M: answers the device link and runs the model in the board's slot.
#![no_std]
#![no_main]

mod fault;
mod slot;

use edgepkg_format::link::{FrameReader, FrameWriter};
use edgepkg_format::linked::{EveryOperator, Linked, Only};
use edgepkg_format::plan::PlanEntry;
use edgepkg_image_cortex_m::{CoreGauge, Port, image, stop};
use edgepkg_image_trust::trust;
use edgepkg_runtime::server::{self, Buffers};

use crate::slot::ModelSlot;

image!(main, fault::report);

/// The operators that models may use here: all, or those of the set that `EDGEPKG_OPERATORS` gives when the
/// runner is built, its bits in hexadecimal.
const OPERATORS: u64 = match option_env!("EDGEPKG_OPERATORS") {
    None => EveryOperator::OPERATORS.bits(),
    Some(bits) => match u64::from_str_radix(bits, 16) {
        Ok(bits) => bits,
        Err(_) => panic!("EDGEPKG_OPERATORS is not a hexadecimal number"),
    },
};

fn main(arena: &'static mut [i8]) -> ! {
    let mut port = Port::enabled();
    let mut gauge = CoreGauge::calibrated();
    let mut trust = trust();
    static mut READER: FrameReader = FrameReader::new();
    static mut WRITER: FrameWriter = FrameWriter::new();
    static mut ENTRY: Option<PlanEntry> = None;
    let (reader, writer, entry) = (&raw mut READER, &raw mut WRITER, &raw mut ENTRY);
    // SAFETY: `main` is called once, and nothing else names the statics.
    let (mut slot, buffers) = unsafe {
        (ModelSlot::of_board(), Buffers { reader: &mut *reader, writer: &mut *writer, entry: &mut *entry })
    };
    server::serve::<Only<OPERATORS>>(&mut port, &mut slot, &mut gauge, &mut trust, buffers, arena);
    stop()
}
