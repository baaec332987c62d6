//! Instruction sets an artifact can be lowered for.

use core::fmt;

/// Cores of Armv8-M Mainline that have the DSP extension, as rustc calls them.
const DSP_CORES: [&str; 3] = ["cortex-m33", "cortex-m35p", "star-mc1"];

/// The instruction set whose kernels an artifact's plan and weights are laid out for.
///
/// The code is part of the format: codes are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde-errors", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[repr(u16)]
pub enum Isa {
    /// Reference layouts, executed by the reference kernels on any host.
    Portable = 0,
    /// Cortex-M0, M0+.
    Armv6m = 1,
    /// Cortex-M3.
    Armv7m = 2,
    /// Cortex-M4, M7 (with the DSP extension).
    Armv7em = 3,
    /// Cortex-M33 without the DSP extension.
    Armv8mMain = 4,
    /// Cortex-M55, M85 (with Helium).
    Armv81mMain = 5,
    /// 64-bit Arm: Cortex-A53 and later.
    Aarch64 = 6,
    /// Cortex-M33 (with the DSP extension).
    Armv8mMainDsp = 7,
}

impl Isa {
    /// Every instruction set of this format version, in the order of their codes.
    pub const ALL: [Isa; 8] = [
        Isa::Portable,
        Isa::Armv6m,
        Isa::Armv7m,
        Isa::Armv7em,
        Isa::Armv8mMain,
        Isa::Armv81mMain,
        Isa::Aarch64,
        Isa::Armv8mMainDsp,
    ];

    /// Whether it has Arm's DSP extension: products of two pairs of 16 bits in one instruction.
    pub const fn has_dsp(self) -> bool {
        matches!(self, Isa::Armv7em | Isa::Armv8mMainDsp)
    }

    /// The instruction set whose kernels a program runs that is compiled for `target`, Rust's triple, and for `core`, where
    /// the compiler is told of one (`-C target-cpu`). The build script of `edgepkg-kernels` says the same.
    pub fn of_target(target: &str, core: Option<&str>) -> Self {
        let bare_metal = target.ends_with("-none") || target.contains("-none-");
        let has_dsp = core.is_some_and(|core| DSP_CORES.contains(&core));
        match target.split('-').next() {
            Some("thumbv6m") => Isa::Armv6m,
            Some("thumbv7m") => Isa::Armv7m,
            Some("thumbv7em") => Isa::Armv7em,
            Some("thumbv8m.main") if has_dsp => Isa::Armv8mMainDsp,
            Some("thumbv8m.main") => Isa::Armv8mMain,
            Some("aarch64") if bare_metal => Isa::Aarch64,
            _ => Isa::Portable,
        }
    }

    /// The instruction set with this code, if the format knows it.
    pub const fn from_code(code: u16) -> Option<Self> {
        let mut rest: &[Isa] = &Self::ALL;
        while let [isa, others @ ..] = rest {
            if isa.code() == code {
                return Some(*isa);
            }
            rest = others;
        }
        None
    }

    /// The code in the artifact's header.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The name used in board files, package manifests and messages.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Armv6m => "armv6m",
            Isa::Armv7m => "armv7m",
            Isa::Armv7em => "armv7em",
            Isa::Armv8mMain => "armv8m.main",
            Isa::Armv81mMain => "armv8.1m.main",
            Isa::Aarch64 => "aarch64",
            Isa::Armv8mMainDsp => "armv8m.main+dsp",
        }
    }

    /// The instruction set with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|isa| isa.name() == name)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
