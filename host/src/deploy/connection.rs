//! A debugger's connection to a board's chip.

use std::time::Duration;

use edgepkg_boards::Board;
use edgepkg_format::Isa;
use probe_rs::config::TargetSelector;
use probe_rs::probe::Probe;
use probe_rs::rtt::ScanRegion;
use probe_rs::{MemoryInterface as _, Permissions, Session};

use super::error::{Cause, DeployError};
use super::layout::FlashLayout;
use super::probes::{self, ProbeOptions};
use super::rtt::RttTransport;
use super::target;

/// How the board is reached.
#[derive(Clone, Debug)]
pub enum Reach {
    /// By a probe that is plugged in.
    Probe(ProbeOptions),
    /// By the virtual probe, at a chip that the board's emulator stands for.
    #[cfg(unix)]
    Virtual(edgepkg_vprobe::SharedChip),
}

impl Reach {
    fn open(&self) -> Result<Probe, DeployError> {
        match self {
            Reach::Probe(options) => probes::open(options),
            #[cfg(unix)]
            Reach::Virtual(chip) => Ok(edgepkg_vprobe::VirtualProbe::new(chip.clone()).into_probe()),
        }
    }

    fn simulation(&self) -> Option<&'static str> {
        match self {
            Reach::Probe(_) => None,
            #[cfg(unix)]
            Reach::Virtual(chip) => {
                let chip = chip.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                Some(chip.profile().simulation)
            }
        }
    }
}

/// A connection to the chip of a board. The chip goes on as it was when this is dropped.
pub struct Connection {
    pub(super) session: Session,
    pub(super) board: String,
    pub(super) layout: FlashLayout,
    /// Where a runner's buffers may be.
    pub(super) ram: ScanRegion,
    /// Keeps a chip that is stood in for.
    pub(super) reach: Reach,
}

/// The core that runs the runner: probe-rs's first.
pub(super) const CORE: usize = 0;

pub(super) const HALT_TIMEOUT: Duration = Duration::from_millis(500);

/// The core's identification (Armv6-M ARM, B3.2.3): its part number.
const CPUID: u64 = 0xE000_ED00;
/// Of its instructions, the SIMD ones in bits 4 to 7 (Armv8-M ARM, D1.2.131).
const ID_ISAR3: u64 = 0xE000_ED6C;
/// Its floating-point unit; 0 without one (Armv7-M ARM, B4.7.2).
const MVFR0: u64 = 0xE000_EF40;

/// Where the flash of a chip that is stood in for is, while nothing emulates it.
#[cfg(unix)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlashKept {
    /// Nowhere: it is erased at the start.
    Nowhere,
    /// In this file.
    In(std::path::PathBuf),
}

/// Starts a chip that stands for the board's.
///
/// # Errors
///
/// Where the board has no emulator of that kind, or it does not start.
#[cfg(unix)]
pub fn virtual_chip(board: &Board, kept: FlashKept) -> Result<edgepkg_vprobe::SharedChip, DeployError> {
    use edgepkg_vprobe::{Chip, Emulation, Profile};

    let no_emulator = || DeployError::NoEmulator { board: board.name.clone() };
    let emulator = board.emulator.as_ref().ok_or_else(no_emulator)?;
    let profile = board.chip.as_deref().and_then(Profile::of_chip).ok_or_else(no_emulator)?;
    let emulation = Emulation { program: emulator.program.clone(), arguments: emulator.arguments.clone() };
    let chip = match kept {
        FlashKept::Nowhere => Chip::new(profile, emulation),
        FlashKept::In(file) => Chip::kept_in(profile, emulation, file),
    };
    let chip =
        chip.map_err(|error| DeployError::Emulator { board: board.name.clone(), cause: error.to_string() })?;
    Ok(std::sync::Arc::new(std::sync::Mutex::new(chip)))
}

/// Connects to the chip of `board`.
///
/// # Errors
///
/// Where there is no probe, the chip does not answer, or is another than the board's.
pub fn connect(board: &Board, reach: Reach) -> Result<Connection, DeployError> {
    let registry = target::registry();
    let name = board.chip.as_deref().unwrap_or_default();
    let expected = target::find(&registry, name)?;
    let attach = |probe: Probe, selector: TargetSelector| {
        probe.attach_with_registry(selector, Permissions::new(), &registry)
    };
    let layout = target::flash_layout(&expected);
    let expected_name = expected.name.clone();
    // Some chips say which they are; where that is not known, only the core is compared.
    let session = match attach(reach.open()?, TargetSelector::Auto) {
        Ok(session) if session.target().name == expected_name => session,
        Ok(session) => {
            let found = format!("`{}`", session.target().name);
            return Err(DeployError::OtherChip { expected: expected_name, found });
        }
        Err(_) => {
            let named = attach(reach.open()?, TargetSelector::Specified(expected));
            named.map_err(|error| DeployError::Attach {
                chip: expected_name.clone(),
                cause: Cause::of(&error),
            })?
        }
    };
    let ram = board.memory.as_ref().map(|memory| memory.ram.start..memory.ram.end());
    let ram = ram.map_or(ScanRegion::Ram, ScanRegion::range);
    let mut connection = Connection { session, board: board.name.clone(), layout, ram, reach };
    connection.check_core(board.isa, &expected_name)?;
    Ok(connection)
}

impl Connection {
    /// What is simulated, where the chip is not a real one.
    pub fn simulation(&self) -> Option<&'static str> {
        self.reach.simulation()
    }

    /// The chip's name.
    pub fn chip(&self) -> &str {
        &self.layout.chip
    }

    /// Refuses a chip whose core is of another kind than the board's.
    fn check_core(&mut self, isa: Isa, chip: &str) -> Result<(), DeployError> {
        let registers = self.session.core(CORE).and_then(|mut core| {
            Ok((core.read_word_32(CPUID)?, core.read_word_32(ID_ISAR3)?, core.read_word_32(MVFR0)?))
        });
        let (cpuid, instructions, floats) = registers
            .map_err(|error| DeployError::Attach { chip: chip.to_owned(), cause: Cause::of(&error) })?;
        let Some((core, runs)) = core_of(cpuid) else { return Ok(()) };
        let lacks = match isa {
            _ if !runs.contains(&isa) => "",
            Isa::Armv8mMainDsp if instructions >> 4 & 0xF < 3 => " without the DSP extension",
            // The runner is compiled for a core with one.
            Isa::Armv7em if floats == 0 => " without a floating-point unit",
            _ => return Ok(()),
        };
        let found = format!("a chip with a {core}{lacks}");
        Err(DeployError::OtherChip { expected: chip.to_owned(), found })
    }

    /// Stops the core.
    pub(super) fn halt(&mut self) -> Result<(), probe_rs::Error> {
        self.session.core(CORE)?.halt(HALT_TIMEOUT).map(drop)
    }

    /// Resets the chip, which then runs.
    ///
    /// # Errors
    ///
    /// Where it does not answer.
    pub fn reset(&mut self) -> Result<(), DeployError> {
        let reset = self.session.core(CORE).and_then(|mut core| core.reset());
        reset.map_err(|error| self.attach_error(&error))
    }

    /// Looks for a runner that runs on the chip, and talks to it.
    ///
    /// # Errors
    ///
    /// Where none answers.
    pub fn find_runner(self) -> Result<RttTransport, DeployError> {
        let ram = self.ram.clone();
        self.attach_runner(&ram)
    }

    pub(super) fn attach_error(&self, error: &(dyn std::error::Error + 'static)) -> DeployError {
        DeployError::Attach { chip: self.layout.chip.clone(), cause: Cause::of(error) }
    }

    /// Bytes of the chip's flash, in all.
    pub fn flash_bytes(&self) -> u64 {
        self.layout.flash.iter().map(|region| region.length).sum()
    }
}

/// The core with this identification, and the instruction sets it runs; none where it is not known.
fn core_of(cpuid: u32) -> Option<(&'static str, &'static [Isa])> {
    const ARM: u32 = 0x41;
    if cpuid >> 24 != ARM {
        return None;
    }
    Some(match cpuid >> 4 & 0xFFF {
        0xC20 => ("Cortex-M0", &[Isa::Armv6m]),
        0xC60 => ("Cortex-M0+", &[Isa::Armv6m]),
        0xC23 => ("Cortex-M3", &[Isa::Armv6m, Isa::Armv7m]),
        0xC24 => ("Cortex-M4", &[Isa::Armv6m, Isa::Armv7m, Isa::Armv7em]),
        0xC27 => ("Cortex-M7", &[Isa::Armv6m, Isa::Armv7m, Isa::Armv7em]),
        0xD20 => ("Cortex-M23", &[]),
        0xD21 => ("Cortex-M33", &[Isa::Armv8mMain, Isa::Armv8mMainDsp]),
        0xD22 => ("Cortex-M55", &[Isa::Armv8mMain, Isa::Armv8mMainDsp, Isa::Armv81mMain]),
        _ => return None,
    })
}
