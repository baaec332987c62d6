//! Flash and RAM of a linked runner.

use edgepkg_boards::Memory;
use object::{File, Object as _, ObjectSegment as _, ObjectSymbol as _};

use super::FitError;

/// What a runner takes of a board's memory, whatever the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunnerSize {
    /// From the start of the code region to the last byte that is loaded there.
    pub code_bytes: u64,
    /// Between stack and arena.
    pub static_bytes: u64,
}

/// The symbols at the stack's upper end, where variables begin, and where they end.
const VARIABLES_START: &str = "_stack_start";
const VARIABLES_END: &str = "_arena_start";

impl RunnerSize {
    pub(super) fn of(elf: &[u8], memory: &Memory) -> Result<Self, FitError> {
        let file = File::parse(elf)?;
        let symbol = |name: &'static str| {
            let found = file.symbols().find(|symbol| symbol.name() == Ok(name));
            found.map(|symbol| symbol.address()).ok_or(FitError::NoSymbol { name })
        };
        let static_bytes = symbol(VARIABLES_END)?.saturating_sub(symbol(VARIABLES_START)?);
        // Initial values of variables are stored behind the code, and copied to RAM at the start.
        let stored = file.segments().filter(|segment| segment.file_range().1 > 0);
        let constant = stored.filter(|segment| !overlaps(segment.address(), memory.ram));
        let code_end = constant.map(|segment| segment.address() + segment.file_range().1).max();
        let initial_bytes: u64 = file
            .segments()
            .filter(|segment| overlaps(segment.address(), memory.ram))
            .map(|segment| segment.file_range().1)
            .sum();
        let code_bytes = code_end.map_or(0, |end| end.saturating_sub(memory.code.start)) + initial_bytes;
        Ok(Self { code_bytes, static_bytes })
    }
}

fn overlaps(address: u64, region: edgepkg_boards::Region) -> bool {
    (region.start..region.end()).contains(&address)
}
