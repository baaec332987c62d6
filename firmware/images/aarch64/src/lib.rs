//! What a 64-bit Arm image stands on: arena, stack and model slot, by the symbols of its linker script.
#![no_std]

use core::slice;

use edgepkg_format::artifact::stated_bytes;
use edgepkg_format::slot::{COMMIT_BYTES, Commit};
use edgepkg_format::trailer::TRAILER_BYTES;
use edgepkg_runtime::server::{Slot, SlotWriteError};

/// What start-up fills the stack with before anything uses it.
pub const STACK_PAINT: u32 = 0xA5A5_A5A5;

unsafe extern "C" {
    static mut _arena_start: u8;
    static _arena_end: u8;
    static mut _model_slot_start: u8;
    static _model_slot_end: u8;
    static _stack_start: u8;
    static _stack_end: u8;
}

/// All RAM between the runner's variables and the model slot.
///
/// # Safety
///
/// To be called once.
pub unsafe fn arena() -> &'static mut [i8] {
    let start = &raw mut _arena_start;
    let length = (&raw const _arena_end).addr() - start.addr();
    // SAFETY: link.ld gives the arena RAM that nothing else names; the caller takes it once. Any byte
    // is an i8, and no compiler knows what RAM holds.
    unsafe { slice::from_raw_parts_mut(start.cast(), length) }
}

/// Addresses that hold nothing before an operating system maps them: arena and model slot, each from its start to its end.
pub fn unmapped_regions() -> [[usize; 2]; 2] {
    [
        [(&raw const _arena_start).addr(), (&raw const _arena_end).addr()],
        [(&raw const _model_slot_start).addr(), (&raw const _model_slot_end).addr()],
    ]
}

/// All bytes of the model slot.
///
/// # Safety
///
/// They must be memory, and nothing else may have them while the caller does.
pub unsafe fn model_region() -> &'static mut [u8] {
    let start = &raw mut _model_slot_start;
    let length = (&raw const _model_slot_end).addr() - start.addr();
    // SAFETY: the linker script gives the slot addresses that nothing else names; the rest is the caller's.
    unsafe { slice::from_raw_parts_mut(start, length) }
}

/// The most bytes of stack that were in use since `_start` painted it.
pub fn stack_bytes() -> u32 {
    let top = (&raw const _stack_start).addr();
    let mut lowest = &raw const _stack_end as *const u32;
    // SAFETY: link.ld puts both symbols at the ends of one region of whole words, read by nobody else
    // where they lie below the stack pointer.
    while lowest.addr() < top && unsafe { lowest.read_volatile() } == STACK_PAINT {
        lowest = lowest.wrapping_add(1);
    }
    (top - lowest.addr()) as u32
}

/// The model slot, in RAM: what is written to it is gone with the power.
///
/// The firmware has put a boot file there: an artifact and, right behind it, its commit record. The
/// slot ends with that record. Once erased it is all of the region.
pub struct ModelSlot {
    region: &'static mut [u8],
    bytes: usize,
}

impl ModelSlot {
    /// The slot with the boot file that is in it.
    ///
    /// # Safety
    ///
    /// To be called once.
    pub unsafe fn with_boot_file() -> Self {
        // SAFETY: the caller takes the slot once.
        let region = unsafe { model_region() };
        let bytes = boot_file_bytes(region).unwrap_or(region.len());
        Self { region, bytes }
    }
}

fn boot_file_bytes(region: &[u8]) -> Option<usize> {
    let artifact_bytes = stated_bytes(region).ok()?;
    // With a trailer between, or without.
    [artifact_bytes, artifact_bytes + TRAILER_BYTES].into_iter().find_map(|bytes| {
        let commit = Commit::from_bytes(region.get(bytes..)?)?;
        (commit.length as usize == bytes).then_some(bytes + COMMIT_BYTES)
    })
}

impl Slot for ModelSlot {
    fn bytes(&self) -> &[u8] {
        &self.region[..self.bytes]
    }

    fn program_unit_bytes(&self) -> u32 {
        1
    }

    fn erase(&mut self) -> Result<(), SlotWriteError> {
        // From the end down: before any byte of a model its commit record is gone.
        self.region.rchunks_mut(ERASE_STEP_BYTES).for_each(|step| step.fill(0xFF));
        self.bytes = self.region.len();
        Ok(())
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), SlotWriteError> {
        let place = offset.checked_add(bytes.len()).and_then(|end| self.region.get_mut(offset..end));
        place.ok_or(SlotWriteError)?.copy_from_slice(bytes);
        Ok(())
    }
}

const ERASE_STEP_BYTES: usize = 4096;
