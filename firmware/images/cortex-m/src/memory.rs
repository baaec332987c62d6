//! The board's memory, by the symbols of its linker script.

use core::slice;

use edgepkg_runtime::server::{Slot, SlotWriteError};

unsafe extern "C" {
    static mut _arena_start: u8;
    static _arena_end: u8;
    static mut _model_slot_start: u8;
    static _model_slot_end: u8;
    static _program_unit: u8;
    static _stack_start: u8;
    static _stack_end: u8;
}

/// What start-up fills the stack with, so that use leaves a trace.
pub const STACK_PAINT: u32 = 0x5AC4_5AC4;

/// The value of a linker symbol that is a number.
macro_rules! number {
    ($symbol:ident) => {
        (&raw const $symbol).addr()
    };
}
pub(crate) use number;

/// All RAM that nothing else uses.
///
/// # Safety
///
/// To be called once.
pub unsafe fn arena() -> &'static mut [i8] {
    let start = &raw mut _arena_start;
    let length = number!(_arena_end) - start.addr();
    // SAFETY: the linker script gives the arena the RAM after `.bss` to its end, which nothing else
    // names; the caller takes it once. Any byte is an i8, and no compiler knows what RAM holds.
    unsafe { slice::from_raw_parts_mut(start.cast(), length) }
}

/// The most bytes of stack that were in use since start-up painted it.
pub fn stack_bytes() -> u32 {
    let top = number!(_stack_start);
    let mut lowest = &raw const _stack_end as *const u32;
    // SAFETY: the words between the stack's two ends are RAM; those below the stack pointer are read
    // by nobody else.
    while lowest.addr() < top && unsafe { lowest.read_volatile() } == STACK_PAINT {
        lowest = lowest.wrapping_add(1);
    }
    (top - lowest.addr()) as u32
}

/// The model slot in memory that is written like RAM.
pub struct ModelSlot {
    bytes: &'static mut [u8],
    program_unit_bytes: u32,
}

impl ModelSlot {
    /// The slot of the board's file.
    ///
    /// # Safety
    ///
    /// To be called once.
    pub unsafe fn of_board() -> Self {
        let start = &raw mut _model_slot_start;
        let length = number!(_model_slot_end) - start.addr();
        // SAFETY: the board's file gives the slot memory that no other region overlaps; the caller
        // takes it once.
        let bytes = unsafe { slice::from_raw_parts_mut(start, length) };
        Self { bytes, program_unit_bytes: number!(_program_unit) as u32 }
    }
}

impl Slot for ModelSlot {
    fn bytes(&self) -> &[u8] {
        self.bytes
    }

    fn program_unit_bytes(&self) -> u32 {
        self.program_unit_bytes
    }

    fn erase(&mut self) -> Result<(), SlotWriteError> {
        // The commit record lies at the end: from there down.
        self.bytes.rchunks_mut(ERASE_STEP_BYTES).for_each(|step| step.fill(0xFF));
        Ok(())
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), SlotWriteError> {
        let place = offset.checked_add(bytes.len()).and_then(|end| self.bytes.get_mut(offset..end));
        place.ok_or(SlotWriteError)?.copy_from_slice(bytes);
        Ok(())
    }
}

const ERASE_STEP_BYTES: usize = 4096;
