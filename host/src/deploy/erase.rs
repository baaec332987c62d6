//! Erases a board's flash.

use edgepkg_boards::{Board, Region};
use probe_rs::flashing::{self, FlashProgress};

use super::connection::Connection;
use super::error::{Cause, DeployError, LeftBehind};
use super::events::{Event, Operation};
use super::plan::PlanError;

/// How much is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erase {
    /// What the board's file gives runner and model.
    RunnerAndModel,
    /// All of the chip's flash.
    Everything,
}

impl Connection {
    /// Erases flash of `board`, the vectors first, and gives the number of bytes.
    ///
    /// # Errors
    ///
    /// Where the board's file protects some of it, or it breaks off.
    pub fn erase(
        &mut self,
        board: &Board,
        what: Erase,
        events: &mut dyn FnMut(Event),
    ) -> Result<u64, DeployError> {
        let memory = board.memory.as_ref();
        let protected = memory.map(|memory| memory.protected.clone()).unwrap_or_default();
        if let (Erase::Everything, Some(&protected), Some(&sector)) =
            (what, protected.first(), self.layout.flash.first())
        {
            let part = "erasing everything".to_owned();
            return Err(PlanError::Protected { part, sector, protected }.into());
        }
        let regions: Vec<Region> = match what {
            Erase::Everything => self.layout.flash.clone(),
            Erase::RunnerAndModel => memory.iter().flat_map(|memory| memory.written()).collect(),
        };
        let mut sectors: Vec<Region> =
            regions.iter().flat_map(|&region| self.layout.sectors_of(region)).collect();
        sectors.sort_by_key(|sector| sector.start);
        sectors.dedup();
        let bytes = |sectors: &[Region]| sectors.iter().map(|sector| sector.length).sum::<u64>();
        let total_bytes = bytes(&sectors);
        let mut done_bytes = 0;
        // Sectors that follow one another are erased by one call.
        for run in sectors.chunk_by(|a, b| a.end() == b.start) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let session = &mut self.session;
            let erased =
                flashing::erase(session, &mut FlashProgress::empty(), first.start, last.end(), false);
            erased.map_err(|error| DeployError::BrokenOff {
                board: board.name.clone(),
                operation: Operation::Erase,
                cause: Cause::of_flash(&error),
                // The vectors are in the first of them.
                left: LeftBehind::Nothing,
            })?;
            done_bytes += bytes(run);
            events(Event { operation: Operation::Erase, done_bytes, total_bytes });
        }
        Ok(total_bytes)
    }
}
