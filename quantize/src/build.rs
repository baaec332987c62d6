//! The quantize step in a build script: a model goes in, a Rust module comes out.
//!
//! ```no_run
//! // build.rs
//! use edgepkg_quantize::build::Build;
//!
//! fn main() {
//!     Build::of("model/kws.onnx").calibration("model/calibration.npy").board("qemu-cortex-m4").generate();
//! }
//! ```
//!
//! The program takes the module in by its name, the model file's:
//!
//! ```ignore
//! edgepkg_runtime::built_model!(mod kws);
//!
//! let model = kws::Network::parse()?;
//! let mut arena = kws::Arena::new();
//! let mut session = model.session(&mut arena)?;
//! session.input(kws::input::INDEX)?.copy_from_i8(&[0; kws::input::LEN])?;
//! session.run()?;
//! let best = session.output(kws::output::INDEX)?.argmax();
//! let word = kws::output::LABELS[best];
//! ```
//!
//! A package (`.edgepkg`) and an int8 `.tflite` need no calibration, and no feature `onnx`. What was made is kept by its
//! content: a model, its samples and its options are quantized once. Cargo compiles build scripts without optimization
//! unless it is told otherwise; a profile that says `build-override.opt-level = 3` makes the step some ten times faster.

mod cache;
mod error;
mod module;
mod script;
mod source;

use std::path::{Path, PathBuf};
use std::time::Instant;

use edgepkg_boards::{Board, Shortage};
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::{Artifact, Isa};

pub use error::BuildError;

use crate::emit::Choices;
use crate::import::ImportOptions;
use crate::optimize::Optimize;
use crate::package::PackageName;
use crate::pipeline::Options;
use cache::{Cache, Key};
use script::{Script, announce};

/// One model of a program, and how it is made ready for it.
#[derive(Clone, Debug)]
pub struct Build {
    model: PathBuf,
    name: Option<String>,
    calibration: Vec<PathBuf>,
    label_names: Option<PathBuf>,
    board: Option<String>,
    isa: Option<Isa>,
    state: Vec<[String; 2]>,
    import: ImportOptions,
    options: Options,
    choices: Choices,
}

/// What a build made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The artifact, `NAME.epa`.
    pub artifact: PathBuf,
    /// The module, `NAME.rs`.
    pub module: PathBuf,
    /// Where the artifact is from.
    pub origin: Origin,
}

/// Where a build has its artifact from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was made anew.
    Made,
    /// The same model, samples and options had been through the step before.
    Kept,
}

impl Build {
    /// A model file: a package, `.tflite`, or `.onnx` with the feature `onnx`. Paths start from the folder of the
    /// program's `Cargo.toml`.
    pub fn of(model: impl Into<PathBuf>) -> Self {
        Self {
            model: model.into(),
            name: None,
            calibration: Vec::new(),
            label_names: None,
            board: None,
            isa: None,
            state: Vec::new(),
            import: ImportOptions::default(),
            options: Options::default(),
            choices: Choices::default(),
        }
    }

    /// What the module and its files are called, in place of the model file's name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Typical inputs of a float model (`.npy`, the first axis counts samples), from which value ranges are learnt. Once
    /// for each input, in the model's order.
    #[must_use]
    pub fn calibration(mut self, samples: impl Into<PathBuf>) -> Self {
        self.calibration.push(samples.into());
        self
    }

    /// A text file with the names of the classes, a line each.
    #[must_use]
    pub fn label_names(mut self, file: impl Into<PathBuf>) -> Self {
        self.label_names = Some(file.into());
        self
    }

    /// The board the program is for, by its name in `edgepkg boards` or the path of a board file: its instruction set, and
    /// an error where its memory is too small for the model.
    #[must_use]
    pub fn board(mut self, board: impl Into<String>) -> Self {
        self.board = Some(board.into());
        self
    }

    /// The instruction set. Where neither it nor a board is given, it is that of the target that cargo builds for.
    #[must_use]
    pub fn isa(mut self, isa: Isa) -> Self {
        self.isa = Some(isa);
        self
    }

    /// Keeps the float model's output `output` in the model, as `input` of the next run.
    #[must_use]
    pub fn state(mut self, input: impl Into<String>, output: impl Into<String>) -> Self {
        self.state.push([input.into(), output.into()]);
        self
    }

    /// The shape of an input that an ONNX file leaves open.
    #[must_use]
    pub fn shape(mut self, input: impl Into<String>, shape: &[usize]) -> Self {
        self.import.shapes.insert(input.into(), shape.to_vec());
        self
    }

    /// How a float model is quantized.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// What counts most where kernels differ in what they take.
    #[must_use]
    pub fn optimize(mut self, optimize: Optimize) -> Self {
        self.choices.optimize = optimize;
        self
    }

    /// Writes the artifact and its module to the folder that cargo gives the build script, and tells cargo what they
    /// depend on. What goes wrong becomes cargo's error, with the way out; the build then fails when the script ends, so
    /// that one build shows the problems of all models.
    pub fn generate(&self) {
        let mut script = Script::default();
        let built = self.try_generate_in(&mut script);
        if let Err(error) = &built {
            script.error(error);
        }
        print!("{script}");
    }

    /// [`generate`](Self::generate), for a script that handles errors itself.
    ///
    /// # Errors
    ///
    /// When the model cannot be read, quantized or lowered, or does not fit the board.
    pub fn try_generate(&self) -> Result<Built, BuildError> {
        let mut script = Script::default();
        let built = self.try_generate_in(&mut script);
        print!("{script}");
        built
    }

    fn try_generate_in(&self, script: &mut Script) -> Result<Built, BuildError> {
        let folder = std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or(BuildError::NotInBuildScript)?;
        self.build(&folder, &Cache::of_build_script(&folder), script)
    }

    /// Writes to `folder`, with what was made before in `cache`.
    fn build(&self, folder: &Path, cache: &Cache, script: &mut Script) -> Result<Built, BuildError> {
        let start = Instant::now();
        let name = self.module_name()?;
        let board = self.board.as_deref().map(|board| script.board(board)).transpose()?;
        let isa = self.target_isa(board.as_ref())?;
        let inputs = source::Inputs::read(self, script)?;
        let key = Key::of(self, isa, &inputs);
        let (artifact, origin) = match cache.find(&key) {
            Some(artifact) => (artifact, Origin::Kept),
            None => {
                let package = inputs.package(self)?;
                package.report.notes.iter().for_each(|note| script.warning(&name, note));
                let artifact = package.emit(isa, self.choices)?.artifact;
                cache.keep(&key, &artifact)?;
                (artifact, Origin::Made)
            }
        };
        let bytes = AlignedBytes::from(&artifact[..]);
        let parsed = Artifact::parse(&bytes)?;
        if let Some(board) = &board {
            check_fit(board, &parsed)?;
        }
        let built = Built {
            artifact: folder.join(format!("{name}.epa")),
            module: folder.join(format!("{name}.rs")),
            origin,
        };
        cache::write_if_changed(&built.artifact, &artifact)?;
        cache::write_if_changed(&built.module, module::of(&name, &parsed).as_bytes())?;
        announce(script, &name, &built, &parsed, start.elapsed());
        Ok(built)
    }

    /// The name given, or the model file's as a Rust name.
    fn module_name(&self) -> Result<String, BuildError> {
        let stem = self.model.file_stem().unwrap_or_default().to_string_lossy();
        let name =
            self.name.clone().unwrap_or_else(|| PackageName::nearest(&stem).as_str().replace('-', "_"));
        if module::is_identifier(&name) { Ok(name) } else { Err(BuildError::Name(name)) }
    }

    fn target_isa(&self, board: Option<&Board>) -> Result<Isa, BuildError> {
        match (self.isa, board) {
            (Some(isa), Some(board)) if isa != board.isa => {
                Err(BuildError::Isa { given: isa, board: board.name.clone(), expected: board.isa })
            }
            (Some(isa), _) => Ok(isa),
            (None, Some(board)) => Ok(board.isa),
            (None, None) => Ok(script::isa_of_target()),
        }
    }
}

fn check_fit(board: &Board, artifact: &Artifact<'_>) -> Result<(), BuildError> {
    let Some(memory) = &board.memory else { return Ok(()) };
    let shortages =
        Shortage::of_model(memory, artifact.bytes().len() as u64, u64::from(artifact.arena_bytes()));
    if shortages.is_empty() {
        Ok(())
    } else {
        Err(BuildError::TooLarge { board: board.name.clone(), shortages })
    }
}

#[cfg(test)]
mod tests;
