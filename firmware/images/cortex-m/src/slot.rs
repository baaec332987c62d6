//! The board's model slots, by the symbols of its linker script.

use core::slice;

use edgepkg_image_cortex_m::number;
use edgepkg_runtime::server::{Slot, SlotWriteError};

#[cfg(feature = "probe")]
use self::trial::take_trial;

unsafe extern "C" {
    static mut _model_slot_start: u8;
    static _model_slot_end: u8;
    static _program_unit: u8;
}

/// The slot whose model runs: memory that is written like RAM, unless a debug probe writes it. Then the image only reads
/// it, and there may be two slots.
pub struct ModelSlot {
    bytes: &'static mut [u8],
    program_unit_bytes: u32,
    #[cfg(feature = "probe")]
    trial: Option<u32>,
}

impl ModelSlot {
    /// The slot of the board's file; of two the one with the newer model.
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
        let program_unit_bytes = number!(_program_unit) as u32;
        #[cfg(not(feature = "probe"))]
        return Self { bytes, program_unit_bytes };
        #[cfg(feature = "probe")]
        // SAFETY: as above, for the other slot.
        unsafe {
            Self::chosen(bytes, program_unit_bytes)
        }
    }
}

#[cfg(feature = "probe")]
impl ModelSlot {
    /// Of `first` and the board's second slot the one that is on trial, else the one with the newer model.
    ///
    /// # Safety
    ///
    /// To be called once.
    unsafe fn chosen(first: &'static mut [u8], program_unit_bytes: u32) -> Self {
        unsafe extern "C" {
            static mut _second_slot_start: u8;
            static _second_slot_end: u8;
        }
        let start = &raw mut _second_slot_start;
        let length = number!(_second_slot_end) - start.addr();
        // SAFETY: as in `of_board`; where there is no second slot, its length is 0.
        let second = unsafe { if length == 0 { &mut [] } else { slice::from_raw_parts_mut(start, length) } };
        // SAFETY: start-up leaves the place as it was, and nothing has used it yet.
        if let Some((slot, length)) = unsafe { take_trial() } {
            let bytes = if slot == 0 { first } else { second };
            return Self { bytes, program_unit_bytes, trial: Some(length) };
        }
        let counter = |slot: &[u8]| {
            let offset = Commit::offset(slot.len() as u32, program_unit_bytes)?;
            let commit = Commit::from_bytes(slot.get(offset as usize..)?)?;
            commit.committed(slot).map(|_| commit.counter)
        };
        let newer = match (counter(first), counter(second)) {
            (first, Some(second)) => first.is_none_or(|first| second > first),
            _ => false,
        };
        Self { bytes: if newer { second } else { first }, program_unit_bytes, trial: None }
    }
}

#[cfg(feature = "probe")]
use edgepkg_format::slot::Commit;

impl Slot for ModelSlot {
    fn bytes(&self) -> &[u8] {
        self.bytes
    }

    fn program_unit_bytes(&self) -> u32 {
        self.program_unit_bytes
    }

    #[cfg(feature = "probe")]
    fn on_trial(&self) -> Option<&[u8]> {
        self.bytes.get(..self.trial? as usize)
    }

    #[cfg(feature = "probe")]
    fn erase(&mut self) -> Result<(), SlotWriteError> {
        Err(SlotWriteError)
    }

    #[cfg(feature = "probe")]
    fn write(&mut self, _offset: usize, _bytes: &[u8]) -> Result<(), SlotWriteError> {
        Err(SlotWriteError)
    }

    #[cfg(not(feature = "probe"))]
    fn erase(&mut self) -> Result<(), SlotWriteError> {
        const ERASE_STEP_BYTES: usize = 4096;
        // The commit record lies at the end: from there down.
        self.bytes.rchunks_mut(ERASE_STEP_BYTES).for_each(|step| step.fill(0xFF));
        Ok(())
    }

    #[cfg(not(feature = "probe"))]
    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), SlotWriteError> {
        let place = offset.checked_add(bytes.len()).and_then(|end| self.bytes.get_mut(offset..end));
        place.ok_or(SlotWriteError)?.copy_from_slice(bytes);
        Ok(())
    }
}

/// What the host asks of the next start, in the last bytes of RAM.
#[cfg(feature = "probe")]
mod trial {
    use edgepkg_format::slot::Trial;
    use edgepkg_image_cortex_m::number;

    unsafe extern "C" {
        static mut _arena_end: u8;
    }

    /// The slot that is to run without a commit record, and the bytes of its artifact. It is asked for once.
    ///
    /// # Safety
    ///
    /// To be called before the arena is used.
    pub unsafe fn take_trial() -> Option<(u32, u32)> {
        let place = (&raw mut _arena_end).wrapping_sub(Trial::BYTES).cast::<[u8; Trial::BYTES]>();
        debug_assert!(number!(_arena_end) > Trial::BYTES);
        // SAFETY: the place is the end of RAM, which the arena will have and nothing has yet.
        let trial = unsafe {
            let trial = Trial::from_bytes(&place.read_volatile());
            place.write_volatile([0; Trial::BYTES]);
            trial
        };
        trial.map(|trial| (trial.slot, trial.length))
    }
}
