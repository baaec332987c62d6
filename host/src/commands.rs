//! The commands: thin shells over the library's operations. Results go to the writer they are given,
//! progress to standard error.

pub mod add;
pub mod bench;
pub mod audit;
pub mod bisect;
pub mod boards;
pub mod completions;
pub mod build;
pub mod cache;
pub mod check;
pub mod chips;
mod costs;
pub mod demo;
pub mod erase;
pub mod export;
pub mod flash;
pub mod import_worker;
pub mod inspect;
pub mod install;
pub mod key;
pub mod login;
pub mod new;
pub mod probes;
pub mod publish;
pub mod quantize;
mod registry_arguments;
pub mod registry_queries;
pub mod remove;
pub mod reset;
pub mod run;
pub mod status;
pub mod test;
pub mod vendor;
pub mod yank;

use std::io::{self, Write};

use edgepkg_boards::{Board, Deploy};
use serde::Serialize;

use crate::cli::{BoardArguments, Command, ProbeArguments};
use crate::deploy::{self, DeployError, Reach};
use crate::device::{self, Device, DeviceError, LinkDevice, OpenOptions};
use crate::error::Error;
use crate::fit::{self, Certificate};
use crate::progress::Progress;
use crate::runners;
use crate::ssh::{self, Destination};
#[cfg(unix)]
use crate::{deploy::FlashKept, store::Home};

/// The schema of every `--json` result. It rises when a field changes or goes; fields may be added.
pub const JSON_SCHEMA_VERSION: u32 = 1;

/// How a command that did what it was asked ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Good,
    /// A board does not compute what the host computes: a fault of ours.
    Different,
}

/// Does what `command` asks for and writes the result to `out`.
///
/// # Errors
///
/// When it cannot be done.
pub fn execute(command: &Command, out: &mut dyn Write) -> Result<Outcome, Error> {
    match command {
        Command::Demo(arguments) => demo::execute(arguments, out),
        Command::New(arguments) => new::execute(arguments, out),
        Command::Check(arguments) => check::execute(arguments, out),
        Command::Quantize(arguments) => quantize::execute(arguments, out),
        Command::Inspect(arguments) => inspect::execute(arguments, out),
        Command::Build(arguments) => build::execute(arguments, out),
        Command::Flash(arguments) => flash::execute(arguments, out),
        Command::Run(arguments) => run::execute(arguments, out),
        Command::Test(arguments) => test::execute(arguments, out),
        Command::Bench(arguments) => bench::execute(arguments, out),
        Command::Bisect(arguments) => bisect::execute(arguments, out),
        Command::Export(arguments) => export::execute(arguments, out),
        Command::Add(arguments) => add::execute(arguments, out),
        Command::Remove(arguments) => remove::execute(arguments, out),
        Command::Install(arguments) => install::execute(arguments, out),
        Command::Update(arguments) => install::execute_update(arguments, out),
        Command::Search(arguments) => registry_queries::search(arguments, out),
        Command::Info(arguments) => registry_queries::info(arguments, out),
        Command::Versions(arguments) => registry_queries::versions(arguments, out),
        Command::Publish(arguments) => publish::execute(arguments, out),
        Command::Yank(arguments) => yank::execute(arguments, out),
        Command::Vendor(arguments) => vendor::execute(arguments, out),
        Command::Login(arguments) => login::execute(arguments, out),
        Command::Verify(arguments) => audit::verify(arguments, out),
        Command::Audit(arguments) => audit::audit(arguments, out),
        Command::Key(arguments) => key::execute(arguments, out),
        Command::Cache(arguments) => cache::execute(arguments, out),
        Command::Boards(arguments) => boards::execute(arguments, out),
        Command::Status(arguments) => status::execute(arguments, out),
        Command::Reset(arguments) => reset::execute(arguments, out),
        Command::Erase(arguments) => erase::execute(arguments, out),
        Command::Probes(arguments) => probes::execute(arguments, out),
        Command::Chips(arguments) => chips::execute(arguments, out),
        Command::Completions(arguments) => completions::execute(arguments, out),
        Command::Man => completions::write_manual(out),
        Command::ImportWorker(arguments) => import_worker::execute(arguments, out),
    }
}

/// A `--json` result: `schema_version`, then the fields of `result`.
#[derive(Serialize)]
struct Versioned<'a, T> {
    schema_version: u32,
    #[serde(flatten)]
    result: &'a T,
}

fn write_json(out: &mut dyn Write, result: &impl Serialize) -> Result<(), Error> {
    let versioned = Versioned { schema_version: JSON_SCHEMA_VERSION, result };
    serde_json::to_writer_pretty(&mut *out, &versioned).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

impl BoardArguments {
    fn find(&self) -> Result<Board, Error> {
        match &self.chip {
            Some(chip) => Ok(deploy::board_of_chip(chip).map_err(DeviceError::from)?),
            None => Ok(Board::find(&self.board)?),
        }
    }

    /// Opens the board, or its emulator, with `artifact` in it, which must fit it.
    fn open(&self, board: &Board, artifact: &[u8], command: &'static str) -> Result<Box<dyn Device>, Error> {
        self.open_with(board, artifact, command, OpenOptions::default())
    }

    /// Where the board is, when it is reached by ssh.
    fn destination(&self, board: &Board) -> Result<Option<&Destination>, Error> {
        match &self.host {
            Some(_) if board.deploy != Deploy::Ssh => Err(Error::NoHost { board: board.name.clone() }),
            host => Ok(host.as_ref()),
        }
    }

    /// Opens the board where it was said to be: by ssh, or with a runner that is there already. `None` where nothing was
    /// said.
    fn open_elsewhere(
        &self,
        board: &Board,
        artifact: &[u8],
        options: OpenOptions,
    ) -> Result<Option<Box<dyn Device>>, Error> {
        if let Some(attached) = self.attached() {
            if board.is_host() {
                return Err(Error::NoRunner { board: board.name.clone() });
            }
            certify(board, artifact)?;
            let transport = attached.open()?;
            return Ok(Some(Box::new(LinkDevice::open_holding(transport, artifact, options)?)));
        }
        let Some(destination) = self.destination(board)? else { return Ok(None) };
        certify(board, artifact)?;
        let runner = runners::find(board).map_err(DeviceError::from)?;
        ssh::deploy(destination, &runner.loaded, artifact)?;
        let connection = ssh::Connection::start(destination)?;
        Ok(Some(Box::new(LinkDevice::open(Box::new(connection), options)?)))
    }

    /// As [`open`](Self::open), with options.
    fn open_with(
        &self,
        board: &Board,
        artifact: &[u8],
        command: &'static str,
        options: OpenOptions,
    ) -> Result<Box<dyn Device>, Error> {
        if let Some(device) = self.open_elsewhere(board, artifact, options)? {
            return Ok(device);
        }
        if board.is_probed() {
            certify(board, artifact)?;
            let progress = Progress::new("connecting");
            let connection = self.connect(board)?;
            let opened = device::probed::open(board, connection, artifact, options, &mut |event| {
                draw(&progress, event)
            });
            return Ok(Box::new(opened?.0));
        }
        if board.is_host() || board.is_emulator() || self.emulate {
            certify(board, artifact)?;
            return Ok(device::open(board, artifact, options)?);
        }
        if board.deploy == Deploy::Ssh {
            return Err(Error::HostMissing { board: board.name.clone() });
        }
        let has_emulator = board.emulator.is_some();
        Err(Error::Unreachable { board: board.name.clone(), command, has_emulator })
    }
}

impl BoardArguments {
    /// The board, which must be one that a probe reaches.
    fn find_probed(&self, command: &'static str) -> Result<Board, Error> {
        let board = self.find()?;
        if board.is_probed() { Ok(board) } else { Err(Error::NotProbed { board: board.name, command }) }
    }

    /// Connects to the chip of `board`, which a probe programs, or to one that stands for it.
    fn connect(&self, board: &Board) -> Result<deploy::Connection, Error> {
        Ok(deploy::connect(board, self.reach(board)?).map_err(DeviceError::from)?)
    }

    /// How the chip of `board` is reached, or one that stands for it.
    fn reach(&self, board: &Board) -> Result<Reach, Error> {
        let is_virtual = self.emulate || board.is_emulator();
        Ok(reach(board, is_virtual, &self.probe).map_err(DeviceError::from)?)
    }
}

#[cfg(unix)]
fn reach(board: &Board, is_virtual: bool, probe: &ProbeArguments) -> Result<Reach, DeployError> {
    if is_virtual {
        // Without a folder for it a chip is erased at every start.
        let kept =
            Home::find().map_or(FlashKept::Nowhere, |home| FlashKept::In(home.emulated_flash(&board.name)));
        Ok(Reach::Virtual(deploy::virtual_chip(board, kept)?))
    } else {
        Ok(Reach::Probe(probe.options()))
    }
}

#[cfg(not(unix))]
fn reach(board: &Board, is_virtual: bool, probe: &ProbeArguments) -> Result<Reach, DeployError> {
    match is_virtual {
        true => Err(DeployError::NoEmulator { board: board.name.clone() }),
        false => Ok(Reach::Probe(probe.options())),
    }
}

/// Shows how far work on a board is.
fn draw(progress: &Progress, event: deploy::Event) {
    progress.show_bytes(event.operation.name(), event.done_bytes, event.total_bytes);
}

/// Shows that `artifact` fits `board`, before anything is put there.
fn certify(board: &Board, artifact: &[u8]) -> Result<Certificate, Error> {
    if board.is_host() {
        return Ok(fit::certify_host(artifact)?);
    }
    let runner = runners::find(board).map_err(DeviceError::from)?;
    Ok(fit::certify(board, &runner.elf, artifact)?)
}
