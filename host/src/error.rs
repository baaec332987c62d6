//! Everything a command can fail with, and the way out of each.

use std::fmt;
use std::io;
use std::path::PathBuf;

use edgepkg_boards::BoardError;
use edgepkg_format::ArtifactError;
use edgepkg_quantize::error_text;
use edgepkg_quantize::export::ExportError;
use edgepkg_quantize::import::{DynamicInput, ImportError};
use miette::Diagnostic;
use thiserror::Error;

use crate::attached::AttachError;
use crate::bisect::BisectError;
use crate::boot_folder::BootFolderError;
use crate::configuration::ConfigurationError;
use crate::device::DeviceError;
use crate::embed::EmbedError;
use crate::emit_c::EmitError;
use crate::fit::FitError;
use crate::import_worker::WorkerError;
use crate::install::InstallError;
use crate::model::ModelError;
use crate::pack::PackError;
use crate::project::{OutOfLimits, ProjectError};
use crate::publish::PublishError;
use crate::registry::{CredentialError, RegistryError};
use crate::samples::InputError;
use crate::ssh::SshError;
use crate::store::{NoHome, StoreError};
use crate::table::counted;
use crate::trust::KeyError;
use crate::uf2::Uf2Error;
use crate::verify::Difference;
use edgepkg_quantize::package::PackageError;
use edgepkg_quantize::tensor_file::TensorFileError;
use edgepkg_quantize::whole_file;

/// Why a command did not do what it was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// The PKG argument.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Quantizing and packing.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A package file.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A package that its project's limits do not let pass.
    #[error(transparent)]
    OutOfLimits(#[from] OutOfLimits),
    /// Installing.
    #[error(transparent)]
    Install(Box<InstallError>),
    /// Publishing.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Registries and trust.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// A registry's password.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What an audit found.
    #[error("{findings} in what {what} needs")]
    Findings {
        /// How many.
        findings: String,
        /// Whose.
        what: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Where the store is.
    #[error(transparent)]
    Home(#[from] NoHome),
    /// Blobs that were changed.
    #[error("{blobs} of the store had been changed, and were removed")]
    Damaged {
        /// How many.
        blobs: String,
    },
    /// A project that is not as its file says.
    #[error("`{}` has {problems}", path.display())]
    Problems {
        /// The file.
        path: PathBuf,
        /// How many.
        problems: String,
    },
    /// Input files.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Tensor files.
    #[error(transparent)]
    TensorFile(#[from] TensorFileError),
    /// The `--board` argument.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// The board, or its emulator.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A model that is too large, or a runner that cannot be judged.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A comparison of layers.
    #[error(transparent)]
    Bisect(#[from] BisectError),
    /// A minimal image.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// A model as C.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// A Raspberry Pi's boot folder.
    #[error(transparent)]
    BootFolder(#[from] BootFolderError),
    /// The drive of a UF2 boot loader.
    #[error(transparent)]
    Uf2(#[from] Uf2Error),
    /// A computer that is reached by ssh.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// A runner at a serial port or a TCP address.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// Nothing is said about where the board is.
    #[error("`{board}` is a computer of yours, and nothing says which")]
    HostMissing {
        /// The board's name.
        board: String,
    },
    /// `--host` for a board that is not reached so.
    #[error("`{board}` is not reached by ssh")]
    NoHost {
        /// The board's name.
        board: String,
    },
    /// A serial port or a connection for a board that has no runner.
    #[error("`{board}` has no runner at the end of a connection")]
    NoRunner {
        /// The board's name.
        board: String,
    },
    /// Hardware that cannot be reached from here.
    #[error("board `{board}` is hardware, which `{command}` cannot reach")]
    Unreachable {
        /// The board's name.
        board: String,
        /// The command.
        command: &'static str,
        /// Whether it has an emulator.
        has_emulator: bool,
    },
    /// Nothing is said about how the board is to be flashed.
    #[error("`{board}` can be flashed in two ways, and neither was chosen")]
    FlashWay {
        /// The board's name.
        board: String,
    },
    /// A model that computes something else on its board, found before it was made valid there.
    #[error(
        "`{board}` does not compute with the new model what this computer does: test vector {}, output {}, byte {} is {}, \
         should be {}; the model was not made valid",
        difference.vector, difference.output, difference.byte, difference.found, difference.expected
    )]
    Trial {
        /// The board's name.
        board: String,
        /// Where.
        difference: Difference,
    },
    /// Files of outputs for a model that has another number of them.
    #[error("`--expect` was given {given} times, and the model has {}", counted(*expected, "output"))]
    ExpectCount {
        /// Outputs of the model.
        expected: usize,
        /// Files that were given.
        given: usize,
    },
    /// Files of inputs and outputs that are of different numbers of samples.
    #[error("there are {} and {}", counted(*inputs, "input sample"), counted(*outputs, "output"))]
    ExpectSamples {
        /// Samples of inputs.
        inputs: usize,
        /// Samples of outputs.
        outputs: usize,
    },
    /// A board that no debug probe reaches.
    #[error("`{command}` works through a debug probe, and `{board}` has none")]
    NotProbed {
        /// The board's name.
        board: String,
        /// The command.
        command: &'static str,
    },
    /// No chip is called so.
    #[error("no chip that a probe can program has `{pattern}` in its name")]
    NoSuchChip {
        /// What was asked for.
        pattern: String,
    },
    /// A boot folder for a board that has none.
    #[error("`{board}` does not boot from a folder")]
    NoBootFolder {
        /// The board's name.
        board: String,
    },
    /// A device that holds another model than was written.
    #[error("`{board}` holds the artifact {found}, it should hold {expected}")]
    OtherModel {
        /// The board's name.
        board: String,
        /// Digest of what was written.
        expected: String,
        /// Digest of what is there.
        found: String,
    },
    /// Numbers of `--output` and of the model's outputs differ.
    #[error("the model has {}, and {} given", counted(*.expected, "output"), were(*.given))]
    OutputCount {
        /// Outputs of the model.
        expected: usize,
        /// Files given.
        given: usize,
    },
    /// A command that needs a package was given an artifact.
    #[error("`{command}` needs a package, and this is a built artifact")]
    NeedsPackage {
        /// The command.
        command: &'static str,
    },
    /// A model that a format of other tools cannot express.
    #[error("the model cannot be written as {format}")]
    Export {
        /// The format's name.
        format: &'static str,
        /// What it lacks.
        source: ExportError,
    },
    /// A file that a command makes.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Standard output.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

fn were(files: usize) -> String {
    format!("{} {}", counted(files, "file"), if files == 1 { "is" } else { "are" })
}

impl From<InstallError> for Error {
    fn from(error: InstallError) -> Self {
        Error::Install(Box::new(error))
    }
}

/// Whose fault it is: what the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The user can mend it: exit code 1.
    User,
    /// A fault of ours: exit code 2.
    Us,
}

impl Error {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            // What this program lowered itself, the host's runtime must run.
            Error::Device(DeviceError::Model(_) | DeviceError::Session(_) | DeviceError::Run(_)) => Blame::Us,
            _ => Blame::User,
        }
    }

    /// The way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Model(error) => model_hint(error),
            Error::Pack(error) => pack_hint(error),
            Error::Package(error) => error.hint().map(str::to_owned),
            Error::Project(error) => error.hint(),
            Error::Install(error) => error.hint(),
            Error::Publish(error) => error.hint(),
            Error::Registry(error) => error.hint(),
            Error::Configuration(error) => error.hint(),
            Error::Credential(CredentialError::Registry(error)) => error.hint(),
            Error::Key(error) => error.hint(),
            Error::Store(error) => error.hint(),
            Error::Home(_) => Some("set `EDGEPKG_HOME` to a folder of yours".to_owned()),
            Error::Damaged { .. } => Some("`edgepkg install` fetches what projects need of them".to_owned()),
            Error::OutOfLimits(limit) => Some(limit.hint().to_owned()),
            Error::Input(error) => input_hint(error),
            Error::TensorFile(error) => error.hint().map(str::to_owned),
            Error::Board(error) => Some(error.hint()),
            Error::Device(error) => error.hint(),
            Error::Fit(error) => error.hint(),
            Error::Bisect(BisectError::Device(error)) => error.hint(),
            Error::Bisect(BisectError::Model(error)) => model_hint(error),
            Error::Embed(error) => error.hint(),
            Error::Emit(error) => error.hint(),
            Error::BootFolder(error) => error.hint().map(str::to_owned),
            Error::Uf2(error) => error.hint(),
            Error::Ssh(error) => error.hint(),
            Error::Attach(error) => Some(error.hint()),
            Error::HostMissing { .. } => Some(
                "`--host USER@HOST` reaches it by ssh, `--tcp HOST:PORT` a runner that listens there; `--emulate` \
                 runs it here"
                    .to_owned(),
            ),
            Error::NoHost { board } => Some(format!("leave out `--host` to use `{board}`")),
            Error::NoRunner { .. } => Some("name the board that is there with `--board`".to_owned()),
            Error::Unreachable { board, has_emulator: true, .. } => Some(format!(
                "`--emulate` uses the emulator of `{board}`; `edgepkg flash --board {board}` says how a model gets \
                 onto the board itself"
            )),
            Error::FlashWay { .. } => Some(
                "`--boot-dir DIR` writes the runner and the model into the boot folder of an SD card; `--emulate` \
                 starts them in QEMU"
                    .to_owned(),
            ),
            Error::Trial { board, .. } => {
                Some(format!("`edgepkg bisect PKG --board {board}` finds the layer; what the board had still runs"))
            }
            Error::ExpectCount { .. } => {
                Some("give `--expect` once for each output, in the model's order".to_owned())
            }
            Error::ExpectSamples { .. } => {
                Some("the first axis of every file counts the samples, and is the same in all".to_owned())
            }
            Error::NotProbed { .. } => {
                Some("`edgepkg boards` says which boards are flashed by a debug probe".to_owned())
            }
            Error::NoSuchChip { .. } => Some("a shorter pattern finds more: `edgepkg chips nrf`".to_owned()),
            Error::NoBootFolder { board } => Some(format!("leave out `--boot-dir` to flash `{board}`")),
            Error::OutputCount { .. } => Some("give `--output` once for each output, in the model's order".to_owned()),
            Error::NeedsPackage { .. } => Some("give the package it was built from".to_owned()),
            Error::OtherModel { .. } => Some("flash it again".to_owned()),
            Error::Export { .. } => Some(
                "`edgepkg inspect` lists the layers; another `--format` may have words for this one".to_owned(),
            ),
            Error::Write { .. } => Some(whole_file::WRITE_HINT.to_owned()),
            Error::Credential(_) | Error::Findings { .. } | Error::Problems { .. } | Error::Unreachable { .. } | Error::Output(_) => None,
        }
    }
}

fn model_hint(error: &ModelError) -> Option<String> {
    match error {
        ModelError::NotFound(_) => Some(whole_file::PATH_HINT.to_owned()),
        ModelError::NotQuantized(path) => Some(format!(
            "`edgepkg quantize {} --calibration SAMPLES.npy -o NAME.edgepkg` makes a package of it",
            path.display()
        )),
        ModelError::NotAModel(_) => {
            Some("`edgepkg quantize` makes a package of an ONNX or TensorFlow Lite file".to_owned())
        }
        ModelError::FixedShapes(_) => Some("leave out `--shape` and `--batch`".to_owned()),
        ModelError::NoOnnx(_) => Some("install edgepkg with its default features".to_owned()),
        ModelError::Package(error) => error.hint().map(str::to_owned),
        ModelError::Project(error) => error.hint(),
        ModelError::Installed(error) => error.hint(),
        ModelError::Import { source, .. } => import_hint(source),
        ModelError::Worker { source, .. } => worker_hint(source),
        ModelError::Artifact { source, .. } => artifact_hint(source),
        ModelError::Isa { board, .. } => {
            Some(format!("`edgepkg build PKG --board {board} -o DIR` builds it for that board"))
        }
        _ => None,
    }
}

fn import_hint(error: &ImportError) -> Option<String> {
    match error {
        ImportError::DynamicShapes(inputs) => Some(shape_hint(inputs)),
        _ => error.hint().map(str::to_owned),
    }
}

/// The flags that fix what `inputs` leave open.
fn shape_hint(inputs: &[DynamicInput]) -> String {
    let open = inputs.iter().filter(|input| !input.open.is_empty());
    let flag = |input: &DynamicInput| {
        let extents = input.shape.iter().enumerate().map(|(axis, extent)| match extent.parse::<u32>() {
            Ok(1..) => extent.clone(),
            _ if axis == 0 && !input.open.contains(extent) => "1".to_owned(),
            _ => extent.to_uppercase(),
        });
        format!("`--shape {}={}`", input.input, extents.collect::<Vec<_>>().join(","))
    };
    let flags: Vec<String> = open.map(flag).collect();
    format!("add {}, with numbers for the names", flags.join(" "))
}

fn worker_hint(error: &WorkerError) -> Option<String> {
    match error {
        WorkerError::Memory { .. } | WorkerError::Died { .. } => Some(
            "the file may be damaged or made to harm; if you trust it, `--import-memory MIB` gives it more"
                .to_owned(),
        ),
        WorkerError::Time { .. } => Some(
            "the file may be damaged or made to harm; if you trust it, `--import-seconds N` gives it longer"
                .to_owned(),
        ),
        WorkerError::Start { .. } | WorkerError::Answer(_) => None,
    }
}

fn artifact_hint(error: &ArtifactError) -> Option<String> {
    match error {
        ArtifactError::Version { .. } | ArtifactError::UnknownIsa { .. } => {
            Some("it may be from a newer edgepkg: update this one, or build the artifact again".to_owned())
        }
        ArtifactError::Misaligned => {
            Some("place it at a multiple of 16 bytes; in Rust, `include_model!` does".to_owned())
        }
        _ => Some("build it again from its package with `edgepkg build`".to_owned()),
    }
}

fn pack_hint(error: &PackError) -> Option<String> {
    match error {
        PackError::Model(error) => model_hint(error),
        PackError::CalibrationMissing(_) => Some(
            "add `--calibration SAMPLES.npy`: some hundred typical inputs as float32, the first axis counting samples"
                .to_owned(),
        ),
        PackError::NotAModel(_) => Some("export the model to ONNX or TensorFlow Lite".to_owned()),
        PackError::TestMissing => Some("add `--test SAMPLES.npy`".to_owned()),
        PackError::Samples { source, .. } => input_hint(source),
        PackError::StateOfInt8(_) => Some("take the float model it was made from".to_owned()),
        PackError::State { .. } => {
            Some("`--state INPUT=OUTPUT` names an input, and the output with its next value".to_owned())
        }
        PackError::InitialOfNoState(input) => Some(format!("add `--state {input}=OUTPUT`")),
        PackError::LabelNames(_) => Some("the file has one name a line, as many as the model has classes".to_owned()),
        PackError::NoSuchNode(_) => Some("`edgepkg inspect` lists the layers of a package".to_owned()),
        PackError::Vectors(error) => error.hint(),
        PackError::NoSuchPort { direction, names, .. } => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            Some(format!("its {direction}s are {}", names.join(", ")))
        }
        PackError::Quantize { .. } => None,
    }
}

fn input_hint(error: &InputError) -> Option<String> {
    match error {
        InputError::File(error) => error.hint().map(str::to_owned),
        InputError::Samples { source, .. } => source.hint().map(str::to_owned),
        InputError::Labels(_) => Some("labels are one integer a sample: the index of its class".to_owned()),
        InputError::RawType { .. } => {
            Some("without `--raw`, numbers are in the model's own units and are quantized for it".to_owned())
        }
    }
}

impl Diagnostic for Error {
    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        self.hint().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }
}

/// How errors look: `error: ` and the message with its causes, a blank line, `hint: ` and the way out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Handler {
    /// Whether the words at the front are coloured.
    pub color: Color,
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// For terminals.
    Ansi,
    /// For everything else.
    #[default]
    None,
}

impl miette::ReportHandler for Handler {
    fn debug(&self, error: &dyn Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (red, blue, reset) = match self.color {
            Color::Ansi => ("\u{1b}[1;31m", "\u{1b}[1;36m", "\u{1b}[0m"),
            Color::None => ("", "", ""),
        };
        write!(f, "{red}error:{reset} {}", error_text::message(error))?;
        match error.help() {
            Some(hint) => write!(f, "\n\n{blue}hint:{reset} {hint}"),
            None => Ok(()),
        }
    }
}
