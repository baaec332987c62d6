//! What can go wrong between this computer and a board's flash.

use std::error::Error as StdError;
use std::fmt;

use probe_rs::architecture::arm::{ArmError, DapError};
use probe_rs::flashing::FlashError;
use probe_rs::probe::DebugProbeError;
use probe_rs::rtt::Error as RttError;

use super::events::Operation;
use super::plan::PlanError;
use super::probes::ProbeEntry;

/// Why a board was not reached or not written.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// No probe is plugged in.
    #[error("no debug probe is plugged in")]
    NoProbe,
    /// Several are, and none was chosen.
    #[error("several debug probes are plugged in: {}", list(probes))]
    SeveralProbes {
        /// Those.
        probes: Vec<ProbeEntry>,
    },
    /// None is the one that was chosen.
    #[error("no probe `{selector}` is plugged in")]
    NoSuchProbe {
        /// What was asked for.
        selector: String,
        /// Those that are.
        probes: Vec<ProbeEntry>,
    },
    /// What was chosen is no name of a probe.
    #[error("`{selector}` does not name a probe")]
    Selector {
        /// What was asked for.
        selector: String,
    },
    /// This user may not use it.
    #[error("the probe {probe} may not be used by this user")]
    NotPermitted {
        /// The probe.
        probe: ProbeEntry,
    },
    /// It does not open.
    #[error("the probe {probe} does not open: {cause}")]
    Open {
        /// The probe.
        probe: ProbeEntry,
        /// Why.
        cause: Cause,
    },
    /// probe-rs does not know the chip.
    #[error("there is no chip `{name}` that a probe can program")]
    UnknownChip {
        /// What was asked for.
        name: String,
        /// Chips with such names.
        like: Vec<String>,
    },
    /// The family keeps more than code in its flash.
    #[error("`{chip}` is flashed by a board file only: {reason}")]
    BootMetadata {
        /// The chip.
        chip: String,
        /// What else.
        reason: &'static str,
    },
    /// The chip is none for a runner.
    #[error("`{chip}` cannot be used: {reason}")]
    UnfitChip {
        /// The chip.
        chip: String,
        /// Why.
        reason: String,
    },
    /// The board's chip is not stood in for.
    #[error("there is no emulator for the chip of `{board}`")]
    NoEmulator {
        /// The board.
        board: String,
    },
    /// The emulator does not run.
    #[error("`{board}` cannot be emulated: {cause}")]
    Emulator {
        /// The board.
        board: String,
        /// Why.
        cause: String,
    },
    /// The chip does not let the debugger in.
    #[error("`{chip}` is not reached: {cause}")]
    Attach {
        /// The chip.
        chip: String,
        /// Why.
        cause: Cause,
    },
    /// Another chip is there.
    #[error("the probe is at {found}, not at `{expected}`; nothing was changed")]
    OtherChip {
        /// What was asked for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// It cannot be written so.
    #[error("{0}; nothing was changed")]
    Plan(#[from] PlanError),
    /// It broke off.
    #[error("{} `{board}` broke off: {cause}; {left}", .operation.name())]
    BrokenOff {
        /// The board.
        board: String,
        /// While what was done.
        operation: Operation,
        /// Why.
        cause: Cause,
        /// What the board does now.
        left: LeftBehind,
    },
    /// The flash does not hold what was written.
    #[error("`{board}` holds {found:#04x} at {address:#010x}, where {expected:#04x} was written; {left}")]
    Mismatch {
        /// The board.
        board: String,
        /// Where.
        address: u64,
        /// What was written.
        expected: u8,
        /// What is there.
        found: u8,
        /// What the board does now.
        left: LeftBehind,
    },
    /// The runner did not start, or there is none.
    #[error("no runner answers on `{board}`: {cause}")]
    NoRunner {
        /// The board.
        board: String,
        /// Why.
        cause: Cause,
    },
}

fn list(probes: &[ProbeEntry]) -> String {
    probes.iter().map(ProbeEntry::to_string).collect::<Vec<_>>().join(", ")
}

/// What a board does after work on it broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftBehind {
    /// What it did before.
    Unchanged,
    /// Nothing: the vectors, from which it would start, are erased.
    Nothing,
    /// The runner runs and says that it holds no model.
    NoModel,
    /// The runner runs the model that it had.
    OldModel,
}

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeftBehind::Unchanged => "nothing on the board was changed",
            LeftBehind::Nothing => "the board runs nothing until it is flashed again: its vectors are erased",
            LeftBehind::NoModel => "the runner there is whole, and will say that it holds no model",
            LeftBehind::OldModel => "the board runs the model that it had",
        })
    }
}

/// Why the probe or the chip did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The chip does not answer.
    NoAnswer,
    /// The chip answers with FAULT.
    Fault,
    /// The probe is gone.
    Unplugged,
    /// The chip did not finish in time.
    TimedOut,
    /// No runner's buffers are in the chip's RAM.
    NoBuffers,
    /// The chip's flash algorithm or something else failed, in probe-rs's words.
    Other(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::NoAnswer => f.write_str("the chip does not answer"),
            Cause::Fault => f.write_str("the chip refuses an access of its memory (FAULT)"),
            Cause::Unplugged => f.write_str("the probe is not there any more"),
            Cause::TimedOut => f.write_str("the chip did not finish in time"),
            Cause::NoBuffers => f.write_str("its RAM has no runner's buffers"),
            Cause::Other(words) => f.write_str(words),
        }
    }
}

impl Cause {
    /// The cause at the end of probe-rs's chain of errors.
    pub(super) fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut words = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(cause) = Self::of_one(error) {
                return cause;
            }
            let said = error.to_string();
            if words.last() != Some(&said) {
                words.push(said);
            }
            next = error.source();
        }
        Cause::Other(words.join(": ").trim_end_matches('.').to_owned())
    }

    fn of_one(error: &(dyn StdError + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<DapError>() {
            return match error {
                DapError::NoAcknowledge => Some(Cause::NoAnswer),
                DapError::FaultResponse => Some(Cause::Fault),
                _ => None,
            };
        }
        if let Some(RttError::ControlBlockNotFound) = error.downcast_ref::<RttError>() {
            return Some(Cause::NoBuffers);
        }
        if let Some(ArmError::Timeout) = error.downcast_ref::<ArmError>() {
            return Some(Cause::TimedOut);
        }
        if let Some(probe_rs::Error::Timeout) = error.downcast_ref::<probe_rs::Error>() {
            return Some(Cause::TimedOut);
        }
        match error.downcast_ref::<DebugProbeError>() {
            Some(DebugProbeError::Usb(_)) => Some(Cause::Unplugged),
            Some(DebugProbeError::Timeout) => Some(Cause::TimedOut),
            _ => None,
        }
    }

    pub(super) fn of_flash(error: &FlashError) -> Self {
        Self::of(error)
    }

    fn hint(&self) -> &'static str {
        match self {
            Cause::NoAnswer => {
                "see that the board has power and that the probe's wires sit well, then run the command again"
            }
            Cause::Fault => {
                "the chip may be locked: `edgepkg erase --all` erases all of it, which unlocks most; then run the command again"
            }
            Cause::Unplugged => "plug the probe in, then run the command again",
            Cause::TimedOut => "a slower wire may help: `--speed 1000`",
            Cause::NoBuffers => "`edgepkg flash` puts a runner and a model there",
            Cause::Other(_) => "run the command again; if it fails the same way, try `--speed 1000`",
        }
    }
}

impl DeployError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            DeployError::NoProbe => Some(
                "plug one in (many boards have theirs on board, at the USB port); `edgepkg probes` lists what is seen"
                    .to_owned(),
            ),
            DeployError::SeveralProbes { probes } => {
                let selector = probes.first().map(|probe| probe.selector.as_str()).unwrap_or_default();
                Some(format!("choose one: `--probe {selector}`"))
            }
            DeployError::NoSuchProbe { probes, .. } if probes.is_empty() => {
                Some("`edgepkg probes` lists the probes that are seen: none now".to_owned())
            }
            DeployError::NoSuchProbe { probes, .. } => Some(format!("there are {}", list(probes))),
            DeployError::Selector { .. } => {
                Some("a probe is named `VID:PID` or `VID:PID:SERIAL`, as `edgepkg probes` lists them".to_owned())
            }
            DeployError::NotPermitted { .. } => Some(PERMISSION_HINT.to_owned()),
            DeployError::Open { cause, .. } => Some(match cause {
                Cause::Other(_) => "another program may be using it: close that, then run the command again".to_owned(),
                cause => cause.hint().to_owned(),
            }),
            DeployError::UnknownChip { like, .. } if like.is_empty() => {
                Some("`edgepkg chips PATTERN` searches the chips that are known".to_owned())
            }
            DeployError::UnknownChip { like, .. } => Some(format!("there are {}", like.join(", "))),
            DeployError::BootMetadata { .. } | DeployError::UnfitChip { .. } => Some(
                "a board file may say where runner and model lie and what the chip wants: `--board FILE.toml`".to_owned(),
            ),
            DeployError::Attach { cause, .. }
            | DeployError::BrokenOff { cause, .. }
            | DeployError::NoRunner { cause, .. } => Some(cause.hint().to_owned()),
            DeployError::OtherChip { .. } => {
                Some("choose the board that is there with `--board`, or another probe with `--probe`".to_owned())
            }
            DeployError::Mismatch { .. } => {
                Some("flash it again; if a byte stays wrong, that flash is worn out".to_owned())
            }
            DeployError::NoEmulator { .. } => {
                Some("leave out `--emulate` and plug a debug probe in".to_owned())
            }
            DeployError::Plan(_) => Some("the board's file says where runner and model lie".to_owned()),
            DeployError::Emulator { .. } => {
                Some("`sudo apt-get install qemu-system-arm` installs the emulator on Debian and Ubuntu".to_owned())
            }
        }
    }
}

/// How a user comes to be allowed.
pub const PERMISSION_HINT: &str = "as root, `edgepkg probes --udev-rules > /etc/udev/rules.d/70-edgepkg-probes.rules`, \
                                          then `udevadm control --reload && udevadm trigger`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_that_cannot_be_used_are_named_with_the_way_out() {
        let probe = |selector: &str| ProbeEntry {
            name: "CMSIS-DAP".to_owned(),
            selector: selector.to_owned(),
            is_permitted: false,
        };
        let check = |error: DeployError, message: &str, hint: &str| {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), Some(hint));
        };
        check(
            DeployError::NoProbe,
            "no debug probe is plugged in",
            "plug one in (many boards have theirs on board, at the USB port); `edgepkg probes` lists what is seen",
        );
        let probes = vec![probe("0d28:0204:99"), probe("2e8a:000c")];
        check(
            DeployError::SeveralProbes { probes },
            "several debug probes are plugged in: 0d28:0204:99 (CMSIS-DAP), 2e8a:000c (CMSIS-DAP)",
            "choose one: `--probe 0d28:0204:99`",
        );
        check(
            DeployError::NotPermitted { probe: probe("2e8a:000c") },
            "the probe 2e8a:000c (CMSIS-DAP) may not be used by this user",
            PERMISSION_HINT,
        );
        check(
            DeployError::Open { probe: probe("2e8a:000c"), cause: Cause::Other("it is busy".to_owned()) },
            "the probe 2e8a:000c (CMSIS-DAP) does not open: it is busy",
            "another program may be using it: close that, then run the command again",
        );
        let (expected, found) = ("nRF51822_xxAA".to_owned(), "a chip with a Cortex-M4".to_owned());
        check(
            DeployError::OtherChip { expected, found },
            "the probe is at a chip with a Cortex-M4, not at `nRF51822_xxAA`; nothing was changed",
            "choose the board that is there with `--board`, or another probe with `--probe`",
        );
    }
}
