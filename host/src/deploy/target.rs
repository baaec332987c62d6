//! What probe-rs knows of chips.

use std::ops::Range;

use edgepkg_boards::Region;
use probe_rs::Target;
use probe_rs::config::{CoreType, MemoryRegion, NvmRegion, Registry};
use probe_rs::flashing::FlashAlgorithm;
use serde::Serialize;

use super::error::DeployError;
use super::layout::FlashLayout;

/// A chip that a probe can program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChipEntry {
    /// The name that `--chip` and board files take.
    pub name: String,
    /// Its family.
    pub family: String,
    /// Its cores.
    pub cores: Vec<&'static str>,
    /// Bytes of its flash.
    pub flash_bytes: u64,
    /// Bytes of its RAM.
    pub ram_bytes: u64,
}

/// probe-rs's chips, and the parts that are simulated.
pub(super) fn registry() -> Registry {
    let mut registry = Registry::from_builtin_families();
    #[cfg(unix)]
    registry
        .add_target_family_from_yaml(edgepkg_vprobe::SIMULATED_TARGETS)
        .expect("a test reads the simulated parts");
    registry
}

/// The chip called `name`.
pub(super) fn find(registry: &Registry, name: &str) -> Result<Target, DeployError> {
    registry.get_target_by_name(name).map_err(|_| {
        let mut like: Vec<String> = registry.search_chips(name);
        like.sort();
        like.dedup();
        like.truncate(MOST_SUGGESTIONS);
        DeployError::UnknownChip { name: name.to_owned(), like }
    })
}

const MOST_SUGGESTIONS: usize = 8;

/// The chips whose name or family has `pattern` in it, whatever the case of its letters.
pub fn search_chips(pattern: &str) -> Vec<ChipEntry> {
    let pattern = pattern.to_lowercase();
    let registry = Registry::from_builtin_families();
    let mut found = Vec::new();
    for family in registry.families() {
        let whole_family = family.name.to_lowercase().contains(&pattern);
        for chip in &family.variants {
            if !whole_family && !chip.name.to_lowercase().contains(&pattern) {
                continue;
            }
            let bytes =
                |kind: fn(&MemoryRegion) -> Option<u64>| chip.memory_map.iter().filter_map(kind).sum();
            found.push(ChipEntry {
                name: chip.name.clone(),
                family: family.name.clone(),
                cores: chip.cores.iter().map(|core| core_name(core.core_type)).collect(),
                flash_bytes: bytes(|region| {
                    let region = region.as_nvm_region().filter(|region| !region.is_alias)?;
                    Some(region.range.end - region.range.start)
                }),
                ram_bytes: bytes(|region| {
                    let region = region.as_ram_region()?;
                    Some(region.range.end - region.range.start)
                }),
            });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

pub(super) fn core_name(core: CoreType) -> &'static str {
    match core {
        CoreType::Armv6m => "armv6m",
        CoreType::Armv7a => "armv7a",
        CoreType::Armv7r => "armv7r",
        CoreType::Armv7m => "armv7m",
        CoreType::Armv7em => "armv7em",
        CoreType::Armv8a => "armv8a",
        CoreType::Armv8m => "armv8m",
        CoreType::Riscv => "riscv",
        CoreType::Riscv64 => "riscv64",
        CoreType::Xtensa => "xtensa",
    }
}

/// The RAM of `target` where programs keep their variables (Armv7-M ARM, B3.1: SRAM), in the fewest pieces, by address.
pub(super) fn ram(target: &Target) -> Vec<Region> {
    let regions = target.memory_map.iter().filter_map(MemoryRegion::as_ram_region);
    let mut regions: Vec<Region> = regions
        .map(|region| Region { start: region.range.start, length: region.range.end - region.range.start })
        .filter(|region| SRAM.contains(&region.start))
        .collect();
    regions.sort_by_key(|region| region.start);
    regions.dedup_by(|next, region| {
        let follows = region.end() == next.start;
        if follows {
            region.length += next.length;
        }
        follows
    });
    regions
}

const SRAM: Range<u64> = 0x2000_0000..0x4000_0000;

/// A region of flash and the algorithm that writes it.
pub(super) struct Programmable {
    pub region: Region,
    pub algorithm: FlashAlgorithm,
    /// The algorithm's index among the target's.
    pub index: usize,
    pub core: usize,
}

/// The regions of `target`'s flash that have an algorithm.
pub(super) fn programmable(target: &Target) -> Vec<Programmable> {
    let regions = target.memory_map.iter().filter_map(MemoryRegion::as_nvm_region);
    regions.filter(|region| !region.is_alias).filter_map(|region| of_region(target, region)).collect()
}

fn of_region(target: &Target, region: &NvmRegion) -> Option<Programmable> {
    let core_name = region.cores.first()?;
    let core = target.cores.iter().position(|core| core.name == *core_name)?;
    let fitting = || {
        let algorithms = target.flash_algorithms.iter().enumerate();
        algorithms.filter(|(_, algorithm)| {
            let range = &algorithm.flash_properties.address_range;
            range.start <= region.range.start
                && region.range.end <= range.end
                && (algorithm.cores.is_empty() || algorithm.cores.contains(core_name))
        })
    };
    let (index, raw) = match fitting().count() {
        0 => return None,
        1 => fitting().next()?,
        _ => fitting().find(|(_, algorithm)| algorithm.default)?,
    };
    let algorithm = FlashAlgorithm::assemble_from_raw_with_core(raw, core_name, target).ok()?;
    let region = Region { start: region.range.start, length: region.range.end - region.range.start };
    Some(Programmable { region, algorithm, index, core })
}

/// How the flash of `target` is divided.
pub(super) fn flash_layout(target: &Target) -> FlashLayout {
    let mut layout = FlashLayout {
        chip: target.name.clone(),
        flash: Vec::new(),
        sectors: Vec::new(),
        page_bytes: 0,
        erased_byte: 0xFF,
    };
    for Programmable { region, algorithm, .. } in programmable(target) {
        layout.flash.push(region);
        let sectors = algorithm.iter_sectors();
        let sectors = sectors.map(|sector| Region { start: sector.base_address, length: sector.size });
        layout
            .sectors
            .extend(sectors.filter(|sector| region.start <= sector.start && sector.end() <= region.end()));
        layout.page_bytes = layout.page_bytes.max(u64::from(algorithm.flash_properties.page_size));
        layout.erased_byte = algorithm.flash_properties.erased_byte_value;
    }
    layout.flash.sort_by_key(|region| region.start);
    layout.sectors.sort_by_key(|sector| sector.start);
    layout
}

#[cfg(test)]
mod tests {
    use edgepkg_boards::{Board, Memory};
    use edgepkg_format::Isa;

    use super::*;

    fn runs(core: CoreType) -> &'static [Isa] {
        match core {
            CoreType::Armv6m => &[Isa::Armv6m],
            CoreType::Armv7m => &[Isa::Armv6m, Isa::Armv7m],
            CoreType::Armv7em => &[Isa::Armv6m, Isa::Armv7m, Isa::Armv7em],
            CoreType::Armv8m => &[Isa::Armv8mMain, Isa::Armv8mMainDsp, Isa::Armv81mMain],
            _ => &[],
        }
    }

    /// What of `board`'s file is otherwise in probe-rs's description of its chip.
    fn contradictions(board: &Board, target: &Target, memory: &Memory) -> Vec<String> {
        let layout = flash_layout(target);
        let mut found = Vec::new();
        let mut demand = |holds: bool, what: String| {
            if !holds {
                found.push(format!("{}: {what}", board.name));
            }
        };
        demand(runs(target.cores[0].core_type).contains(&board.isa), format!("runs no {}", board.isa.name()));
        let holds = |ram: &Region| ram.start <= memory.ram.start && memory.ram.end() <= ram.end();
        demand(ram(target).iter().any(holds), format!("RAM {:#x?} is none", memory.ram));
        let mut taken: Vec<Region> = Vec::new();
        for region in memory.written() {
            demand(layout.holds(region), format!("{region:#x?} is not all flash"));
            let sectors: Vec<Region> = layout.sectors_of(region).collect();
            demand(
                !sectors.iter().any(|sector| taken.contains(sector)),
                format!("{region:#x?} shares a sector"),
            );
            let longest = sectors.iter().map(|sector| sector.length).max().unwrap_or_default();
            demand(
                longest <= u64::from(memory.flash.erase_sector_bytes),
                format!("a sector of {longest} bytes in {region:#x?}"),
            );
            taken.extend(sectors);
        }
        let slots = memory.slots().map(|slot| (slot.start, layout.sectors_of(slot).next()));
        for (start, sector) in slots.collect::<Vec<_>>() {
            demand(
                sector.is_some_and(|sector| sector.start == start),
                format!("no sector starts at {start:#x}"),
            );
        }
        let unit = u64::from(memory.flash.program_unit_bytes);
        demand(
            layout.page_bytes.is_multiple_of(unit),
            format!("{unit} bytes in pages of {}", layout.page_bytes),
        );
        found
    }

    #[test]
    fn board_files_say_of_chips_what_probe_rs_does() {
        let registry = registry();
        let mut checked = 0;
        let mut found = Vec::new();
        for board in Board::shipped() {
            let Some((chip, memory)) = board.chip.as_deref().zip(board.memory.as_ref()) else { continue };
            match find(&registry, chip) {
                Ok(target) => found.extend(contradictions(&board, &target, memory)),
                Err(error) => found.push(format!("{}: {error}", board.name)),
            }
            checked += 1;
        }
        assert!(checked >= 14, "{checked} boards have chips");
        assert!(found.is_empty(), "{found:#?}");
    }
}
