//! The board that a chip makes by itself: all that a runner needs is its core and its memory map, which probe-rs knows.

use std::fmt::Write as _;

use edgepkg_boards::{Board, Region};
use edgepkg_format::Isa;
use probe_rs::Target;
use probe_rs::config::CoreType;

use super::error::DeployError;
use super::target;

/// The runner's flash, and the least that a slot is worth.
const CODE_BYTES: u64 = 128 << 10;
const LEAST_SLOT_BYTES: u64 = 32 << 10;
/// From how much RAM on the stack may have its usual size.
const LARGE_RAM_BYTES: u64 = 64 << 10;

/// Families whose flash holds more than code, by how their chips' names start.
const BOOT_METADATA: &[(&[&str], &str)] = &[
    (&["RP2040"], "its boot ROM wants a second stage at the start of its flash"),
    (&["RP235"], "its boot ROM wants a block that describes the image"),
    (&["MK", "S32K"], "the flash configuration field at 0x400 can lock it for good"),
    (&["LPC"], "its vectors need a checksum, and a word at 0x2fc can lock it for good"),
    (&["CC13", "CC26", "CC23", "CC27"], "the configuration at the end of its flash can lock it for good"),
    (&["MCX"], "its boot ROM reads an image header among the vectors"),
    (&["CY8C", "PSC"], "its boot ROM looks for a table of contents"),
    (&["ADUCM"], "the words at 0x180 can lock it for good"),
    (&["MIMXRT"], "its boot ROM wants a configuration block before the image"),
    (&["R7F"], "option-setting memory at 0x400 can lock it for good"),
    (&["HC32"], "the configuration words at 0x400 can lock it"),
    (&["XMC1"], "words behind its vectors set up clock and boot mode"),
    (&["AMA"], "a boot loader lies at the start of its flash"),
];

/// What is special about the start of the flash of `chip`, where something is.
fn boot_metadata(chip: &str) -> Option<&'static str> {
    let starts =
        |prefix: &&str| chip.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    BOOT_METADATA.iter().find(|(prefixes, _)| prefixes.iter().any(starts)).map(|(_, what)| *what)
}

/// The board that the chip called `name` makes: the runner at the start of its flash, models behind it.
///
/// # Errors
///
/// Where probe-rs does not know the chip, its family keeps boot metadata in flash, there is no runner for its core, or its
/// memory is too small.
pub fn board_of_chip(name: &str) -> Result<Board, DeployError> {
    let registry = target::registry();
    of_target(&target::find(&registry, name)?)
}

fn of_target(target: &Target) -> Result<Board, DeployError> {
    let chip = target.name.clone();
    if let Some(reason) = boot_metadata(&chip) {
        return Err(DeployError::BootMetadata { chip, reason });
    }
    let unfit = |reason: String| DeployError::UnfitChip { chip: chip.clone(), reason };
    let (isa, triple) = target.cores.first().and_then(|core| isa_of(core.core_type)).ok_or_else(|| {
        let core = target.cores.first().map_or("unknown", |core| target::core_name(core.core_type));
        unfit(format!("there is no runner for its core ({core})"))
    })?;
    let layout = target::flash_layout(target);
    let flash =
        *layout.flash.first().ok_or_else(|| unfit("it has no flash that a probe can program".to_owned()))?;
    let sectors: Vec<Region> = layout.sectors_of(flash).collect();
    let code = sectors.iter().find(|sector| sector.end() - flash.start >= CODE_BYTES);
    let code = code.map(|last| Region { start: flash.start, length: last.end() - flash.start });
    let slots = code.and_then(|code| slots(&sectors, code.end()));
    let (code, slots) = code.zip(slots).ok_or_else(|| {
        let least = (CODE_BYTES + LEAST_SLOT_BYTES) >> 10;
        unfit(format!(
            "its flash has {} KiB, and runner and model take {least} KiB at least",
            flash.length >> 10
        ))
    })?;
    let ram = target::ram(target).into_iter().max_by_key(|ram| (ram.length, std::cmp::Reverse(ram.start)));
    let ram = ram.ok_or_else(|| unfit("it has no RAM for variables".to_owned()))?;
    let stack_bytes = if ram.length >= LARGE_RAM_BYTES { 8 << 10 } else { 2 << 10 };
    let sector_bytes = sectors.iter().map(|sector| sector.length).max().unwrap_or_default();
    let mut memory = format!("code = {}\nram = {}\n", region_text(code), region_text(ram));
    for (name, slot) in ["model_slot", "second_model_slot"].iter().zip(slots) {
        let _ = writeln!(memory, "{name} = {}", region_text(slot));
    }
    let text = format!(
        "name = \"{}\"\ndescription = \"{chip}\"\ntier = \"built\"\nchip = \"{chip}\"\nisa = \"{}\"\n\
         target = \"{triple}\"\ndeploy = \"probe\"\ntransport = \"rtt\"\n\
         [memory]\n{memory}stack = \"{stack_bytes}\"\n\
         flash = {{ erase_sector = \"{sector_bytes}\", program_unit = {} }}\n\
         [runner]\nimage = \"cortex-m\"\nformat = \"elf\"\nlayout = \"generated\"\n",
        board_name(&chip),
        isa.name(),
        layout.page_bytes,
    );
    Board::from_toml(&chip, &text).map_err(|error| {
        unfit(std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string))
    })
}

/// The name that the board of `chip` goes by.
fn board_name(chip: &str) -> String {
    chip.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn region_text(Region { start, length }: Region) -> String {
    format!("{{ start = \"{start:#x}\", length = \"{length}\" }}")
}

/// The instruction set whose runner a core takes, and the target it is compiled for. A Cortex-M3 runs what a Cortex-M0
/// does.
fn isa_of(core: CoreType) -> Option<(Isa, &'static str)> {
    match core {
        CoreType::Armv6m | CoreType::Armv7m => Some((Isa::Armv6m, "thumbv6m-none-eabi")),
        CoreType::Armv7em => Some((Isa::Armv7em, "thumbv7em-none-eabihf")),
        CoreType::Armv8m => Some((Isa::Armv8mMainDsp, "thumbv8m.main-none-eabi")),
        _ => None,
    }
}

/// Two slots of the same length from `start` on, where there are sectors for two; else one of all that is left.
fn slots(sectors: &[Region], start: u64) -> Option<Vec<Region>> {
    let ends: Vec<u64> = sectors.iter().map(|sector| sector.end()).filter(|&end| end > start).collect();
    let last = *ends.last()?;
    let two = ends.iter().rev().map(|end| end - start).find(|length| ends.contains(&(start + 2 * length)));
    match two.filter(|&length| length >= LEAST_SLOT_BYTES) {
        Some(length) => Some(vec![Region { start, length }, Region { start: start + length, length }]),
        None => (last - start >= LEAST_SLOT_BYTES).then(|| vec![Region { start, length: last - start }]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_makes_a_board_with_the_runner_first_and_two_slots_where_they_fit() {
        let board = board_of_chip("nRF52833_xxAA").unwrap();
        let memory = board.memory.unwrap();
        assert_eq!(board.name, "nRF52833-xxAA");
        assert_eq!(memory.code, Region { start: 0, length: 128 << 10 });
        assert_eq!(memory.model_slot, Region { start: 128 << 10, length: 192 << 10 });
        assert_eq!(memory.second_model_slot, Some(Region { start: 320 << 10, length: 192 << 10 }));
        assert_eq!(memory.ram, Region { start: 0x2000_0000, length: 128 << 10 });
        // Sectors of 16, 64 and 128 KiB: the runner takes the first five.
        let memory = board_of_chip("STM32F411RE").unwrap().memory.unwrap();
        assert_eq!(memory.code, Region { start: 0x0800_0000, length: 128 << 10 });
        assert_eq!(memory.model_slot, Region { start: 0x0802_0000, length: 128 << 10 });
        assert_eq!(memory.second_model_slot, Some(Region { start: 0x0804_0000, length: 128 << 10 }));
    }

    #[test]
    fn chips_that_a_wrong_byte_can_lock_and_those_too_small_are_refused() {
        let message = |chip: &str| board_of_chip(chip).unwrap_err().to_string();
        assert_eq!(
            message("RP2040"),
            "`RP2040` is flashed by a board file only: its boot ROM wants a second stage at the start of its flash"
        );
        for chip in
            ["RP2350", "MK64FN1M0VLL12", "LPC55S69", "CC2652R1F", "MIMXRT1010", "R7FA4M1AB", "aducm3029"]
        {
            assert!(boot_metadata(chip).is_some(), "{chip}");
        }
        assert_eq!(
            message("STM32F103C8"),
            "`STM32F103C8` cannot be used: its flash has 64 KiB, and runner and model take 160 KiB at least"
        );
        assert_eq!(isa_of(CoreType::Riscv), None);
    }

    /// Whatever a chip's description says, there is a board or an error; and of a board what a plan demands holds.
    #[test]
    fn every_chip_makes_a_board_or_says_why_not() {
        let registry = target::registry();
        let names =
            registry.families().iter().flat_map(|family| &family.variants).map(|chip| chip.name.clone());
        let mut boards = 0;
        for name in names.collect::<Vec<_>>() {
            let target = registry.get_target_by_name(&name).unwrap();
            let Ok(board) = of_target(&target) else { continue };
            let layout = target::flash_layout(&target);
            let memory = board.memory.unwrap();
            assert!(memory.written().all(|region| layout.holds(region)), "{name}");
            boards += 1;
        }
        assert!(boards > 1000, "{boards} boards");
    }
}
