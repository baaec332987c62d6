//! Linker scripts for Cortex-M runners, and where a board puts what they place.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{Board, Memory, Region, RunnerLayout};

/// Where a Cortex-M image lies, and the numbers it takes as linker symbols: all that differs between two boards of one
/// instruction set.
///
/// RAM holds, from its start: the stack, `.data`, `.bss`, and in all that is left the arena. The stack
/// grows down towards the start of RAM, so that an overflow is a bus fault and never reaches variables
/// or the arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Vectors, code, constants, initial values of variables.
    pub code: Region,
    /// Variables and arena: the RAM above the stack.
    pub variables: Region,
    /// Symbols that are numbers: `_stack_start` (its top), `_stack_end`, `_arena_end`, `_model_slot_start`,
    /// `_model_slot_end`, `_second_slot_start` and `_second_slot_end` (0 where there is none), `_program_unit`,
    /// `_erase_sector`, and the runner's own of the board file.
    pub numbers: BTreeMap<String, u64>,
}

impl Placement {
    /// Where a runner on `board` lies; `None` for a board without memory (`host`), or whose image brings a layout of its
    /// own.
    pub fn of_runner(board: &Board) -> Option<Self> {
        let Memory { code, model_slot, second_model_slot, flash, .. } = board.memory.as_ref()?;
        let second = second_model_slot.unwrap_or(Region { start: 0, length: 0 });
        let slot = [
            ("_model_slot_start", model_slot.start),
            ("_model_slot_end", model_slot.end()),
            ("_second_slot_start", second.start),
            ("_second_slot_end", second.end()),
            ("_program_unit", u64::from(flash.program_unit_bytes)),
            ("_erase_sector", u64::from(flash.erase_sector_bytes)),
        ];
        Self::with(board, *code, &slot)
    }

    /// Where an image that holds its model itself lies: no model slot, and where that follows the code, its flash too.
    pub fn of_embedded(board: &Board) -> Option<Self> {
        Self::with(board, board.memory.as_ref()?.image(), &[])
    }

    /// Where prebuilt runners lie until they are moved to a board's memory: addresses that no board has, far enough
    /// apart for any.
    pub fn of_prebuilt() -> Self {
        let (code, ram) = (Region { start: 0x0800_0000, length: 16 << 20 }, 0x4000_0000);
        let variables = Region { start: ram + 0x1_0000, length: 16 << 20 };
        let numbers = [
            ("_stack_end", ram),
            ("_stack_start", variables.start),
            ("_arena_end", variables.end()),
            ("_model_slot_start", 0x1000_0000),
            ("_model_slot_end", 0x1100_0000),
            ("_second_slot_start", 0x1200_0000),
            ("_second_slot_end", 0x1300_0000),
            ("_program_unit", 4),
            ("_erase_sector", 4096),
        ];
        let numbers = numbers.into_iter().chain(RUNNER_NUMBERS).map(|(name, value)| (name.to_owned(), value));
        Self { code, variables, numbers: numbers.collect() }
    }

    fn with(board: &Board, code: Region, more: &[(&str, u64)]) -> Option<Self> {
        let Memory { ram, stack_bytes, .. } = board.memory.as_ref()?;
        let runner = board.runner.as_ref()?;
        if runner.layout == RunnerLayout::Own {
            return None;
        }
        let variables = Region { start: ram.start + stack_bytes, length: ram.length - stack_bytes };
        let numbers =
            [("_stack_end", ram.start), ("_stack_start", variables.start), ("_arena_end", ram.end())];
        let numbers = numbers.into_iter().chain(RUNNER_NUMBERS).chain(more.iter().copied());
        let mut numbers: BTreeMap<String, u64> =
            numbers.map(|(name, value)| (name.to_owned(), value)).collect();
        numbers.extend(runner.symbols.clone());
        Some(Self { code, variables, numbers })
    }

    /// The linker script that places an image so. Symbols for the image are [`numbers`](Self::numbers), those of start-up
    /// (`_data_start`, `_data_end`, `_data_load`, `_bss_start`, `_bss_end`) and `_arena_start`.
    pub fn linker_script(&self) -> String {
        let Self { code, variables, numbers } = self;
        let mut script = format!(
            "MEMORY\n{{\n  CODE (rx) : ORIGIN = {:#x}, LENGTH = {:#x}\n  RAM (rw) : ORIGIN = {:#x}, LENGTH = {:#x}\n}}\n",
            code.start, code.length, variables.start, variables.length
        );
        for (name, value) in numbers {
            let _ = writeln!(script, "{name} = {value:#x};");
        }
        script.push_str(SECTIONS);
        script
    }
}

/// What a runner takes of a board file, with the values of a board that has none of it: no serial port, no timer.
const RUNNER_NUMBERS: [(&str, u64); 3] = [("_uart", 0), ("_timer", 0), ("_instructions_per_tick", 1)];

/// The linker script of a Cortex-M runner on `board`; `None` as for [`Placement::of_runner`].
pub fn linker_script(board: &Board) -> Option<String> {
    Some(Placement::of_runner(board)?.linker_script())
}

/// The linker script of an image that holds its model itself: as [`linker_script`], without a model slot. Where the
/// slot follows the code, the image may take both.
pub fn embedded_linker_script(board: &Board) -> Option<String> {
    Some(Placement::of_embedded(board)?.linker_script())
}

// Segments are named, so that no linker puts the file's header before the vectors.
const SECTIONS: &str = "\
PHDRS
{
  vectors PT_LOAD FLAGS(4);
  code PT_LOAD FLAGS(5);
  constants PT_LOAD FLAGS(4);
  data PT_LOAD FLAGS(6);
  bss PT_LOAD FLAGS(6);
}
ENTRY(reset)
EXTERN(VECTORS)
SECTIONS
{
  .vectors ORIGIN(CODE) : { KEEP(*(.vectors)) } > CODE :vectors
  .text : ALIGN(4) { *(.text .text.*) } > CODE :code
  .rodata : ALIGN(16) { *(.rodata .rodata.*) . = ALIGN(4); } > CODE :constants
  .data : ALIGN(4)
  {
    _data_start = .;
    *(.data .data.*)
    . = ALIGN(4);
    _data_end = .;
  } > RAM AT > CODE :data
  _data_load = LOADADDR(.data);
  .bss (NOLOAD) : ALIGN(4)
  {
    _bss_start = .;
    *(.bss .bss.* COMMON)
    . = ALIGN(4);
    _bss_end = .;
  } > RAM :bss
  _arena_start = ALIGN(_bss_end, 16);
  ASSERT(_arena_start <= _arena_end, \"the RAM holds no arena\")
  /DISCARD/ : { *(.ARM.exidx .ARM.exidx.*) *(.ARM.extab .ARM.extab.*) *(.eh_frame) }
}
";
