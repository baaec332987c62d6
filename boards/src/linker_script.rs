//! Linker scripts for Cortex-M runners, and where a board puts what they place.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{Board, Memory, Region, RunnerLayout};

/// Where a Cortex-M image lies, and the numbers it takes as linker symbols: all that differs between two boards of one
/// instruction set.
///
/// RAM holds, from its start: the stack, `.data`, `.bss`, and in all that is left the arena. The stack
/// grows down towards the start of RAM, so that an overflow is a bus fault and never reaches variables
/// or the arena. Symbols for the image: `_stack_start` (its top), `_stack_end`, `_arena_start`,
/// `_arena_end`, `_model_slot_start`, `_model_slot_end`, `_second_slot_start` and `_second_slot_end` (0 where there is none), `_program_unit`, those of start-up
/// (`_data_start`, `_data_end`, `_data_load`, `_bss_start`, `_bss_end`), and the runner's own of the
/// board file, of which `_timer` is 0 where there is none.
pub fn linker_script(board: &Board) -> Option<String> {
    let Memory { code, model_slot, second_model_slot, flash, .. } = board.memory.as_ref()?;
    let second = second_model_slot.map_or((0, 0), |slot| (slot.start, slot.end()));
    let slot = [
        ("_model_slot_start", model_slot.start),
        ("_model_slot_end", model_slot.end()),
        ("_second_slot_start", second.0),
        ("_second_slot_end", second.1),
        ("_program_unit", u64::from(flash.program_unit_bytes)),
        ("_erase_sector", u64::from(flash.erase_sector_bytes)),
    ];
    script_with(board, *code, &slot)
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
