//! The command line: what can be asked for. What is then done is in `commands`.

mod shapes;
mod state;

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::optimize::Optimize;

pub use self::shapes::ShapeArguments;
pub use self::state::StateArguments;
use crate::attached::Attached;
use crate::commands::add::AddArguments;
use crate::commands::audit::{AuditArguments, VerifyArguments};
use crate::commands::bench::BenchArguments;
use crate::commands::bisect::BisectArguments;
use crate::commands::boards::BoardsArguments;
use crate::commands::build::BuildArguments;
use crate::commands::cache::CacheArguments;
use crate::commands::check::CheckArguments;
use crate::commands::chips::ChipsArguments;
use crate::commands::completions::CompletionsArguments;
use crate::commands::demo::DemoArguments;
use crate::commands::erase::EraseArguments;
use crate::commands::export::ExportArguments;
use crate::commands::flash::FlashArguments;
use crate::commands::import_worker::WorkerArguments;
use crate::commands::inspect::InspectArguments;
use crate::commands::install::{InstallArguments, UpdateArguments};
use crate::commands::key::KeyArguments;
use crate::commands::login::LoginArguments;
use crate::commands::new::NewArguments;
use crate::commands::probes::ProbesArguments;
use crate::commands::publish::PublishArguments;
use crate::commands::quantize::QuantizeArguments;
use crate::commands::registry_queries::{InfoArguments, SearchArguments, VersionsArguments};
use crate::commands::remove::RemoveArguments;
use crate::commands::reset::ResetArguments;
use crate::commands::run::RunArguments;
use crate::commands::status::StatusArguments;
use crate::commands::test::TestArguments;
use crate::commands::vendor::VendorArguments;
use crate::commands::yank::YankArguments;
use crate::deploy::{ProbeOptions, Wire};
use crate::import_worker::{Limits, SUBCOMMAND, Worker};
use crate::installed;
use crate::model::{Choices, Importer, Model, ModelError};
use crate::project::{PROJECT_FILE, Project, Requirement};
use crate::ssh::Destination;
use edgepkg_quantize::package::Package;

/// Put neural networks on microcontrollers and Arm boards.
///
/// A trained model is quantized to int8, packed as one verifiable file, and put on a board, where it
/// answers bit for bit as on this computer.
#[derive(Debug, Parser)]
#[command(
    name = "edgepkg",
    bin_name = "edgepkg",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Start with `edgepkg demo`: a keyword-spotting model, the whole way, in seconds."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take a shipped keyword-spotting model the whole way, on this computer
    Demo(DemoArguments),
    /// Make a project: a folder whose edgepkg.toml says what its package is made from
    New(NewArguments),
    /// Compare a project with what its edgepkg.toml says
    Check(CheckArguments),
    /// Make a package of a trained model: ONNX, or int8 TensorFlow Lite
    Quantize(Box<QuantizeArguments>),
    /// Show what is in a package or a model file: layers, memory, accuracy, where the error comes from
    Inspect(InspectArguments),
    /// Build a package for a board: artifact, runner image, fit certificate
    Build(BuildArguments),
    /// Put a package on a board and verify what was written
    Flash(FlashArguments),
    /// Run a model on a board with inputs from files
    Run(RunArguments),
    /// Run a package's test vectors on a board and compare with this computer, bit for bit
    Test(TestArguments),
    /// Count what a model costs on a board: instructions, modelled cycles, arena, stack
    Bench(BenchArguments),
    /// Find the first layer, and in it the first element, that a board computes otherwise than this computer
    Bisect(BisectArguments),
    /// Write a package's model for other tools: int8 TensorFlow Lite, or ONNX in the QDQ form
    Export(ExportArguments),
    /// Add packages that the project needs
    Add(AddArguments),
    /// Remove packages that the project needs
    Remove(RemoveArguments),
    /// Install what a project needs, or packages by name
    Install(InstallArguments),
    /// Take newer versions of what a project needs
    Update(UpdateArguments),
    /// Search a registry
    Search(SearchArguments),
    /// Show what a registry says of a package
    Info(InfoArguments),
    /// List the versions of a package
    Versions(VersionsArguments),
    /// Publish a package in a registry
    Publish(PublishArguments),
    /// Keep a version from being chosen
    Yank(YankArguments),
    /// Copy what a project needs into a folder
    Vendor(VendorArguments),
    /// Compare installed packages with their digests and signatures
    Verify(VerifyArguments),
    /// Look for what is wrong with what a project needs: yanked, unsigned, changed, a licence not accepted
    Audit(AuditArguments),
    /// Make, list and export keys that sign packages
    Key(KeyArguments),
    /// Store the password of a registry
    Login(LoginArguments),
    /// Look after the store of installed packages
    Cache(CacheArguments),
    /// List the boards
    Boards(BoardsArguments),
    /// Say what runs on a board that a debug probe reaches: runner, model, free space
    Status(StatusArguments),
    /// Reset a board through a debug probe
    Reset(ResetArguments),
    /// Erase runner and model from a board through a debug probe
    Erase(EraseArguments),
    /// List the debug probes that are plugged in, and how a user comes to be allowed to use them
    Probes(ProbesArguments),
    /// Search the chips that a debug probe can program
    Chips(ChipsArguments),
    /// Write what a shell completes command lines by
    Completions(CompletionsArguments),
    /// Write the manual's page
    #[command(hide = true)]
    Man,
    /// Read one model file from standard input, for the process that started this one
    #[command(name = SUBCOMMAND, hide = true)]
    ImportWorker(WorkerArguments),
}

/// Which model.
#[derive(Args, Debug)]
pub struct PackageArgument {
    /// A package (.edgepkg, or the folder of an unpacked one), an installed one by its name, or a project's folder; an
    /// int8 .tflite or a built .epa will do too [default: the project one stands in]
    #[arg(value_name = "PKG")]
    package: Option<PathBuf>,
    /// Compute channels that change no output too, so that every layer has the file's shape
    #[arg(long)]
    pub keep_dead_channels: bool,
    /// What kernels are chosen for where one costs another: cycles, the arena, or the model and its code
    #[arg(long, value_name = "WHAT", default_value = Optimize::default().name(), value_parser = optimize())]
    pub optimize: Optimize,
    #[command(flatten)]
    import: ImportArguments,
}

impl PackageArgument {
    /// How the model is to be lowered.
    pub fn choices(&self) -> Choices {
        let dead_channels = if self.keep_dead_channels { DeadChannels::Keep } else { DeadChannels::Drop };
        Choices { dead_channels, optimize: self.optimize }
    }

    /// Reads the model.
    ///
    /// # Errors
    ///
    /// When it cannot be used.
    pub fn read(&self) -> Result<Model, ModelError> {
        let importer = self.importer();
        match &self.package {
            None => Model::of_project(&Project::here()?, &importer),
            Some(folder) if folder.join(PROJECT_FILE).is_file() && !Package::is_layout(folder) => {
                Model::of_project(&Project::read(folder)?, &importer)
            }
            Some(path) => match installed_name(path) {
                Some(requirement) => Ok(Model::Package(Box::new(installed::find(&requirement)?))),
                None => Model::read(path, &importer),
            },
        }
    }

    /// The file, where one is named.
    pub fn file(&self) -> Option<&Path> {
        self.package.as_deref().filter(|path| !path.is_dir() && installed_name(path).is_none())
    }

    /// Where a model file is read.
    pub fn importer(&self) -> Importer {
        self.import.importer()
    }
}

/// What `path` says where it is no path: a package that was installed.
fn installed_name(path: &Path) -> Option<Requirement> {
    let text = path.to_str().filter(|_| !path.exists())?;
    // A name has no dot, versions have.
    text.split('@').next().filter(|name| !name.contains('.'))?;
    text.parse().ok()
}

/// A parser of what is optimized for, which lists the choices.
fn optimize() -> impl TypedValueParser<Value = Optimize> {
    let names = PossibleValuesParser::new(Optimize::ALL.map(Optimize::name));
    names.map(|name| Optimize::from_name(&name).expect("one of the names"))
}

/// What reading a model file may take. Hidden: errors name these when they are needed.
#[derive(Args, Clone, Copy, Debug)]
pub struct ImportArguments {
    /// Memory that reading a model file may take beside the file's own size (Linux)
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().memory_mib, hide = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    import_memory: u64,
    /// Seconds that reading a model file may take
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().seconds, hide = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    import_seconds: u64,
}

impl ImportArguments {
    /// Reads model files in this program, started anew with these limits.
    pub fn importer(&self) -> Importer {
        let limits = Limits { memory_mib: self.import_memory, seconds: self.import_seconds };
        // Where the system does not say what this program is, starting it fails and names it so.
        let program = std::env::current_exe().unwrap_or_else(|_| "edgepkg".into());
        Importer::Worker(Worker { program, limits })
    }
}

/// Which board.
#[derive(Args, Debug)]
pub struct BoardArguments {
    /// The board, by its name in `edgepkg boards`, or the path of a board file (.toml)
    #[arg(long, value_name = "BOARD", default_value = "host")]
    pub board: String,
    /// A chip in place of a board, by its name in `edgepkg chips`: the runner lies at the start of its flash, models behind it
    #[arg(long, value_name = "CHIP", conflicts_with_all = ["board", "emulate", "host", "serial", "tcp"])]
    pub chip: Option<String>,
    /// Use the board's emulator in place of the board (boards named qemu-* are emulators already)
    #[arg(long)]
    pub emulate: bool,
    /// Where a board is that runs Linux: a name of your ssh's, or USER@HOST; with :FOLDER behind it, a folder there
    #[arg(long, value_name = "USER@HOST", conflicts_with = "emulate")]
    pub host: Option<Destination>,
    /// Take the runner that is at a serial port of this computer, and write the model into its slot
    #[arg(long, value_name = "PORT", conflicts_with_all = ["emulate", "host"])]
    pub serial: Option<String>,
    /// Bits a second at the serial port
    #[arg(long, value_name = "N", default_value_t = 115_200, requires = "serial")]
    pub baud: u32,
    /// Take a runner that listens (`runner --listen ADDRESS:PORT`), and write the model into its slot
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["emulate", "host", "serial"])]
    pub tcp: Option<String>,
    /// The debug probe.
    #[command(flatten)]
    pub probe: ProbeArguments,
}

impl BoardArguments {
    /// The runner that is there already, where one was named.
    pub fn attached(&self) -> Option<Attached> {
        let serial = self.serial.clone().map(|port| Attached::Serial { port, baud: self.baud });
        serial.or_else(|| self.tcp.clone().map(|address| Attached::Tcp { address }))
    }
}

/// Which debug probe, and how it talks.
#[derive(Args, Clone, Debug)]
pub struct ProbeArguments {
    /// The debug probe, by its name in `edgepkg probes`; needed where there are several
    #[arg(long, value_name = "VID:PID[:SERIAL]", conflicts_with = "emulate")]
    probe: Option<String>,
    /// The clock of the probe's wires
    #[arg(long, value_name = "KHZ", conflicts_with = "emulate")]
    speed: Option<u32>,
    /// What is spoken over the probe's wires
    #[arg(long, value_name = "WIRE", value_parser = wire(), conflicts_with = "emulate")]
    protocol: Option<Wire>,
}

/// A parser of what is spoken over wires, which lists the choices.
fn wire() -> impl TypedValueParser<Value = Wire> {
    let names = PossibleValuesParser::new(Wire::ALL.map(Wire::name));
    names.map(|name| Wire::from_name(&name).expect("one of the names"))
}

impl ProbeArguments {
    /// What to open.
    pub fn options(&self) -> ProbeOptions {
        ProbeOptions { selector: self.probe.clone(), speed_khz: self.speed, wire: self.protocol }
    }
}

/// How results are written.
#[derive(Args, Clone, Copy, Debug)]
pub struct OutputArguments {
    /// Write the result as JSON
    #[arg(long)]
    pub json: bool,
}
