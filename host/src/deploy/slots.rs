//! The model slots of a board: which holds the model that runs, which is written next.

use edgepkg_boards::{Memory, Region};
use edgepkg_format::slot::{Commit, Trial};
use probe_rs::MemoryInterface as _;

use super::connection::{CORE, Connection};
use super::error::{Cause, DeployError};
use super::plan::{Others, Record, SlotContents};

/// What a board's model slots hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    region: Region,
    /// The model that its commit record vouches for, and the record's counter.
    model: Option<(Vec<u8>, u32)>,
}

impl Slots {
    /// The slot that runs.
    fn active(&self) -> Option<usize> {
        let counters =
            self.slots.iter().enumerate().filter_map(|(index, slot)| Some((slot.model.as_ref()?.1, index)));
        // Of two equal counters the runner takes the first slot.
        counters.max_by_key(|&(counter, index)| (counter, std::cmp::Reverse(index))).map(|(_, index)| index)
    }

    /// Where `artifact` goes: where it is, if it runs; else the slot that does not run.
    pub fn place<'a>(&self, artifact: &'a [u8], record: Record) -> SlotContents<'a> {
        let active = self.active();
        let model = |index: usize| self.slots[index].model.as_ref();
        if let Some((active, (found, counter))) = active.and_then(|active| Some((active, model(active)?)))
            && found == artifact
        {
            let (slot, counter) = (self.slots[active].region, *counter);
            return SlotContents { artifact, slot, counter, record: Record::Written, others: Others::None };
        }
        let next = (0..self.slots.len()).find(|index| Some(*index) != active).unwrap_or_default();
        let counter = active.and_then(model).map_or(0, |(_, counter)| *counter).wrapping_add(1);
        let others = match active {
            Some(active) if active != next => Others::InAnotherSlot,
            _ => Others::None,
        };
        SlotContents { artifact, slot: self.slots[next].region, counter, record, others }
    }

    /// The index of the slot in `region`.
    pub(super) fn index(&self, region: Region) -> u32 {
        self.slots.iter().position(|slot| slot.region == region).unwrap_or_default() as u32
    }
}

impl Connection {
    /// What the model slots in `memory` hold.
    ///
    /// # Errors
    ///
    /// Where the chip does not answer.
    pub fn slots(&mut self, memory: &Memory) -> Result<Slots, DeployError> {
        let read = |connection: &mut Self, start: u64, length: usize| {
            let mut bytes = vec![0; length];
            connection.session.core(CORE)?.read(start, &mut bytes)?;
            Ok::<_, probe_rs::Error>(bytes)
        };
        let mut slots = Vec::new();
        for region in memory.slots() {
            let offset =
                Commit::offset(region.length as u32, memory.flash.program_unit_bytes).unwrap_or_default();
            let mut model = || {
                let record =
                    read(self, region.start + u64::from(offset), edgepkg_format::slot::COMMIT_BYTES)?;
                let Some(commit) = Commit::from_bytes(&record).filter(|commit| commit.length <= offset)
                else {
                    return Ok(None);
                };
                let bytes = read(self, region.start, commit.length as usize)?;
                Ok(commit.committed(&bytes).is_some().then_some((bytes, commit.counter)))
            };
            let model = model().map_err(|error: probe_rs::Error| self.attach_error(&error))?;
            slots.push(Slot { region, model });
        }
        Ok(Slots { slots })
    }

    /// Lets the next start run the model in slot `slot` of `slots`, whose artifact has `length` bytes, though it has no
    /// commit record.
    ///
    /// # Errors
    ///
    /// Where the chip does not answer.
    pub fn request_trial(
        &mut self,
        slots: &Slots,
        slot: Region,
        length: u32,
        memory: &Memory,
    ) -> Result<(), DeployError> {
        let trial = Trial { slot: slots.index(slot), length };
        let place = memory.ram.end() - Trial::BYTES as u64;
        let written = self.halt().and_then(|()| self.session.core(CORE)?.write_8(place, &trial.to_bytes()));
        written
            .map_err(|error| DeployError::Attach { chip: self.layout.chip.clone(), cause: Cause::of(&error) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(models: [Option<(&[u8], u32)>; 2]) -> Slots {
        let slot = |(index, model): (usize, Option<(&[u8], u32)>)| Slot {
            region: Region { start: 0x1000 * index as u64, length: 0x1000 },
            model: model.map(|(bytes, counter)| (bytes.to_vec(), counter)),
        };
        Slots { slots: models.into_iter().enumerate().map(slot).collect() }
    }

    #[track_caller]
    fn check(models: [Option<(&[u8], u32)>; 2], artifact: &[u8], slot: u64, counter: u32, others: Others) {
        let placed = slots(models).place(artifact, Record::Written);
        assert_eq!((placed.slot.start, placed.counter, placed.others), (slot, counter, others));
    }

    #[test]
    fn a_new_model_goes_where_none_runs() {
        check([None, None], b"new", 0, 1, Others::None);
        check([Some((b"a", 1)), None], b"new", 0x1000, 2, Others::InAnotherSlot);
        check([Some((b"a", 1)), Some((b"b", 2))], b"new", 0, 3, Others::InAnotherSlot);
        check([Some((b"a", 3)), Some((b"b", 2))], b"new", 0x1000, 4, Others::InAnotherSlot);
        check([Some((b"a", 2)), Some((b"b", 2))], b"new", 0x1000, 3, Others::InAnotherSlot);
        check([None, Some((b"b", 9))], b"new", 0, 10, Others::InAnotherSlot);
    }

    #[test]
    fn a_model_that_runs_stays_where_it_is() {
        check([Some((b"a", 1)), Some((b"b", 2))], b"b", 0x1000, 2, Others::None);
        // The older of two is not the one that runs.
        check([Some((b"a", 1)), Some((b"b", 2))], b"a", 0, 3, Others::InAnotherSlot);
    }

    #[test]
    fn one_slot_is_written_again() {
        let one = Slots { slots: slots([Some((b"a", 4)), None]).slots[..1].to_vec() };
        let placed = one.place(b"new", Record::Written);
        assert_eq!((placed.slot.start, placed.counter, placed.others), (0, 5, Others::None));
    }
}
