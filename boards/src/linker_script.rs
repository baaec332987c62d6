//! Linker scripts for Cortex-M runners.

use std::fmt::Write as _;

use crate::{Board, Memory, Region};

/// The linker script of a Cortex-M runner on `board`; `None` for a board without memory (`host`).
///
/// RAM holds, from its start: the stack, `.data`, `.bss`, and in all that is left the arena. The stack
/// grows down towards the start of RAM, so that an overflow is a bus fault and never reaches variables
/// or the arena. Symbols for the image: `_stack_start` (its top), `_stack_end`, `_arena_start`,
/// `_arena_end`, `_model_slot_start`, `_model_slot_end`, `_program_unit`, those of start-up
/// (`_data_start`, `_data_end`, `_data_load`, `_bss_start`, `_bss_end`), and the runner's own of the
/// board file, of which `_timer` is 0 where there is none.
pub fn linker_script(board: &Board) -> Option<String> {
    let Memory { code, model_slot, flash, .. } = board.memory.as_ref()?;
    let slot = [
        ("_model_slot_start", model_slot.start),
        ("_model_slot_end", model_slot.end()),
        ("_program_unit", u64::from(flash.program_unit_bytes)),
        ("_erase_sector", u64::from(flash.erase_sector_bytes)),
    ];
    script_with(board, *code, &slot)
}

/// The linker script of an image that holds its model itself: as [`linker_script`], without a model slot. Where the
/// slot follows the code, the image may take both.
pub fn embedded_linker_script(board: &Board) -> Option<String> {
    script_with(board, board.memory.as_ref()?.image(), &[])
}

fn script_with(board: &Board, code: Region, more: &[(&str, u64)]) -> Option<String> {
    let Memory { ram, stack_bytes, .. } = board.memory.as_ref()?;
    let mut script = format!("/* {}: made from its board file. */\n", board.name);
    let numbers =
        [("_stack_end", ram.start), ("_stack_start", ram.start + stack_bytes), ("_arena_end", ram.end())];
    let own = board.runner.iter().flat_map(|runner| &runner.symbols);
    let _ = write!(
        script,
        "MEMORY\n{{\n  CODE (rx) : ORIGIN = {:#x}, LENGTH = {:#x}\n  RAM (rw) : ORIGIN = {:#x}, LENGTH = {:#x}\n}}\n",
        code.start,
        code.length,
        ram.start + stack_bytes,
        ram.length - stack_bytes
    );
    let numbers = more.iter().copied().chain(numbers);
    for (name, value) in numbers.chain(own.map(|(name, value)| (name.as_str(), *value))) {
        let _ = writeln!(script, "{name} = {value:#x};");
    }
    script.push_str(SECTIONS);
    Some(script)
}

const SECTIONS: &str = "\
PROVIDE(_timer = 0);
PROVIDE(_instructions_per_tick = 1);
ENTRY(reset)
EXTERN(VECTORS)
SECTIONS
{
  .vectors ORIGIN(CODE) : { KEEP(*(.vectors)) } > CODE
  .text : ALIGN(4) { *(.text .text.*) } > CODE
  .rodata : ALIGN(16) { *(.rodata .rodata.*) . = ALIGN(4); } > CODE
  .data : ALIGN(4)
  {
    _data_start = .;
    *(.data .data.*)
    . = ALIGN(4);
    _data_end = .;
  } > RAM AT > CODE
  _data_load = LOADADDR(.data);
  .bss (NOLOAD) : ALIGN(4)
  {
    _bss_start = .;
    *(.bss .bss.* COMMON)
    . = ALIGN(4);
    _bss_end = .;
  } > RAM
  _arena_start = ALIGN(_bss_end, 16);
  ASSERT(_arena_start <= _arena_end, \"the RAM holds no arena\")
  /DISCARD/ : { *(.ARM.exidx .ARM.exidx.*) *(.ARM.extab .ARM.extab.*) *(.eh_frame) }
}
";
