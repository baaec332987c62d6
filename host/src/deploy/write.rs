//! Carries out a plan.

use edgepkg_boards::{Memory, Region};
use probe_rs::MemoryInterface as _;
use probe_rs::flashing::{
    self, DownloadOptions, FlashError, FlashProgress, Flasher, ProgressEvent, ProgressOperation,
};

use super::connection::{CORE, Connection};
use super::error::{Cause, DeployError, LeftBehind};
use super::events::{Event, Operation};
use super::plan::{Contents, Others, Part, Plan, Sector, Steps};
use super::target::{Programmable, programmable};

/// What was done to a flash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the sectors that were erased and programmed.
    pub written_bytes: u64,
    /// Bytes of the sectors that held already what they should.
    pub unchanged_bytes: u64,
}

/// Who is told how far it is.
type Events<'e> = &'e mut dyn FnMut(Event);

impl Connection {
    /// What it takes to put `contents` on the board.
    ///
    /// # Errors
    ///
    /// Where it cannot be there: see [`PlanError`](super::PlanError). The chip is not touched.
    pub fn plan(&self, contents: &Contents<'_>, memory: &Memory) -> Result<Plan, DeployError> {
        Ok(Plan::of(contents, &self.layout, memory)?)
    }

    /// Writes what of `plan` is not there, and compares it with what it should be. The chip is left halted.
    ///
    /// # Errors
    ///
    /// Where it breaks off, with what the board does then.
    pub fn write(&mut self, plan: &Plan, events: Events<'_>) -> Result<Written, DeployError> {
        let mut work = Work { connection: self, plan, events, left: LeftBehind::Unchanged };
        let is_there = work.compare()?;
        let steps = plan.steps(&is_there);
        let written_bytes = steps.bytes();
        if !steps.is_empty() {
            work.erase_seals(&steps)?;
            work.write_others(&steps)?;
            work.write_seals(&steps)?;
        }
        Ok(Written { written_bytes, unchanged_bytes: plan.bytes() - written_bytes })
    }
}

impl Connection {
    /// Writes `bytes` at `address` as probe-rs does by itself, and lets it verify them: what
    /// [`write`](Connection::write) is measured against.
    ///
    /// # Errors
    ///
    /// Where it breaks off.
    pub fn download(&mut self, address: u64, bytes: &[u8]) -> Result<(), DeployError> {
        let mut loader = self.session.target().flash_loader();
        let mut options = DownloadOptions::new();
        options.verify = true;
        let downloaded =
            loader.add_data(address, bytes).and_then(|()| loader.commit(&mut self.session, options));
        downloaded.map_err(|error| DeployError::BrokenOff {
            board: self.board.clone(),
            operation: Operation::Program,
            cause: Cause::of_flash(&error),
            left: LeftBehind::Nothing,
        })
    }
}

struct Work<'w> {
    connection: &'w mut Connection,
    plan: &'w Plan,
    events: Events<'w>,
    left: LeftBehind,
}

impl Work<'_> {
    fn broken_off(&self, operation: Operation, cause: Cause) -> DeployError {
        DeployError::BrokenOff { board: self.connection.board.clone(), operation, cause, left: self.left }
    }

    fn read(&mut self, region: Region, operation: Operation) -> Result<Vec<u8>, DeployError> {
        let mut bytes = vec![0; region.length as usize];
        let read =
            self.connection.session.core(CORE).and_then(|mut core| core.read(region.start, &mut bytes));
        read.map_err(|error| self.broken_off(operation, Cause::of(&error)))?;
        Ok(bytes)
    }

    /// Which of the plan's sectors are there.
    fn compare(&mut self) -> Result<Vec<bool>, DeployError> {
        let halted = self.connection.halt();
        halted.map_err(|error| self.broken_off(Operation::Compare, Cause::of(&error)))?;
        let total_bytes = self.plan.bytes();
        let mut done_bytes = 0;
        let mut is_there = Vec::with_capacity(self.plan.sectors.len());
        for sector in &self.plan.sectors {
            let found = self.read(sector.region, Operation::Compare)?;
            is_there.push(sector.is_in(&found));
            done_bytes += sector.region.length;
            (self.events)(Event { operation: Operation::Compare, done_bytes, total_bytes });
        }
        Ok(is_there)
    }

    /// Erases what makes the parts valid that change. From here on the board runs no half of them.
    fn erase_seals(&mut self, steps: &Steps<'_>) -> Result<(), DeployError> {
        for sector in steps.sealed.iter().rev() {
            let region = sector.region;
            let erased = flashing::erase(
                &mut self.connection.session,
                &mut FlashProgress::empty(),
                region.start,
                region.end(),
                false,
            );
            // A cut may leave it half erased, which is as good as erased.
            self.left = match (self.left, sector.part, self.plan.others) {
                (_, Part::Runner, _) | (LeftBehind::Nothing, _, _) => LeftBehind::Nothing,
                (_, Part::Model, Others::InAnotherSlot) => LeftBehind::OldModel,
                (_, Part::Model, Others::None) => LeftBehind::NoModel,
            };
            erased.map_err(|error| self.broken_off(Operation::Erase, Cause::of_flash(&error)))?;
        }
        Ok(())
    }

    fn write_others(&mut self, steps: &Steps<'_>) -> Result<(), DeployError> {
        if steps.others.is_empty() {
            return Ok(());
        }
        let total_bytes = steps.bytes();
        let mut loader = self.connection.session.target().flash_loader();
        for sector in &steps.others {
            let added = loader.add_data(sector.region.start, &sector.bytes);
            added.map_err(|error| self.broken_off(Operation::Program, Cause::of_flash(&error)))?;
        }
        let mut now = Operation::Erase;
        let (mut erased_bytes, mut programmed_bytes) = (0, 0);
        let events = &mut self.events;
        let mut options = DownloadOptions::new();
        options.progress = FlashProgress::new(|event| {
            let ProgressEvent::Progress { operation, size, .. } = event else { return };
            let (operation, done_bytes) = match operation {
                ProgressOperation::Erase => (Operation::Erase, &mut erased_bytes),
                ProgressOperation::Program => (Operation::Program, &mut programmed_bytes),
                _ => return,
            };
            now = operation;
            *done_bytes += size;
            events(Event { operation, done_bytes: *done_bytes, total_bytes });
        });
        let committed = loader.commit(&mut self.connection.session, options);
        committed.map_err(|error| self.broken_off(now, Cause::of_flash(&error)))?;
        self.verify(&steps.others, 0, total_bytes)
    }

    fn write_seals(&mut self, steps: &Steps<'_>) -> Result<(), DeployError> {
        let total_bytes = steps.bytes();
        let mut done_bytes =
            total_bytes - steps.sealed.iter().map(|sector| sector.region.length).sum::<u64>();
        for sector in &steps.sealed {
            let programmed = self.program_sealed(sector);
            programmed.map_err(|error| self.broken_off(Operation::Program, Cause::of_flash(&error)))?;
            let before = done_bytes;
            done_bytes += sector.region.length;
            (self.events)(Event { operation: Operation::Program, done_bytes, total_bytes });
            self.verify(&[sector], before, total_bytes)?;
        }
        Ok(())
    }

    /// Programs a sector page by page, the page with its seal last and of that the seal's unit last.
    fn program_sealed(&mut self, sector: &Sector) -> Result<(), FlashError> {
        let session = &mut self.connection.session;
        let target = session.target().clone();
        let found = programmable(&target).into_iter().find(|place| place.region.overlaps(sector.region));
        let Some(Programmable { algorithm, index, core, .. }) = found else {
            return Err(FlashError::AlgorithmNotFound {
                name: target.name.clone(),
                algo_name: String::new(),
            });
        };
        let mut flasher = Flasher::new(&target, core, &target.flash_algorithms[index])?;
        let mut progress = FlashProgress::empty();
        let page_bytes = algorithm.flash_properties.page_size as usize;
        let buffer = algorithm.page_buffers[0];
        // Loads the algorithm, which resets the chip; what is then in the buffer stays there.
        flasher.run_program(session, &mut progress, |_, _| Ok(()))?;
        for Call { offset, length } in calls(sector, page_bytes, self.plan.unit_bytes) {
            let bytes = &sector.bytes[offset..offset + length];
            if bytes.iter().all(|byte| *byte == self.connection.layout.erased_byte) {
                continue;
            }
            let mut core = session.core(core).map_err(FlashError::Core)?;
            core.write(buffer, bytes).map_err(FlashError::Core)?;
            drop(core);
            let address = sector.region.start + offset as u64;
            flasher.run_program(session, &mut progress, |active, _| {
                active.start_program_page_with_buffer(buffer, address, length as u64)?;
                active.wait_for_write_end(address)
            })?;
        }
        Ok(())
    }

    fn verify(&mut self, sectors: &[&Sector], done_bytes: u64, total_bytes: u64) -> Result<(), DeployError> {
        let halted = self.connection.halt();
        halted.map_err(|error| self.broken_off(Operation::Verify, Cause::of(&error)))?;
        let mut done_bytes = done_bytes;
        for sector in sectors {
            let found = self.read(sector.region, Operation::Verify)?;
            if let Some((address, expected, found)) = sector.first_difference(&found) {
                let (board, left) = (self.connection.board.clone(), self.left);
                return Err(DeployError::Mismatch { board, address, expected, found, left });
            }
            done_bytes += sector.region.length;
            (self.events)(Event { operation: Operation::Verify, done_bytes, total_bytes });
        }
        Ok(())
    }
}

/// One call of the algorithm that programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    offset: usize,
    length: usize,
}

/// The calls that program `sector`, the seal's unit in the last one. A unit as large as a page is a page.
fn calls(sector: &Sector, page_bytes: usize, unit_bytes: usize) -> Vec<Call> {
    let seal = sector.seal.unwrap_or_default();
    let sealed_page = seal / page_bytes * page_bytes;
    let pages = (0..sector.bytes.len()).step_by(page_bytes);
    let mut calls: Vec<Call> = pages
        .filter(|&offset| offset != sealed_page)
        .map(|offset| Call { offset, length: page_bytes.min(sector.bytes.len() - offset) })
        .collect();
    let page_end = (sealed_page + page_bytes).min(sector.bytes.len());
    let unit_end = (seal + unit_bytes).min(page_end);
    for (start, end) in [(sealed_page, seal), (unit_end, page_end), (seal, unit_end)] {
        if start < end {
            calls.push(Call { offset: start, length: end - start });
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seal_comes_last() {
        let check = |seal: usize, page_bytes: usize, unit_bytes: usize, expected: &[(usize, usize)]| {
            let sector = Sector {
                region: Region { start: 0, length: 1024 },
                part: Part::Runner,
                bytes: vec![0; 1024],
                covered: vec![(0, 1024)],
                seal: Some(seal),
            };
            let calls: Vec<_> = calls(&sector, page_bytes, unit_bytes)
                .into_iter()
                .map(|Call { offset, length }| (offset, length))
                .collect();
            assert_eq!(calls, expected);
        };
        check(4, 1024, 4, &[(0, 4), (8, 1016), (4, 4)]);
        check(0, 1024, 8, &[(8, 1016), (0, 8)]);
        check(0, 256, 256, &[(256, 256), (512, 256), (768, 256), (0, 256)]);
        check(1008, 512, 16, &[(0, 512), (512, 496), (1008, 16)]);
    }
}
