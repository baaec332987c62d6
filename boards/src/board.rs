//! A board whose values have been checked.

use std::collections::BTreeMap;

use edgepkg_format::Isa;
use edgepkg_format::slot::Commit;
use serde::Deserialize;

use crate::BoardError;
use crate::quantity::Quantity;
use crate::raw::{RawBoard, RawEmulator, RawMemory, RawRegion, RawRunner};

/// Bytes of boot metadata, which lie right before the image.
pub const BOOT_METADATA_BYTES: u64 = 256;

/// The name of the board that is this process.
const HOST: &str = "host";

/// A board: where its memory lies, how a model gets there and how it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Board {
    /// As the user calls it.
    pub name: String,
    /// One line.
    pub description: String,
    /// How far it is tested.
    pub tier: Tier,
    /// The chip by probe-rs's name.
    pub chip: Option<String>,
    /// The instruction set its artifacts are lowered for.
    pub isa: Isa,
    /// Rust's target triple; none for `host`.
    pub target: Option<String>,
    /// The core's clock, where it is known.
    pub clock_hz: Option<u64>,
    /// Its memory; none for `host`.
    pub memory: Option<Memory>,
    /// The image that runs models on it; none for `host`.
    pub runner: Option<Runner>,
    /// How a model gets there.
    pub deploy: Deploy,
    /// What the device link runs over.
    pub transport: Transport,
    /// The family of its UF2 files, where its boot loader takes such files.
    pub uf2_family: Option<u32>,
    /// What its flash begins with beside the image.
    pub boot_metadata: Option<BootMetadata>,
    /// What stands in for it; none where nothing does.
    pub emulator: Option<Emulator>,
}

/// How far a board is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Every change builds its image; what that does on it nobody has seen.
    Built,
    /// Every change runs on it, or on its emulator.
    Emulated,
    /// It has run on the hardware.
    Hardware,
}

/// How a model gets on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deploy {
    /// It is loaded into this process.
    InProcess,
    /// A debug probe programs it.
    Probe,
    /// It is an emulator's chip, which the virtual probe programs.
    VirtualProbe,
    /// It is written to the folder that the board boots from.
    BootFolder,
    /// It is copied by ssh to a computer that runs Linux.
    Ssh,
    /// The emulator loads it when it starts.
    Emulator,
}

/// What a boot ROM wants in flash, right before the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootMetadata {
    /// RP2040: 256 bytes of second-stage boot loader with its checksum, which sets up the flash.
    #[serde(rename = "rp2040-boot2")]
    Rp2040Boot2,
    /// RP2350: a block that says what the image is and where its vectors lie.
    #[serde(rename = "rp2350-image-def")]
    Rp2350ImageDef,
}

/// What the device link runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Calls within this process.
    InProcess,
    /// A serial port.
    Uart,
    /// Buffers in the board's RAM, through the debug probe.
    Rtt,
    /// Standard input and output of the runner.
    Pipe,
}

impl Transport {
    /// The name in board files.
    pub fn name(self) -> &'static str {
        match self {
            Transport::InProcess => "in-process",
            Transport::Uart => "uart",
            Transport::Rtt => "rtt",
            Transport::Pipe => "pipe",
        }
    }
}

/// Addresses `start` to `start + length`, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first address.
    pub start: u64,
    /// Bytes.
    pub length: u64,
}

impl Region {
    /// The address after the last one.
    pub fn end(self) -> u64 {
        self.start + self.length
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Region) -> bool {
        self.start < other.end() && other.start < self.end()
    }
}

/// A board's memory as the runner uses it. The regions do not overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Where the runner's code and its constants lie.
    pub code: Region,
    /// Where it works: the stack, its variables, then the arena.
    pub ram: Region,
    /// Where the model lies: the artifact at its start, the commit record at its end.
    pub model_slot: Region,
    /// Another slot of the same length, where there is one: a model is kept in one while the other is written.
    pub second_model_slot: Option<Region>,
    /// Bytes of `ram` for the stack.
    pub stack_bytes: u64,
    /// What writers of the model slot must keep to.
    pub flash: Flash,
    /// What nobody may erase or write: a boot loader, a configuration that can lock the chip.
    pub protected: Vec<Region>,
}

impl Memory {
    /// The address of the model slot's commit record.
    pub fn commit_address(&self) -> u64 {
        self.model_slot.start + u64::from(self.commit_offset())
    }

    /// Bytes of the model slot that an artifact may take.
    pub fn model_limit_bytes(&self) -> u64 {
        u64::from(self.commit_offset())
    }

    /// The model slots.
    pub fn slots(&self) -> impl Iterator<Item = Region> + use<> {
        std::iter::once(self.model_slot).chain(self.second_model_slot)
    }

    /// What runner and models are written to.
    pub fn written(&self) -> impl Iterator<Item = Region> + use<> {
        std::iter::once(self.code).chain(self.slots())
    }

    /// What an image that holds its model itself may take: the region of code, with the model slot where that
    /// follows it.
    pub fn image(&self) -> Region {
        let mut image = self.code;
        for slot in self.slots() {
            if slot.start == image.end() {
                image.length += slot.length;
            }
        }
        image
    }

    fn commit_offset(&self) -> u32 {
        Commit::offset(self.model_slot.length as u32, self.flash.program_unit_bytes)
            .expect("a board's slot holds a commit record")
    }
}

/// How the memory of the model slot is written. Plain RAM has 1 for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flash {
    /// Bytes that are erased together.
    pub erase_sector_bytes: u32,
    /// Bytes that are programmed together.
    pub program_unit_bytes: u32,
}

/// The image that runs models on a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runner {
    /// The member of `firmware/images` it is built from.
    pub image: String,
    /// The form the board, or its emulator, loads.
    pub format: RunnerFormat,
    /// Where its linker script comes from.
    pub layout: RunnerLayout,
    /// Values that the image takes as linker symbols: addresses of the board's peripherals.
    pub symbols: BTreeMap<String, u64>,
}

/// The form of a runner that a board loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunnerFormat {
    /// The linked ELF file.
    Elf,
    /// Its bytes as they lie in memory (`kernel8.img`).
    Raw,
}

/// Where a runner's linker script comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunnerLayout {
    /// [`linker_script`](crate::linker_script) makes it from the board.
    Generated,
    /// The image brings its own.
    Own,
}

/// The program that stands in for a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulator {
    /// What is started.
    pub program: String,
    /// The Debian package that has it.
    pub debian_package: String,
    /// The core whose cycles can be modelled for what it executes.
    pub cycle_model: Option<CycleModel>,
    /// Its arguments; `{runner}`, `{model}`, `{model_address}`, `{commit}` and `{commit_address}` stand
    /// for the files that are loaded and where. Instead of model and commit record, `{slot_file}` is
    /// the one after the other in one file, as a boot folder holds them. Where the virtual probe writes the chip's
    /// flash, `{gdb}` and `{qtest}` stand for the sockets by which it is controlled.
    pub arguments: Vec<String>,
}

/// A core whose cycles are modelled, instruction by instruction, for memory that never waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CycleModel {
    /// By the instruction set summary of Arm's manual.
    CortexM4,
}

impl CycleModel {
    /// The name in board files and results.
    pub fn name(self) -> &'static str {
        match self {
            CycleModel::CortexM4 => "cortex-m4",
        }
    }

    /// The core's name in reports.
    pub fn core(self) -> &'static str {
        match self {
            CycleModel::CortexM4 => "Cortex-M4",
        }
    }
}

impl Board {
    /// Whether it is this process.
    pub fn is_host(&self) -> bool {
        self.name == HOST
    }

    /// Whether it is an emulator and nothing else, so that no flag is needed to use that.
    pub fn is_emulator(&self) -> bool {
        matches!(self.deploy, Deploy::Emulator | Deploy::VirtualProbe)
    }

    /// Whether a debug probe programs it, a real or a virtual one.
    pub fn is_probed(&self) -> bool {
        matches!(self.deploy, Deploy::Probe | Deploy::VirtualProbe)
    }

    /// The name of the prebuilt image that this board's runner is made of: every board with the same instruction set and
    /// link has the same one. `None` where the image has the board's own memory map.
    pub fn prebuilt_runner(&self) -> Option<String> {
        let runner = self.runner.as_ref().filter(|runner| runner.layout == RunnerLayout::Generated)?;
        Some(format!("{}-{}-{}", runner.image, self.isa.name(), self.transport.name()))
    }

    /// The file name of the library that programs in C link on this board's core: one for each instruction set and target,
    /// since targets differ in how they pass floats. `None` where the board has no target of its own.
    pub fn library(&self) -> Option<String> {
        let target = self.target.as_deref()?;
        Some(format!("libedgepkg-{}-{target}.a", self.isa.name()))
    }

    /// What Rust's compiler is told beside the target: the core, where instructions follow from it that the target
    /// leaves out.
    pub fn compiler_flags(&self) -> impl Iterator<Item = String> {
        let core = (self.isa == Isa::Armv8mMainDsp).then_some("cortex-m33");
        core.into_iter().map(|core| format!("-Ctarget-cpu={core}"))
    }

    /// The features its image is built with, by which it reaches the host.
    pub fn image_features(&self) -> &'static [&'static str] {
        match self.transport {
            Transport::Rtt => &["probe"],
            Transport::InProcess | Transport::Uart | Transport::Pipe => &[],
        }
    }

    /// The feature of its image by which it checks signatures.
    pub fn signature_feature(&self) -> &'static str {
        if self.isa.has_dsp() { "salty" } else { "dalek" }
    }

    /// The board in `text`, a board file's contents. `path` names it in errors.
    ///
    /// # Errors
    ///
    /// Where it is not TOML, has keys that the schema lacks, or its values contradict each other.
    pub fn from_toml(path: &str, text: &str) -> Result<Self, BoardError> {
        let raw: RawBoard =
            toml::from_str(text).map_err(|source| BoardError::Syntax { path: path.to_owned(), source })?;
        Board::try_from(raw)
    }
}

impl TryFrom<RawBoard> for Board {
    type Error = BoardError;

    fn try_from(raw: RawBoard) -> Result<Self, BoardError> {
        let name = raw.name.clone();
        check(raw).map_err(|reason| BoardError::Invalid { board: name, reason })
    }
}

fn check(raw: RawBoard) -> Result<Board, String> {
    let isa = Isa::from_name(&raw.isa).ok_or_else(|| {
        let known: Vec<_> = Isa::ALL.iter().map(|isa| isa.name()).collect();
        format!("`{}` is no instruction set; there are {}", raw.isa, known.join(", "))
    })?;
    if raw.name.is_empty() || !raw.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err("a name has letters, digits and `-`".to_owned());
    }
    if raw.clock_hz == Some(0) {
        return Err("a clock of 0 Hz".to_owned());
    }
    let in_process = raw.name == HOST;
    if (raw.deploy == Deploy::InProcess) != in_process
        || (raw.transport == Transport::InProcess) != in_process
    {
        return Err(format!("`in-process` is for the board `{HOST}`, and only that"));
    }
    if in_process != raw.memory.is_none() || in_process != raw.runner.is_none() {
        return Err(format!("every board but `{HOST}` has `memory` and a `runner`, and that has neither"));
    }
    let is_probed = matches!(raw.deploy, Deploy::Probe | Deploy::VirtualProbe);
    if is_probed && raw.chip.is_none() {
        return Err("a board that a probe programs names its `chip`".to_owned());
    }
    if matches!(raw.deploy, Deploy::Emulator | Deploy::VirtualProbe) && raw.emulator.is_none() {
        return Err("a board that is an emulator has `[emulator]`".to_owned());
    }
    if raw.runner.is_some() && raw.target.is_none() {
        return Err("a board with a runner has a `target`".to_owned());
    }
    let uf2_family = raw.uf2_family.map(|family| {
        u32::try_from(family.0).map_err(|_| format!("uf2_family {:#x} has more than 32 bits", family.0))
    });
    let memory = raw.memory.map(check_memory).transpose()?;
    if raw.boot_metadata.is_some()
        && memory.as_ref().is_none_or(|memory| memory.code.start < BOOT_METADATA_BYTES)
    {
        return Err(format!("`code` leaves no {BOOT_METADATA_BYTES} bytes for the boot metadata before it"));
    }
    Ok(Board {
        name: raw.name,
        description: raw.description,
        tier: raw.tier,
        chip: raw.chip,
        isa,
        target: raw.target,
        clock_hz: raw.clock_hz,
        memory,
        runner: raw.runner.map(check_runner).transpose()?,
        deploy: raw.deploy,
        transport: raw.transport,
        uf2_family: uf2_family.transpose()?,
        boot_metadata: raw.boot_metadata,
        emulator: raw.emulator.map(|raw| check_emulator(raw, is_probed)).transpose()?,
    })
}

fn check_memory(raw: RawMemory) -> Result<Memory, String> {
    let code = check_region("code", raw.code)?;
    let ram = check_region("ram", raw.ram)?;
    let model_slot = check_region("model_slot", raw.model_slot)?;
    for (first, second, names) in [
        (code, ram, "code and ram"),
        (code, model_slot, "code and model_slot"),
        (ram, model_slot, "ram and model_slot"),
    ] {
        if first.overlaps(second) {
            return Err(format!("{names} overlap: {} and {}", show(first), show(second)));
        }
    }
    let flash = match raw.flash {
        None => Flash { erase_sector_bytes: 1, program_unit_bytes: 1 },
        Some(flash) => Flash {
            erase_sector_bytes: power_of_two("erase_sector", flash.erase_sector)?,
            program_unit_bytes: power_of_two("program_unit", flash.program_unit)?,
        },
    };
    let sector = u64::from(flash.erase_sector_bytes);
    if flash.erase_sector_bytes < flash.program_unit_bytes {
        return Err("an erase sector is no smaller than a program unit".to_owned());
    }
    if !model_slot.start.is_multiple_of(sector) || !model_slot.length.is_multiple_of(sector) {
        return Err(format!(
            "model_slot {} is not made of whole erase sectors of {sector} bytes",
            show(model_slot)
        ));
    }
    if !model_slot.start.is_multiple_of(16) {
        return Err(format!("model_slot {} does not start at a multiple of 16", show(model_slot)));
    }
    if Commit::offset(model_slot.length as u32, flash.program_unit_bytes).is_none_or(|offset| offset == 0) {
        return Err(format!("model_slot {} is too small for a model", show(model_slot)));
    }
    let stack_bytes = raw.stack.0;
    if stack_bytes == 0 || !stack_bytes.is_multiple_of(16) || stack_bytes >= ram.length {
        return Err(format!(
            "a stack of {stack_bytes} bytes in a RAM of {}: not a multiple of 16 below it",
            ram.length
        ));
    }
    let second_model_slot =
        raw.second_model_slot.map(|raw| check_region("second_model_slot", raw)).transpose()?;
    if let Some(second) = second_model_slot {
        for (other, name) in [(code, "code"), (ram, "ram"), (model_slot, "model_slot")] {
            if second.overlaps(other) {
                return Err(format!(
                    "{name} and second_model_slot overlap: {} and {}",
                    show(other),
                    show(second)
                ));
            }
        }
        if second.length != model_slot.length || !second.start.is_multiple_of(sector.max(16)) {
            return Err(format!(
                "second_model_slot {} is not placed and as long as model_slot",
                show(second)
            ));
        }
    }
    let protected: Vec<Region> =
        raw.protected.into_iter().map(|raw| check_region("protected", raw)).collect::<Result<_, _>>()?;
    for region in &protected {
        let slots =
            [Some((model_slot, "model_slot")), second_model_slot.map(|slot| (slot, "second_model_slot"))];
        for (written, name) in std::iter::once((code, "code")).chain(slots.into_iter().flatten()) {
            if written.overlaps(*region) {
                return Err(format!("{name} {} is protected at {}", show(written), show(*region)));
            }
        }
    }
    Ok(Memory { code, ram, model_slot, second_model_slot, stack_bytes, flash, protected })
}

fn check_region(name: &str, raw: RawRegion) -> Result<Region, String> {
    let region = Region { start: raw.start.0, length: raw.length.0 };
    let end = region.start.checked_add(region.length);
    match end {
        Some(end) if region.length > 0 && end <= 1 << 32 => Ok(region),
        _ => {
            Err(format!("{name} of {} bytes at {:#x} is empty or passes 4 GiB", region.length, region.start))
        }
    }
}

fn show(region: Region) -> String {
    format!("{:#x} to {:#x}", region.start, region.end())
}

fn power_of_two(name: &str, quantity: Quantity) -> Result<u32, String> {
    u32::try_from(quantity.0)
        .ok()
        .filter(|bytes| bytes.is_power_of_two())
        .ok_or_else(|| format!("{name} of {} bytes is not a power of two", quantity.0))
}

fn check_runner(raw: RawRunner) -> Result<Runner, String> {
    let symbols = raw.symbols.into_iter().map(|(name, value)| {
        let value: Quantity = value.try_into().map_err(|_| format!("symbol `{name}` is not a number"))?;
        let is_symbol = name.starts_with('_') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if is_symbol { Ok((name, value.0)) } else { Err(format!("`{name}` is no symbol: `_name`")) }
    });
    Ok(Runner {
        image: raw.image,
        format: raw.format,
        layout: raw.layout,
        symbols: symbols.collect::<Result<_, String>>()?,
    })
}

/// What an emulator's arguments name: sockets, where the virtual probe writes its flash; else the files it loads.
fn check_emulator(raw: RawEmulator, is_probed: bool) -> Result<Emulator, String> {
    let takes = |file: &str| raw.arguments.iter().any(|argument| argument.contains(file));
    let needed: &[&str] = if is_probed {
        &["{gdb}", "{qtest}"]
    } else if takes("{slot_file}") {
        &["{runner}"]
    } else {
        &["{runner}", "{model}", "{model_address}", "{commit}", "{commit_address}"]
    };
    for needed in needed {
        if !takes(needed) {
            return Err(format!("the emulator's arguments lack `{needed}`"));
        }
    }
    Ok(Emulator {
        program: raw.program,
        debian_package: raw.debian_package,
        cycle_model: raw.cycle_model,
        arguments: raw.arguments,
    })
}
