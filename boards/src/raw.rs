//! A board file as it is written.

use serde::Deserialize;

use crate::board::{BootMetadata, CycleModel, Deploy, RunnerFormat, RunnerLayout, Tier, Transport};
use crate::quantity::Quantity;

/// A board file, before its values are checked against each other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBoard {
    /// As the user calls it: the file's name without `.toml`.
    pub(crate) name: String,
    /// One line.
    pub(crate) description: String,
    /// How far it is tested.
    pub(crate) tier: Tier,
    /// The chip by probe-rs's name.
    pub(crate) chip: Option<String>,
    /// The instruction set its artifacts are lowered for.
    pub(crate) isa: String,
    /// Rust's target triple.
    pub(crate) target: Option<String>,
    /// The core's clock.
    pub(crate) clock_hz: Option<u64>,
    pub(crate) memory: Option<RawMemory>,
    pub(crate) runner: Option<RawRunner>,
    pub(crate) deploy: Deploy,
    pub(crate) transport: Transport,
    /// The family of its UF2 files, where its boot loader takes such files.
    pub(crate) uf2_family: Option<Quantity>,
    /// What its flash begins with beside the image.
    pub(crate) boot_metadata: Option<BootMetadata>,
    pub(crate) emulator: Option<RawEmulator>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMemory {
    /// Where the runner's code lies.
    pub(crate) code: RawRegion,
    /// Where it works: stack, variables, arena.
    pub(crate) ram: RawRegion,
    /// Where the model lies.
    pub(crate) model_slot: RawRegion,
    /// Where another model lies, so that one is kept while the other is written.
    pub(crate) second_model_slot: Option<RawRegion>,
    /// Bytes of `ram` for the stack.
    pub(crate) stack: Quantity,
    /// What the memory of the model slot demands of writers; none where it is plain RAM.
    pub(crate) flash: Option<RawFlash>,
    /// What nobody may erase or write.
    #[serde(default)]
    pub(crate) protected: Vec<RawRegion>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRegion {
    pub(crate) start: Quantity,
    pub(crate) length: Quantity,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFlash {
    pub(crate) erase_sector: Quantity,
    pub(crate) program_unit: Quantity,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRunner {
    pub(crate) image: String,
    pub(crate) format: RunnerFormat,
    pub(crate) layout: RunnerLayout,
    #[serde(default)]
    pub(crate) symbols: toml::Table,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawEmulator {
    pub(crate) program: String,
    pub(crate) debian_package: String,
    /// The core whose cycles can be modelled for what the emulator executes.
    pub(crate) cycle_model: Option<CycleModel>,
    pub(crate) arguments: Vec<String>,
}
