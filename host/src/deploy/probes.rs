//! The probes at this computer.

use std::fmt;
use std::str::FromStr;

use probe_rs::probe::list::{Accessibility, Lister};
use probe_rs::probe::{DebugProbeSelector, Probe, WireProtocol};
use serde::Serialize;

use super::error::{Cause, DeployError};

/// Which probe, and how it talks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeOptions {
    /// `VID:PID` or `VID:PID:SERIAL`, in hexadecimal; where there is one probe, none is needed.
    pub selector: Option<String>,
    /// The clock of its wires.
    pub speed_khz: Option<u32>,
    /// What is spoken over them.
    pub wire: Option<Wire>,
}

/// What is spoken over a probe's wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Serial wire debug: two wires.
    Swd,
    /// JTAG: four.
    Jtag,
}

impl Wire {
    /// All of them.
    pub const ALL: [Self; 2] = [Wire::Swd, Wire::Jtag];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Wire::Swd => "swd",
            Wire::Jtag => "jtag",
        }
    }

    /// The one of this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wire| wire.name() == name)
    }
}

/// A probe that is plugged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProbeEntry {
    /// What it says it is.
    pub name: String,
    /// What `--probe` takes.
    pub selector: String,
    /// Whether this user may use it.
    pub is_permitted: bool,
}

impl fmt::Display for ProbeEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.selector, self.name)
    }
}

/// Rules for udev that let whoever sits at the computer use its probes.
pub const UDEV_RULE: &str = include_str!("70-edgepkg-probes.rules");

/// The probes that are plugged in.
pub fn list_probes() -> Vec<ProbeEntry> {
    let items = Lister::new().list_all_with_access();
    let entries = items.into_iter().map(|item| {
        let info = item.info;
        let serial = info.serial_number.as_deref().map(|serial| format!(":{serial}")).unwrap_or_default();
        ProbeEntry {
            selector: format!("{:04x}:{:04x}{serial}", info.vendor_id, info.product_id),
            name: info.identifier,
            is_permitted: item.accessibility == Accessibility::Accessible,
        }
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by(|a, b| a.selector.cmp(&b.selector));
    entries.dedup();
    entries
}

/// Opens the probe that `options` choose: the one that is plugged in, where they choose none.
pub(super) fn open(options: &ProbeOptions) -> Result<Probe, DeployError> {
    let probes = list_probes();
    let chosen = match &options.selector {
        Some(selector) => {
            let wanted = DebugProbeSelector::from_str(selector)
                .map_err(|_| DeployError::Selector { selector: selector.clone() })?;
            let prefix = format!("{:04x}:{:04x}", wanted.vendor_id, wanted.product_id);
            let is_wanted = |probe: &&ProbeEntry| {
                probe.selector == prefix
                    || probe.selector.strip_prefix(&prefix).is_some_and(|serial| {
                        let wanted = wanted.serial_number.as_deref();
                        wanted
                            .is_none_or(|wanted| serial.trim_start_matches(':').eq_ignore_ascii_case(wanted))
                    })
            };
            let found = probes.iter().find(is_wanted).cloned();
            found.ok_or_else(|| DeployError::NoSuchProbe { selector: selector.clone(), probes })?
        }
        None => match &probes[..] {
            [] => return Err(DeployError::NoProbe),
            [probe] => probe.clone(),
            _ => return Err(DeployError::SeveralProbes { probes }),
        },
    };
    if !chosen.is_permitted {
        return Err(DeployError::NotPermitted { probe: chosen });
    }
    let selector = DebugProbeSelector::from_str(&chosen.selector)
        .map_err(|_| DeployError::Selector { selector: chosen.selector.clone() })?;
    let opened = Lister::new().open(selector).and_then(|mut probe| {
        if let Some(wire) = options.wire {
            probe.select_protocol(match wire {
                Wire::Swd => WireProtocol::Swd,
                Wire::Jtag => WireProtocol::Jtag,
            })?;
        }
        if let Some(speed_khz) = options.speed_khz {
            probe.set_speed(speed_khz)?;
        }
        Ok(probe)
    });
    opened.map_err(|error| DeployError::Open { probe: chosen, cause: Cause::of(&error) })
}
