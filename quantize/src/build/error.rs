//! Why a model cannot be built into a program.

use std::io;
use std::path::PathBuf;

use edgepkg_boards::{BoardError, Shortage};
use edgepkg_format::{ArtifactError, Isa};
use thiserror::Error;

use crate::import::ImportError;
use crate::keep_state::KeepStateError;
use crate::lower::LowerError;
use crate::package::PackageError;
use crate::pipeline::QuantizeError;
use crate::samples::SamplesError;
use crate::tensor_file::TensorFileError;
use crate::whole_file;

/// Why a model cannot be built into a program.
#[derive(Debug, Error)]
pub enum BuildError {
    /// Cargo has not set `OUT_DIR`.
    #[error("there is no `OUT_DIR`: this is not a build script")]
    NotInBuildScript,
    /// A name that cannot be a module's.
    #[error("`{0}` cannot be the name of a module")]
    Name(String),
    /// A file is not there, or cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is of no kind that is known.
    #[error("`{}` is not a model: neither a package, nor a .tflite or .onnx file", .0.display())]
    NotAModel(PathBuf),
    /// An ONNX file, and no feature `onnx`.
    #[error("edgepkg-quantize is compiled without its feature `onnx` and cannot read `{}`", .0.display())]
    NoOnnx(PathBuf),
    /// A package cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A model file cannot be read.
    #[error("cannot import `{}`", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ImportError,
    },
    /// A float model without samples.
    #[error("`{}` is a float model, and quantizing it needs calibration samples", .0.display())]
    CalibrationMissing(PathBuf),
    /// A file of samples cannot be read.
    #[error(transparent)]
    SampleFile(#[from] TensorFileError),
    /// Samples do not fit the model.
    #[error("the calibration samples do not fit `{}`", model.display())]
    Samples {
        /// The model file.
        model: PathBuf,
        /// What does not fit.
        source: SamplesError,
    },
    /// Names of classes that are none.
    #[error("label names: {0}")]
    LabelNames(String),
    /// What is said of a package or an int8 model that only a float one takes.
    #[error("`{}` is int8 already: it takes no {what}", path.display())]
    Int8 {
        /// The file.
        path: PathBuf,
        /// What it does not take.
        what: &'static str,
    },
    /// What the model is to keep between runs.
    #[error("`{}` cannot keep its state", path.display())]
    State {
        /// The model file.
        path: PathBuf,
        /// What is wrong.
        source: KeepStateError,
    },
    /// The model cannot be quantized.
    #[error("`{}` cannot be quantized", path.display())]
    Quantize {
        /// The model file.
        path: PathBuf,
        /// What is wrong.
        source: QuantizeError,
    },
    /// The model cannot be lowered.
    #[error("the model cannot be lowered")]
    Lower(#[from] LowerError),
    /// There is no such board.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// A board with another instruction set than the one given.
    #[error("the instruction set is given as {given}, and `{board}` runs {expected}")]
    Isa {
        /// The one given.
        given: Isa,
        /// The board's name.
        board: String,
        /// The board's.
        expected: Isa,
    },
    /// The model alone is more than the board has room for.
    #[error("the model does not fit `{board}`: {}", list(shortages))]
    TooLarge {
        /// The board's name.
        board: String,
        /// What is missing, at least one thing.
        shortages: Vec<Shortage>,
    },
    /// A fault of ours: an artifact that was just made is not sound.
    #[error("the artifact is not sound")]
    Artifact(#[from] ArtifactError),
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

fn list(shortages: &[Shortage]) -> String {
    shortages.iter().map(Shortage::to_string).collect::<Vec<_>>().join("; ")
}

impl BuildError {
    /// The way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            BuildError::Import { source: ImportError::DynamicShapes(inputs), .. } => {
                let open = inputs.iter().filter(|input| !input.open.is_empty());
                let call = |input: &str| format!("`.shape(\"{input}\", &[...])`");
                let calls: Vec<String> = open.map(|input| call(&input.input)).collect();
                return Some(format!("add {} to the build script", calls.join(" and ")));
            }
            BuildError::Board(error) => return Some(error.hint()),
            BuildError::Name(_) => "`.name(\"...\")` gives it one of a-z, 0-9 and `_`, a letter first",
            BuildError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "paths start from the folder of the program's `Cargo.toml`"
            }
            BuildError::NotAModel(_) => {
                "export the model to ONNX or TensorFlow Lite; `embed_model!` takes an artifact (.epa)"
            }
            BuildError::NoOnnx(_) => {
                "add `features = [\"onnx\"]` to edgepkg-quantize under [build-dependencies], or give the package that \
                 `edgepkg quantize` makes of the file"
            }
            BuildError::Package(error) => return error.hint().map(str::to_owned),
            BuildError::Import { source, .. } => return source.hint().map(str::to_owned),
            BuildError::CalibrationMissing(_) => {
                "`.calibration(\"samples.npy\")` gives some hundred typical inputs as float32, the first axis counting \
                 samples"
            }
            BuildError::SampleFile(error) => return error.hint().map(str::to_owned),
            BuildError::Samples { source, .. } => return source.hint().map(str::to_owned),
            BuildError::LabelNames(_) => "the file has one name a line, as many as the model has classes",
            BuildError::Int8 { .. } => "leave that out, or give the float model it was made from",
            BuildError::State { .. } => {
                "`.state(input, output)` names an input, and the output with its next value"
            }
            BuildError::Isa { .. } => "leave out `.isa(...)`: the board says it",
            BuildError::TooLarge { .. } => {
                "choose a smaller model or a larger board; `.optimize(Optimize::Ram)` takes the least arena"
            }
            BuildError::Write { .. } => whole_file::WRITE_HINT,
            BuildError::NotInBuildScript
            | BuildError::Read { .. }
            | BuildError::Quantize { .. }
            | BuildError::Lower(_)
            | BuildError::Artifact(_) => return None,
        };
        Some(hint.to_owned())
    }
}
