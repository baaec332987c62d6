//! The board's model slot, by the symbols of its linker script.

use core::slice;

use edgepkg_image_cortex_m::{PROBED, number};
use edgepkg_runtime::server::{Slot, SlotWriteError};

unsafe extern "C" {
    static mut _model_slot_start: u8;
    static _model_slot_end: u8;
    static _program_unit: u8;
}

/// The model slot. Memory that is written like RAM, unless a debug probe writes it: then the image only reads it.
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
        if PROBED {
            return Err(SlotWriteError);
        }
        // The commit record lies at the end: from there down.
        self.bytes.rchunks_mut(ERASE_STEP_BYTES).for_each(|step| step.fill(0xFF));
        Ok(())
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), SlotWriteError> {
        if PROBED {
            return Err(SlotWriteError);
        }
        let place = offset.checked_add(bytes.len()).and_then(|end| self.bytes.get_mut(offset..end));
        place.ok_or(SlotWriteError)?.copy_from_slice(bytes);
        Ok(())
    }
}

const ERASE_STEP_BYTES: usize = 4096;
