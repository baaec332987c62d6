//! The command line: what can be asked for. What is then done is in `commands`.

mod shapes;
mod state;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::optimize::Optimize;

pub use self::shapes::ShapeArguments;
pub use self::state::StateArguments;
use crate::commands::bench::BenchArguments;
use crate::commands::boards::BoardsArguments;
use crate::commands::build::BuildArguments;
use crate::commands::demo::DemoArguments;
use crate::commands::export::ExportArguments;
use crate::commands::flash::FlashArguments;
use crate::commands::import_worker::WorkerArguments;
use crate::commands::inspect::InspectArguments;
use crate::commands::quantize::QuantizeArguments;
use crate::commands::run::RunArguments;
use crate::commands::test::TestArguments;
use crate::import_worker::{Limits, SUBCOMMAND, Worker};
use crate::model::{Choices, Importer, Model, ModelError};

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
    /// Write a package's model for other tools: int8 TensorFlow Lite, or ONNX in the QDQ form
    Export(ExportArguments),
    /// List the boards
    Boards(BoardsArguments),
    /// Read one model file from standard input, for the process that started this one
    #[command(name = SUBCOMMAND, hide = true)]
    ImportWorker(WorkerArguments),
}

/// Which model.
#[derive(Args, Debug)]
pub struct PackageArgument {
    /// A package (.edgepkg, or the folder of an unpacked one); an int8 .tflite or a built .epa will do too
    #[arg(value_name = "PKG")]
    pub package: PathBuf,
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
        Model::read(&self.package, &self.importer())
    }

    /// Where a model file is read.
    pub fn importer(&self) -> Importer {
        self.import.importer()
    }
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
    /// Use the board's emulator in place of the board (boards named qemu-* are emulators already)
    #[arg(long)]
    pub emulate: bool,
}

/// How results are written.
#[derive(Args, Clone, Copy, Debug)]
pub struct OutputArguments {
    /// Write the result as JSON
    #[arg(long)]
    pub json: bool,
}
