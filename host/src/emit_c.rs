//! A model as C: its artifact as an aligned array, a header with names, shapes and sizes, and a file that tells make what they
//! depend on; beside them the runtime's header and library.

mod text;

use std::io;
use std::path::{Path, PathBuf};

use edgepkg_boards::Board;
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::{Artifact, ArtifactError};
use edgepkg_quantize::whole_file;
use thiserror::Error;

use crate::model::BoardModel;
use crate::runners::{self, RunnerError};

/// The runtime's files, as programs include and link them.
const HEADER: &str = "edgepkg.h";
const LIBRARY: &str = "libedgepkg.a";

/// Why a model is not written as C.
#[derive(Debug, Error)]
pub enum EmitError {
    /// The board has no core that a library is made for.
    #[error("`{board}` has no library for C")]
    NoLibrary {
        /// The board's name.
        board: String,
    },
    /// The runtime's files are not at hand.
    #[error(transparent)]
    Runtime(#[from] RunnerError),
    /// The artifact is not sound.
    #[error("the artifact cannot be read: {0}")]
    Artifact(ArtifactError),
    /// A file that cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl EmitError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            EmitError::NoLibrary { .. } => {
                Some("name a board with `--board`: `edgepkg boards` lists them".to_owned())
            }
            EmitError::Runtime(error) => error.hint().map(str::to_owned),
            EmitError::Artifact(_) => Some("build it again from its package with `edgepkg build`".to_owned()),
            EmitError::Write { .. } => Some(whole_file::WRITE_HINT.to_owned()),
        }
    }
}

/// Writes `model` and the runtime for `board` into `folder`; `sources` are the files that the model is made from. Gives the
/// files written: `NAME.c`, `NAME.h`, `NAME.d`, the runtime's header and library.
///
/// # Errors
///
/// When the board or this machine has no library, or a file cannot be written.
pub fn write(
    board: &Board,
    model: &BoardModel,
    sources: &[&Path],
    folder: &Path,
) -> Result<Vec<PathBuf>, EmitError> {
    let library = board.library().ok_or_else(|| EmitError::NoLibrary { board: board.name.clone() })?;
    let runtime = [(HEADER, HEADER.to_owned()), (LIBRARY, library)];
    let bytes = AlignedBytes::from(&model.artifact[..]);
    let artifact = Artifact::parse(&bytes).map_err(EmitError::Artifact)?;
    let name = text::identifier(&model.name);
    let [source, header, dependencies] =
        ["c", "h", "d"].map(|extension| folder.join(format!("{name}.{extension}")));
    let rule = text::dependencies(&[&source, &header], sources);
    let mut files = vec![
        (source, text::source(&name, model, &artifact).into_bytes()),
        (header, text::header(&name, model, &artifact).into_bytes()),
        (dependencies, rule.into_bytes()),
    ];
    for (name, origin) in runtime {
        files.push((folder.join(name), runners::read_file(&origin)?));
    }
    for (path, bytes) in &files {
        whole_file::write(path, bytes).map_err(|source| EmitError::Write { path: path.clone(), source })?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}
