//! The project's own chores: `cargo xtask setup | runners | test | ci | bless | package | dist | faults | perf`.
#![forbid(unsafe_code)]

mod bless;
mod ci;
mod command;
mod dist;
mod faults;
mod flat_image;
mod libraries;
mod packages;
mod perf;
mod publish;
mod runners;
mod setup;
mod suite;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::command::Failure;
use crate::faults::Cuts;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "edgepkg's own chores", version)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what building and testing need and this machine lacks
    Setup,
    /// Build the runner image of every board into target/runners
    Runners {
        /// Build in a public key (`edgepkg key export`), by whose signature alone models run
        #[arg(long, value_name = "KEY")]
        trust: Option<String>,
    },
    /// Set up, build the runners, check form and lints, run every test
    Test,
    /// What CI runs: name the machine's tools, then `test`
    Ci,
    /// Write snapshots, golden files and figures anew from what the code gives now
    Bless,
    /// Package the crates that are published and compile them from their packages, in the order in which they stand on
    /// each other
    Package,
    /// Build the release archive in target/dist, and try it in an empty folder
    Dist,
    /// Cut an emulated board's power while it is flashed, and see that it never runs half of something
    Faults {
        /// Try the cut after every change of the flash, which takes five minutes and more, and write tests/PROBE_PREFIXES.md
        #[arg(long)]
        all: bool,
    },
    /// Measure what the models cost on every emulated board and write tests/perf.toml and tests/PERFORMANCE.md
    Perf,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().chore {
        Chore::Setup => setup::setup(),
        Chore::Runners { trust } => runners::build(trust.as_deref()),
        Chore::Test => suite::run_all(),
        Chore::Ci => ci::run_ci(),
        Chore::Bless => bless::bless(),
        Chore::Package => publish::package(),
        Chore::Dist => dist::build(),
        Chore::Faults { all } => faults::try_cuts(if all { Cuts::All } else { Cuts::Some }),
        Chore::Perf => perf::write(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            ExitCode::FAILURE
        }
    }
}

fn report(failure: &Failure) {
    eprintln!("error: {failure}");
    if let Some(hint) = failure.hint() {
        eprintln!("\nhint: {hint}");
    }
}
