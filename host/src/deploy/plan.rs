//! What is to be in a board's flash, and the steps that bring it there.

use std::fmt;

use edgepkg_boards::{Memory, Region};
use edgepkg_format::slot::{COMMIT_BYTES, Commit};

use super::layout::FlashLayout;
use crate::table::Bytes;

/// What is to be on a board.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// The runner's bytes by their addresses; none where the one that is there stays.
    pub runner: &'a [(u64, Vec<u8>)],
    /// The model.
    pub model: Option<SlotContents<'a>>,
}

/// A model and the slot it goes to.
#[derive(Clone, Copy, Debug)]
pub struct SlotContents<'a> {
    /// The artifact.
    pub artifact: &'a [u8],
    /// The slot.
    pub slot: Region,
    /// Of the board's models, which.
    pub counter: u32,
    /// Whether it is to be valid yet.
    pub record: Record,
    /// What is there of another model, should this one break off.
    pub others: Others,
}

/// A slot's commit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// It is left out: the model is on trial.
    Withheld,
    /// It is written, last.
    Written,
}

/// What a board has beside the slot that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// No model.
    None,
    /// A model in another slot, which runs while this one is not valid.
    InAnotherSlot,
}

/// What a part of the flash is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Runner,
    Model,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Runner => "the runner",
            Part::Model => "the model",
        })
    }
}

/// A sector and what is to be in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sector {
    pub region: Region,
    pub part: Part,
    /// All of its bytes: what is not said otherwise is erased.
    pub bytes: Vec<u8>,
    /// Which of them matter, as offsets.
    pub covered: Vec<(usize, usize)>,
    /// The offset of the unit that makes it valid, which is programmed last: the reset vector, the commit record.
    pub seal: Option<usize>,
}

impl Sector {
    /// Whether `found`, the sector's bytes as they are, has all that matters.
    pub fn is_in(&self, found: &[u8]) -> bool {
        self.covered.iter().all(|&(start, end)| self.bytes[start..end] == found[start..end])
    }

    /// The address of the first byte that matters and is another in `found`.
    pub fn first_difference(&self, found: &[u8]) -> Option<(u64, u8, u8)> {
        let mut offsets = self.covered.iter().flat_map(|&(start, end)| start..end);
        let offset = offsets.find(|&offset| self.bytes[offset] != found[offset])?;
        Some((self.region.start + offset as u64, self.bytes[offset], found[offset]))
    }
}

/// What is to be in a board's flash, sector by sector, by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(super) sectors: Vec<Sector>,
    /// Bytes that are programmed together.
    pub(super) unit_bytes: usize,
    pub(super) others: Others,
    lines: Vec<String>,
}

/// Why something cannot be written to a board. Nothing was erased.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is no flash.
    #[error(
        "{part} would lie at {:#010x} to {:#010x}, and the flash of `{chip}` is at {}",
        region.start, region.end(), list(flash)
    )]
    BeyondFlash {
        /// What was to be written.
        part: String,
        /// Where.
        region: Region,
        /// The chip.
        chip: String,
        /// Where its flash is.
        flash: Vec<Region>,
    },
    /// The board's file forbids it.
    #[error(
        "{part} would take the sector at {:#010x} to {:#010x}, and {:#010x} to {:#010x} is protected by the board's file",
        sector.start, sector.end(), protected.start, protected.end()
    )]
    Protected {
        /// What was to be written.
        part: String,
        /// The sector.
        sector: Region,
        /// What must stay.
        protected: Region,
    },
    /// Erasing one would erase the other.
    #[error("runner and model share the sector at {:#010x} to {:#010x}", sector.start, sector.end())]
    SharedSector {
        /// The sector.
        sector: Region,
    },
    /// The slot is too small.
    #[error("the model has {model_bytes} bytes, the slot takes {limit_bytes}")]
    ModelTooLarge {
        /// Bytes of the artifact.
        model_bytes: u64,
        /// Bytes that the slot takes.
        limit_bytes: u64,
    },
}

fn list(regions: &[Region]) -> String {
    let regions = regions.iter().map(|region| format!("{:#010x} to {:#010x}", region.start, region.end()));
    regions.collect::<Vec<_>>().join(", ")
}

impl Plan {
    /// How `contents` come to lie in the flash `layout` of a board with `memory`.
    pub(super) fn of(
        contents: &Contents<'_>,
        layout: &FlashLayout,
        memory: &Memory,
    ) -> Result<Self, PlanError> {
        let unit_bytes = memory.flash.program_unit_bytes.max(4) as usize;
        let others = contents.model.map_or(Others::InAnotherSlot, |model| model.others);
        let mut plan = Self { sectors: Vec::new(), unit_bytes, others, lines: Vec::new() };
        for (address, bytes) in contents.runner {
            plan.add(Part::Runner, *address, bytes, layout, memory)?;
        }
        if let Some((address, _)) = contents.runner.iter().min_by_key(|(address, _)| *address) {
            // The vectors are at the start: the initial stack pointer, then where the core starts.
            plan.seal(*address + 4);
            let bytes: usize = contents.runner.iter().map(|(_, bytes)| bytes.len()).sum();
            plan.describe(Part::Runner, *address, bytes);
        }
        if let Some(SlotContents { artifact, slot, counter, record, others }) = contents.model {
            let (model_bytes, commit_offset) =
                (artifact.len() as u64, Commit::offset(slot.length as u32, memory.flash.program_unit_bytes));
            let limit_bytes = u64::from(commit_offset.unwrap_or_default());
            if model_bytes > limit_bytes {
                return Err(PlanError::ModelTooLarge { model_bytes, limit_bytes });
            }
            plan.add(Part::Model, slot.start, artifact, layout, memory)?;
            let record = match record {
                Record::Written => Commit::of(artifact, counter).to_bytes(),
                Record::Withheld => [layout.erased_byte; COMMIT_BYTES],
            };
            plan.add(Part::Model, slot.start + limit_bytes, &record, layout, memory)?;
            plan.seal(slot.start + limit_bytes);
            plan.describe(Part::Model, slot.start, artifact.len());
            plan.lines.push(match (others, memory.second_model_slot) {
                (Others::InAnotherSlot, _) => {
                    "the model that is there stays in its slot, and runs again should this break off".to_owned()
                }
                (Others::None, Some(_)) => "the other slot stays as it is: it holds no model".to_owned(),
                (Others::None, None) => {
                    "there is one slot: should this break off, the runner has no model until it is flashed again"
                        .to_owned()
                }
            });
        }
        Ok(plan)
    }

    fn add(
        &mut self,
        part: Part,
        address: u64,
        bytes: &[u8],
        layout: &FlashLayout,
        memory: &Memory,
    ) -> Result<(), PlanError> {
        let region = Region { start: address, length: bytes.len() as u64 };
        if !layout.holds(region) {
            let (chip, flash) = (layout.chip.clone(), layout.flash.clone());
            return Err(PlanError::BeyondFlash { part: part.to_string(), region, chip, flash });
        }
        for sector in layout.sectors_of(region) {
            if let Some(protected) = memory.protected.iter().find(|region| region.overlaps(sector)) {
                return Err(PlanError::Protected { part: part.to_string(), sector, protected: *protected });
            }
            let index = match self.sectors.binary_search_by_key(&sector.start, |known| known.region.start) {
                Ok(index) => index,
                Err(index) => {
                    let bytes = vec![layout.erased_byte; sector.length as usize];
                    let new = Sector { region: sector, part, bytes, covered: Vec::new(), seal: None };
                    self.sectors.insert(index, new);
                    index
                }
            };
            let planned = &mut self.sectors[index];
            if planned.part != part {
                return Err(PlanError::SharedSector { sector });
            }
            let (start, end) = (region.start.max(sector.start), region.end().min(sector.end()));
            let (from, to) = ((start - sector.start) as usize, (end - sector.start) as usize);
            planned.bytes[from..to]
                .copy_from_slice(&bytes[(start - address) as usize..(end - address) as usize]);
            planned.covered.push((from, to));
        }
        Ok(())
    }

    /// Lets the program unit at `address` be the last one of its part.
    fn seal(&mut self, address: u64) {
        let holds = |sector: &&mut Sector| (sector.region.start..sector.region.end()).contains(&address);
        if let Some(sector) = self.sectors.iter_mut().find(holds) {
            sector.seal = Some((address - sector.region.start) as usize / self.unit_bytes * self.unit_bytes);
        }
    }

    fn describe(&mut self, part: Part, address: u64, bytes: usize) {
        let of_part = self.sectors.iter().filter(|sector| sector.part == part);
        let (count, total) =
            of_part.fold((0, 0), |(count, total), sector| (count + 1, total + sector.region.length));
        let sectors = if count == 1 { "sector" } else { "sectors" };
        self.lines.push(format!(
            "{part}: {} at {address:#010x}, in {count} {sectors} ({})",
            Bytes(bytes as u64),
            Bytes(total)
        ));
    }

    /// What is written where, a line each.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Bytes of all sectors.
    pub fn bytes(&self) -> u64 {
        self.sectors.iter().map(|sector| sector.region.length).sum()
    }

    /// What is to be done where the sectors that `is_there` knows are as they should be.
    pub(super) fn steps(&self, is_there: &[bool]) -> Steps<'_> {
        let changed = |part: Part| {
            let of_part = self.sectors.iter().zip(is_there).filter(move |(sector, _)| sector.part == part);
            of_part.clone().any(|(_, is_there)| !is_there)
        };
        let mut steps = Steps::default();
        for (sector, is_there) in self.sectors.iter().zip(is_there) {
            match sector.seal {
                // What makes a part valid goes first and comes last, whatever of the part changes.
                Some(_) if changed(sector.part) => steps.sealed.push(sector),
                None if !is_there => steps.others.push(sector),
                _ => {}
            }
        }
        // The model's record before the vectors: once these are there, everything is.
        steps.sealed.sort_by_key(|sector| sector.part == Part::Runner);
        steps
    }
}

/// Sectors to write: those that make a part valid are erased first, then all others are written, then they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Steps<'p> {
    /// In the order in which they are programmed; erased in the opposite one.
    pub sealed: Vec<&'p Sector>,
    /// By address.
    pub others: Vec<&'p Sector>,
}

impl Steps<'_> {
    pub fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.others.is_empty()
    }

    pub fn bytes(&self) -> u64 {
        self.sealed.iter().chain(&self.others).map(|sector| sector.region.length).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgepkg_boards::Flash;

    fn region(start: u64, length: u64) -> Region {
        Region { start, length }
    }

    fn layout() -> FlashLayout {
        FlashLayout {
            chip: "test".to_owned(),
            flash: vec![region(0, 0x4000)],
            sectors: (0..16).map(|index| region(index * 0x400, 0x400)).collect(),
            page_bytes: 0x400,
            erased_byte: 0xFF,
        }
    }

    fn memory(protected: Vec<Region>) -> Memory {
        Memory {
            code: region(0, 0x2000),
            ram: region(0x2000_0000, 0x1000),
            model_slot: region(0x2000, 0x2000),
            second_model_slot: None,
            stack_bytes: 256,
            flash: Flash { erase_sector_bytes: 0x400, program_unit_bytes: 4 },
            protected,
        }
    }

    fn slot(artifact: &[u8]) -> Option<SlotContents<'_>> {
        let (slot, record, others) = (region(0x2000, 0x2000), Record::Written, Others::None);
        Some(SlotContents { artifact, slot, counter: 1, record, others })
    }

    #[test]
    fn what_makes_a_part_valid_is_erased_first_and_written_last() {
        let runner = [(0, vec![1; 0x900])];
        let artifact = vec![2; 0x500];
        let contents = Contents { runner: &runner, model: slot(&artifact) };
        let plan = Plan::of(&contents, &layout(), &memory(Vec::new())).unwrap();
        let starts: Vec<_> = plan.sectors.iter().map(|sector| sector.region.start).collect();
        assert_eq!(starts, [0, 0x400, 0x800, 0x2000, 0x2400, 0x3C00]);
        let steps = plan.steps(&[false; 6]);
        let sealed: Vec<_> = steps.sealed.iter().map(|sector| (sector.region.start, sector.seal)).collect();
        assert_eq!(sealed, [(0x3C00, Some(0x3F0)), (0, Some(4))]);
        assert_eq!(steps.others.len(), 4);
        assert_eq!(
            plan.lines(),
            [
                "the runner: 2.2 KiB at 0x00000000, in 3 sectors (3.0 KiB)",
                "the model: 1.2 KiB at 0x00002000, in 3 sectors (3.0 KiB)",
                "there is one slot: should this break off, the runner has no model until it is flashed again",
            ]
        );
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let runner = [(0, vec![1; 0x900])];
        let artifact = vec![2; 0x500];
        let contents = Contents { runner: &runner, model: slot(&artifact) };
        let plan = Plan::of(&contents, &layout(), &memory(Vec::new())).unwrap();
        assert!(plan.steps(&[true; 6]).is_empty());
        // One sector of the model: its record goes and comes back; the runner stays.
        let steps = plan.steps(&[true, true, true, true, false, true]);
        let starts =
            |sectors: &[&Sector]| sectors.iter().map(|sector| sector.region.start).collect::<Vec<_>>();
        assert_eq!(starts(&steps.others), [0x2400]);
        assert_eq!(starts(&steps.sealed), [0x3C00]);
        let sector = &plan.sectors[2];
        let mut found = vec![7; 0x400];
        found[..0x100].fill(1);
        assert!(sector.is_in(&found), "what follows the runner does not matter");
        found[3] = 0;
        assert_eq!(sector.first_difference(&found), Some((0x803, 1, 0)));
    }

    #[test]
    fn what_must_not_be_written_is_refused() {
        let check = |address: u64, length: usize, protected: Vec<Region>, expected: &str| {
            let runner = [(address, vec![1; length])];
            let contents = Contents { runner: &runner, model: slot(&[2; 16]) };
            let error = Plan::of(&contents, &layout(), &memory(protected)).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check(
            0x3C00,
            0x800,
            Vec::new(),
            "the runner would lie at 0x00003c00 to 0x00004400, and the flash of `test` is at 0x00000000 to 0x00004000",
        );
        check(
            0x100,
            0x10,
            vec![region(0x200, 0x10)],
            "the runner would take the sector at 0x00000000 to 0x00000400, and 0x00000200 to 0x00000210 is protected by \
             the board's file",
        );
        check(0x1F00, 0x200, Vec::new(), "runner and model share the sector at 0x00002000 to 0x00002400");
        let large = vec![0; 0x2000];
        let contents = Contents { runner: &[], model: slot(&large) };
        let error = Plan::of(&contents, &layout(), &memory(Vec::new())).unwrap_err();
        assert_eq!(error.to_string(), "the model has 8192 bytes, the slot takes 8176");
    }
}
