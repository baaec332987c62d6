//! The chips that can be stood in for: what their bus has, and how their flash is written.

use std::ops::Range;

/// A chip, as its debugger sees it.
#[derive(Debug)]
pub struct Profile {
    /// The chip by probe-rs's name.
    pub chip: &'static str,
    /// What of it is simulated and how, in one line.
    pub simulation: &'static str,
    pub(crate) flash: Range<u32>,
    pub(crate) controller: Controller,
    pub(crate) mapped: &'static [Range<u32>],
    /// Words that the emulated machine lacks: what a debugger asks to know which chip it is.
    pub(crate) overlay: &'static [(u32, u32)],
    /// The table of components.
    pub(crate) components: u32,
    /// Of the breakpoint unit's two versions, by FP_CTRL.
    pub(crate) breakpoint_unit: u32,
}

/// What writes the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controller {
    /// nRF51's NVMC (nRF51 Series Reference Manual 3.0, chapter 6), which the machine emulates.
    Nvmc,
    /// None: it is RAM.
    Ram,
}

/// What programs run from and what the core's registers and peripherals are in, on every Cortex-M.
const PERIPHERALS: Range<u32> = 0x4000_0000..0x6000_0000;
const PRIVATE_PERIPHERALS: Range<u32> = 0xE000_0000..0xE010_0000;

const NRF51822: Profile = Profile {
    chip: "nRF51822_xxAA",
    simulation: "QEMU's nRF51822: its core and its flash controller are emulated",
    flash: 0..256 << 10,
    controller: Controller::Nvmc,
    mapped: &[
        0..256 << 10,
        // Factory and user information.
        0x1000_0000..0x1000_2000,
        0x2000_0000..0x2000_4000,
        PERIPHERALS,
        PRIVATE_PERIPHERALS,
        NORDIC_COMPONENTS..NORDIC_COMPONENTS + 0x1000,
    ],
    overlay: &[
        // FICR's CODEPAGESIZE, CODESIZE and CONFIGID: the nRF51822 of the micro:bit, build code AA.
        (0x1000_0010, 1024),
        (0x1000_0014, 256),
        (0x1000_005C, 0x0000_0072),
        // The identification of Nordic's table of components, by its designer, JEP106 code 0x44 in bank 2.
        (NORDIC_COMPONENTS, 0),
        (NORDIC_COMPONENTS + 0xFCC, 1),
        (NORDIC_COMPONENTS + 0xFD0, 0x02),
        (NORDIC_COMPONENTS + 0xFE0, 0x01),
        (NORDIC_COMPONENTS + 0xFE4, 0x40),
        (NORDIC_COMPONENTS + 0xFE8, 0x0C),
        (NORDIC_COMPONENTS + 0xFEC, 0x00),
        (NORDIC_COMPONENTS + 0xFF0, 0x0D),
        (NORDIC_COMPONENTS + 0xFF4, 0x10),
        (NORDIC_COMPONENTS + 0xFF8, 0x05),
        (NORDIC_COMPONENTS + 0xFFC, 0xB1),
    ],
    components: NORDIC_COMPONENTS,
    breakpoint_unit: 4 << 4,
};
const NORDIC_COMPONENTS: u32 = 0xF000_0000;

/// The name that the simulated part has among probe-rs's chips, once [`SIMULATED_TARGETS`] is read.
pub const SIMULATED_CORTEX_M4: &str = "edgepkg-simulated-cortex-m4";

const MPS2_AN386: Profile = Profile {
    chip: SIMULATED_CORTEX_M4,
    simulation: "QEMU's MPS2 with a Cortex-M4: its flash is simulated, RAM that an algorithm of ours copies to",
    flash: 0..4 << 20,
    controller: Controller::Ram,
    mapped: &[0..4 << 20, 0x2000_0000..0x2040_0000, PERIPHERALS, PRIVATE_PERIPHERALS],
    overlay: &[],
    components: 0xE00F_F000,
    breakpoint_unit: 4 << 4,
};

static PROFILES: [Profile; 2] = [NRF51822, MPS2_AN386];

/// Simulated parts for probe-rs's registry, in its own format.
pub const SIMULATED_TARGETS: &str = include_str!("simulated_targets.yaml");

impl Profile {
    /// The chip that probe-rs calls `chip`, if it can be stood in for.
    pub fn of_chip(chip: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.chip.eq_ignore_ascii_case(chip))
    }

    pub(crate) fn is_mapped(&self, address: u32, length: usize) -> bool {
        let Some(end) = u32::try_from(length).ok().and_then(|length| address.checked_add(length)) else {
            return false;
        };
        self.mapped.iter().any(|range| range.start <= address && end <= range.end)
    }

    /// Where RAM is.
    pub(crate) fn ram(&self) -> impl Iterator<Item = Range<u32>> {
        self.mapped.iter().filter(|range| range.start >> 28 == 2).cloned()
    }

    pub(crate) fn overlay(&self, address: u32) -> Option<u32> {
        // All of the table of components is laid over the machine, which has none there.
        let in_components = self.overlay.iter().any(|(place, _)| *place == self.components)
            && (self.components..self.components + 0x1000).contains(&address);
        let word = self.overlay.iter().find(|(place, _)| *place == address).map(|(_, value)| *value);
        word.or(in_components.then_some(0))
    }
}
