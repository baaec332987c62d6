//! What the commands' PKG argument names: a package, an int8 model file, or a built artifact.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use edgepkg_boards::Board;
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::artifact::{DIGEST_RANGE, Digest};
use edgepkg_format::info::Ports;
use edgepkg_format::plan::{Access, Operand, PlanEntry, Record};
use edgepkg_format::trailer::{TRAILER_BYTES, Trailer};
use edgepkg_format::{Artifact, ArtifactError, Isa};
use edgepkg_quantize::arena_map::ArenaMap;
use edgepkg_quantize::drop_dead_channels::Macs;
pub use edgepkg_quantize::emit::Choices;
use edgepkg_quantize::emit::Layer;
use edgepkg_quantize::file_kind::FileKind;
use edgepkg_quantize::import::{self, ImportError, ImportOptions, Imported};
use edgepkg_quantize::lower::LowerError;
use edgepkg_quantize::optimize::Optimize;
use edgepkg_quantize::report::Report;
use edgepkg_quantize::samples::index_extents;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::import_worker::{Worker, WorkerError};
use crate::installed::InstalledError;
use crate::project::{Project, ProjectError};
use crate::samples::ModelInputs;
use edgepkg_quantize::package::{Element, Manifest, Package, PackageError, PackageName, Port, Version};

/// The largest model file and artifact that is read.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A model in one of the forms that commands take.
#[derive(Clone, Debug)]
pub enum Model {
    /// A package, or an int8 model file as the package it would become.
    Package(Box<Package>),
    /// An artifact, lowered for one instruction set.
    Artifact(ArtifactFile),
}

/// A `.epa` file, checked.
#[derive(Clone, Debug)]
pub struct ArtifactFile {
    bytes: AlignedBytes,
    path: PathBuf,
}

/// What a model takes when it is lowered for one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// `speed`, `ram` or `flash`.
    pub optimize: &'static str,
    /// Bytes of the artifact, in flash.
    pub model_bytes: u64,
    /// Bytes of RAM a run needs.
    pub arena_bytes: u64,
}

/// A model lowered for a board.
#[derive(Clone, Debug, PartialEq)]
pub struct BoardModel {
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// What goes in.
    pub inputs: Vec<Port>,
    /// Of each input that holds indices, for each element how many elements it chooses among, where that is known.
    pub index_extents: Vec<Option<Vec<usize>>>,
    /// What comes out.
    pub outputs: Vec<Port>,
    /// The artifact.
    pub artifact: Vec<u8>,
    /// Bytes of arena a session needs.
    pub arena_bytes: u32,
    /// Of the arena, what is kept between runs.
    pub state_bytes: u32,
    /// What lies where in it; none where only the artifact is known.
    pub arena: Option<ArenaMap>,
    /// Its multiplications; 0 where only the artifact is known.
    pub macs: Macs,
    /// The graph's nodes, which records name by index; empty where only the artifact is known.
    pub layers: Vec<Layer>,
}

/// Why a PKG argument cannot be used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// There is nothing at the path.
    #[error("there is no file `{}`", .0.display())]
    NotFound(PathBuf),
    /// The system refuses to read it.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file past what is read.
    #[error("`{}` has {found_bytes} bytes, the limit is {MAX_FILE_BYTES}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        found_bytes: u64,
    },
    /// A float model where an int8 one is needed.
    #[error("`{}` is a float model and must be quantized first", .0.display())]
    NotQuantized(PathBuf),
    /// Two shapes for one input.
    #[error("`--shape` gives input `{0}` two shapes")]
    ShapeTwice(String),
    /// Shapes for a file that has its own.
    #[error("`{}` is a TensorFlow Lite file, whose inputs have shapes already", .0.display())]
    FixedShapes(PathBuf),
    /// This program was built without ONNX.
    #[error("this edgepkg was built without the feature `onnx` and cannot read `{}`", .0.display())]
    NoOnnx(PathBuf),
    /// A file of no kind that is known.
    #[error("`{}` is not a model: neither a package, nor a .tflite, .onnx or .epa file", .0.display())]
    NotAModel(PathBuf),
    /// A package that cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A model file that cannot be read.
    #[error("cannot import `{}`", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ImportError,
    },
    /// A model file whose reading took too much, or broke its reader.
    #[error("cannot import `{}`", path.display())]
    Worker {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: WorkerError,
    },
    /// An artifact that is not sound.
    #[error("`{}` is not a sound artifact", path.display())]
    Artifact {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ArtifactError,
    },
    /// An artifact for another instruction set than the board's.
    #[error("`{}` is built for {found}, and `{board}` runs {expected}", path.display())]
    Isa {
        /// The file.
        path: PathBuf,
        /// The artifact's instruction set.
        found: Isa,
        /// The board's.
        expected: Isa,
        /// The board's name.
        board: String,
    },
    /// A project that has no package, or cannot be used.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A package that was installed, or was not.
    #[error(transparent)]
    Installed(#[from] InstalledError),
    /// A graph that cannot be lowered.
    #[error("the model cannot be lowered")]
    Lower(#[from] LowerError),
}

/// The kinds of files that are imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelFormat {
    /// TensorFlow Lite.
    Tflite,
    /// ONNX.
    Onnx,
}

impl ModelFormat {
    /// What its makers call it.
    pub fn name(self) -> &'static str {
        match self {
            ModelFormat::Tflite => "TensorFlow Lite",
            ModelFormat::Onnx => "ONNX",
        }
    }
}

/// Where model files are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Importer {
    /// In this process, for files that are trusted: one made to harm may take all memory or never end.
    #[default]
    InProcess,
    /// In a process of its own, with limits.
    Worker(Worker),
}

/// Reads a file whole.
///
/// # Errors
///
/// When there is none, it is larger than a model can be, or the system refuses.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ModelError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ModelError::NotFound(path.into()),
        _ => ModelError::Read { path: path.into(), source },
    };
    let found_bytes = fs::metadata(path).map_err(failed)?.len();
    if found_bytes > MAX_FILE_BYTES {
        return Err(ModelError::TooLarge { path: path.into(), found_bytes });
    }
    fs::read(path).map_err(failed)
}

/// The model in a file's bytes: the one way in for files that others made.
///
/// # Errors
///
/// When they are no model file, or one that cannot be imported within the importer's limits.
pub fn import(
    bytes: &[u8],
    path: &Path,
    options: &ImportOptions,
    importer: &Importer,
) -> Result<Imported, ModelError> {
    let format = match FileKind::of(bytes, path) {
        Some(FileKind::Tflite) => ModelFormat::Tflite,
        Some(FileKind::Onnx) if cfg!(feature = "onnx") => ModelFormat::Onnx,
        Some(FileKind::Onnx) => return Err(ModelError::NoOnnx(path.into())),
        _ => return Err(ModelError::NotAModel(path.into())),
    };
    if format == ModelFormat::Tflite && (!options.shapes.is_empty() || options.batch.is_some()) {
        return Err(ModelError::FixedShapes(path.into()));
    }
    let options = ImportOptions { folder: path.parent().map(Path::to_owned), ..options.clone() };
    let imported = match importer {
        Importer::InProcess => read_in_process(format, bytes, &options),
        Importer::Worker(worker) => worker
            .import(format, bytes, &options)
            .map_err(|source| ModelError::Worker { path: path.into(), source })?,
    };
    imported.map_err(|source| ModelError::Import { path: path.into(), source })
}

/// What an importer does, in this process.
pub(crate) fn read_in_process(
    format: ModelFormat,
    bytes: &[u8],
    options: &ImportOptions,
) -> Result<Imported, ImportError> {
    match format {
        ModelFormat::Tflite => import::tflite::read(bytes),
        #[cfg(feature = "onnx")]
        ModelFormat::Onnx => import::onnx::read(bytes, options),
        #[cfg(not(feature = "onnx"))]
        ModelFormat::Onnx => unreachable!("refused before, with options {options:?}"),
    }
}

impl Model {
    /// Reads what `path` names: a package's file or folder, an int8 `.tflite` or `.onnx` file, a `.epa` file.
    ///
    /// # Errors
    ///
    /// When it is none of them, or not a sound one.
    pub fn read(path: &Path, importer: &Importer) -> Result<Self, ModelError> {
        if path.is_dir() {
            return Ok(Model::Package(Box::new(Package::read(path)?)));
        }
        let bytes = read_file(path)?;
        match FileKind::of(&bytes, path) {
            Some(FileKind::Package) => Ok(Model::Package(Box::new(Package::from_bytes(bytes, path)?))),
            Some(FileKind::Artifact) => Ok(Model::Artifact(ArtifactFile::new(&bytes, path)?)),
            Some(FileKind::Tflite | FileKind::Onnx) => {
                let imported = import(&bytes, path, &ImportOptions::default(), importer)?;
                let labels = imported.metadata.labels.first().cloned().unwrap_or_default();
                let notes = imported.notes.clone();
                let graph = imported.into_quantized().ok_or_else(|| ModelError::NotQuantized(path.into()))?;
                let name = PackageName::nearest(&path.file_stem().unwrap_or_default().to_string_lossy());
                let manifest = Manifest::of(&graph, name, Version::initial(), labels);
                let report = Report::of_int8_file(&graph, notes);
                Ok(Model::Package(Box::new(Package::of(manifest, graph, report))))
            }
            None => Err(ModelError::NotAModel(path.into())),
        }
    }

    /// Reads the package that was made of a project.
    ///
    /// # Errors
    ///
    /// When it was not made, is not sound, or is not of the name and version that the project has now.
    pub fn of_project(project: &Project, importer: &Importer) -> Result<Self, ModelError> {
        let path = project.package_path();
        if project.schema.model.is_none() {
            return Err(ProjectError::NoModel(project.path()).into());
        }
        if !path.is_file() {
            return Err(ProjectError::NotMade { name: project.name().to_string(), path }.into());
        }
        let model = Self::read(&path, importer)?;
        if let Model::Package(package) = &model {
            let Manifest { name, version, .. } = &package.manifest;
            if (name, version) != (project.name(), project.version()) {
                let (found, expected) =
                    (format!("{name} {version}"), format!("{} {}", project.name(), project.version()));
                return Err(ProjectError::Outdated { path, found, expected }.into());
            }
        }
        Ok(model)
    }

    /// The model as `board` runs it.
    ///
    /// # Errors
    ///
    /// When the graph cannot be lowered, or the artifact is for another instruction set.
    pub fn for_board(&self, board: &Board, choices: Choices) -> Result<BoardModel, ModelError> {
        match self {
            Model::Package(package) => BoardModel::lower(package, board.isa, choices),
            Model::Artifact(file) if file.artifact().isa() == board.isa => Ok(file.board_model()),
            Model::Artifact(file) => Err(ModelError::Isa {
                path: file.path.clone(),
                found: file.artifact().isa(),
                expected: board.isa,
                board: board.name.clone(),
            }),
        }
    }
}

impl ArtifactFile {
    fn new(bytes: &[u8], path: &Path) -> Result<Self, ModelError> {
        let file = Self { bytes: AlignedBytes::from(bytes), path: path.into() };
        let checked = Artifact::parse(&file.bytes).and_then(|artifact| {
            artifact.verify_digest()?;
            let info = artifact.info();
            let sound = info.inputs.iter().chain(info.outputs.iter()).all(|port| port_of(port).is_some());
            if sound { Ok(()) } else { Err(ArtifactError::Info) }
        });
        checked.map_err(|source| ModelError::Artifact { path: path.into(), source })?;
        Ok(file)
    }

    /// The artifact.
    pub fn artifact(&self) -> Artifact<'_> {
        Artifact::parse(&self.bytes).expect("it was parsed when it was read")
    }

    /// Its bytes, and the trailer where it has one.
    fn with_trailer(&self) -> &[u8] {
        let artifact_bytes = self.artifact().bytes().len();
        let trailer_bytes = Trailer::from_bytes(&self.bytes[artifact_bytes..]).map_or(0, |_| TRAILER_BYTES);
        &self.bytes[..artifact_bytes + trailer_bytes]
    }

    /// The model it holds.
    pub fn board_model(&self) -> BoardModel {
        let artifact = self.artifact();
        let info = artifact.info();
        let ports = |ports: Ports<'_>| ports.iter().filter_map(port_of).collect();
        BoardModel {
            name: info.name.to_owned(),
            version: info.version.to_owned(),
            inputs: ports(info.inputs),
            index_extents: info.inputs.iter().map(|port| stated_extents(&artifact, &port?)).collect(),
            outputs: ports(info.outputs),
            artifact: self.with_trailer().to_vec(),
            arena_bytes: artifact.arena_bytes(),
            state_bytes: artifact.state().len() as u32,
            arena: None,
            macs: Macs::default(),
            layers: Vec::new(),
        }
    }
}

/// For each element of an input of indices, how many elements records choose among by it; `None` where that is not known,
/// as indices are moved first.
fn stated_extents(artifact: &Artifact<'_>, port: &edgepkg_format::Port<'_>) -> Option<Vec<usize>> {
    let own = Operand { tensor: port.tensor, bytes: port.bytes()?, access: Access::Read };
    // Behind what writes there, it is not the input any more.
    let keeps = |entry: &PlanEntry| {
        let operands = entry.record.operands();
        operands
            .is_ok_and(|all| all.iter().all(|other| other.access == Access::Read || !other.overlaps(&own)))
    };
    let extent = |entry: PlanEntry| match entry.record {
        Record::Gather(gather) if gather.indices == port.tensor => Some(gather.extent as usize),
        _ => None,
    };
    let elements: usize = port.shape.iter().map(|&extent| extent as usize).product();
    let least = artifact.plan().flatten().take_while(keeps).filter_map(extent).min()?;
    Some(vec![least; elements])
}

/// The port; `None` where it cannot be read, or has a type that ports do not have.
fn port_of(port: Option<edgepkg_format::Port<'_>>) -> Option<Port> {
    let port = port?;
    Some(Port {
        name: port.name.to_owned(),
        shape: port.shape.iter().map(|&extent| extent as usize).collect(),
        element: Element::from_dtype(port.tensor.dtype)?,
        scale: port.scale,
        zero_point: port.zero_point,
        labels: port.labels.iter().map(str::to_owned).collect(),
        meaning: String::new(),
        unit: String::new(),
        preprocessing: String::new(),
    })
}

impl BoardModel {
    /// What the package takes for each thing that it can be lowered for; `choices` says the rest.
    ///
    /// # Errors
    ///
    /// When the graph cannot be lowered.
    pub fn costs(package: &Package, isa: Isa, choices: Choices) -> Result<Vec<Cost>, ModelError> {
        let cost = |optimize: Optimize| {
            let model = Self::lower(package, isa, Choices { optimize, ..choices })?;
            let (model_bytes, arena_bytes) = (model.artifact.len() as u64, model.arena_bytes.into());
            Ok(Cost { optimize: optimize.name(), model_bytes, arena_bytes })
        };
        Optimize::ALL.into_iter().map(cost).collect()
    }

    /// Lowers a package's graph for `isa`.
    ///
    /// # Errors
    ///
    /// When the graph cannot be lowered.
    pub fn lower(package: &Package, isa: Isa, choices: Choices) -> Result<Self, ModelError> {
        let manifest = &package.manifest;
        let emitted = package.emit(isa, choices)?;
        Ok(Self {
            name: manifest.name.to_string(),
            version: manifest.version.to_string(),
            inputs: manifest.inputs.clone(),
            index_extents: index_extents(&package.graph),
            outputs: manifest.outputs.clone(),
            artifact: emitted.artifact,
            arena_bytes: emitted.arena_bytes,
            state_bytes: emitted.state_bytes,
            arena: Some(emitted.arena),
            macs: emitted.macs,
            layers: emitted.layers,
        })
    }

    /// What goes in, as samples are read for it.
    pub fn inputs(&self) -> ModelInputs<'_> {
        ModelInputs { ports: &self.inputs, index_extents: &self.index_extents }
    }

    /// The digest that the artifact states.
    pub fn artifact_digest(&self) -> Digest {
        self.artifact[DIGEST_RANGE].try_into().expect("an artifact has a header")
    }

    /// What reports call a layer: its name in the model file, or its number.
    pub fn layer_name(&self, layer: u32) -> String {
        match self.layers.get(layer as usize) {
            Some(layer) if !layer.name.is_empty() => layer.name.clone(),
            _ => format!("layer {layer}"),
        }
    }
}
