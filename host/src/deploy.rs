//! Puts runner and model on a board through a debug probe, and talks to it through the probe.
//!
//! What is to be in the flash makes a [`Plan`]; what of it is not there makes steps, and these are carried out in an
//! order in which no cut leaves a board that runs half of something.

mod chip_board;
mod connection;
mod erase;
mod error;
mod events;
mod layout;
mod plan;
mod probes;
mod rtt;
mod runner_file;
mod slots;
mod target;
mod write;

pub use self::chip_board::board_of_chip;
pub use self::connection::{Connection, Reach, connect};
#[cfg(unix)]
pub use self::connection::{FlashKept, virtual_chip};
pub use self::erase::Erase;
pub use self::error::{Cause, DeployError, LeftBehind, PERMISSION_HINT};
pub use self::events::{Event, Operation};
pub use self::plan::{Contents, Others, Plan, PlanError, Record, SlotContents};
pub use self::probes::{ProbeEntry, ProbeOptions, UDEV_RULE, Wire, list_probes};
pub use self::rtt::RttTransport;
pub use self::runner_file::RunnerFile;
pub use self::slots::Slots;
pub use self::target::{ChipEntry, search_chips};
pub use self::write::Written;
