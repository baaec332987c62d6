//! Finds the image that runs models on a board.

use std::path::{Path, PathBuf};
use std::{fs, io};

use edgepkg_boards::{Board, Placement, RunnerFormat};

use crate::rebase::{RebaseError, rebase};

/// The environment variable that names the folder of runner images.
pub const RUNNERS_VARIABLE: &str = "EDGEPKG_RUNNERS";

/// A board's runner image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerImage {
    /// What it was made of: the name of its file without the ending.
    pub origin: String,
    /// The linked ELF file: symbols, sizes.
    pub elf: Vec<u8>,
    /// What the board, or its emulator, loads.
    pub loaded: Vec<u8>,
    /// The ending of a file that holds `loaded`: `elf` or `img`.
    pub extension: &'static str,
}

impl RunnerImage {
    /// An image that is loaded as an ELF file.
    pub fn of_elf(origin: &str, elf: Vec<u8>) -> Self {
        Self { origin: origin.to_owned(), loaded: elf.clone(), elf, extension: "elf" }
    }
}

/// Why there is no runner image.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The board runs without one.
    #[error("board `{board}` has no runner image: it needs none")]
    NotNeeded {
        /// The board's name.
        board: String,
    },
    /// It is in none of the folders.
    #[error("there is no runner image for `{board}`: no `{file}` in {}", list(searched))]
    NotFound {
        /// The board's name.
        board: String,
        /// The image's file name.
        file: String,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// What C programs stand on is in none of the folders.
    #[error("there is no `{file}` in {}", list(searched))]
    NoFile {
        /// The file's name.
        file: String,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// Its file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be moved to the board's memory.
    #[error("the runner image `{}` cannot be moved to the memory of `{board}`", path.display())]
    Rebase {
        /// The file.
        path: PathBuf,
        /// The board's name.
        board: String,
        /// Why.
        source: RebaseError,
    },
}

impl RunnerError {
    /// The way out.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            RunnerError::NotNeeded { .. } | RunnerError::Read { .. } => None,
            RunnerError::Rebase {
                source: RebaseError::UnknownNumber { .. } | RebaseError::MissingNumber { .. },
                ..
            } => Some("see `[runner.symbols]` in the board file"),
            RunnerError::Rebase { .. } => Some("build the runners anew with `cargo xtask runners`"),
            RunnerError::NotFound { .. } | RunnerError::NoFile { .. } => Some(
                "in a checkout, `cargo xtask runners` builds the runner images; elsewhere, set EDGEPKG_RUNNERS to \
                 the folder that holds them",
            ),
        }
    }
}

fn list(folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
    folders.join(", ")
}

/// The runner image of `board`, from the folder that `EDGEPKG_RUNNERS` names, and only from there when it is set;
/// else from `runners` beside this program, or a checkout's `target/runners`. A prebuilt image is moved to the board's
/// memory.
///
/// # Errors
///
/// Where it is in none of them, cannot be read or moved, or the board is `host`.
pub fn find(board: &Board) -> Result<RunnerImage, RunnerError> {
    find_in(board, &folders())
}

/// The bytes of the file called `name` among the runner images: what C programs include or link.
///
/// # Errors
///
/// Where it is in none of the folders, or cannot be read.
pub fn read_file(name: &str) -> Result<Vec<u8>, RunnerError> {
    let searched = folders();
    match searched.iter().map(|folder| folder.join(name)).find(|file| file.is_file()) {
        Some(path) => read(&path),
        None => Err(RunnerError::NoFile { file: name.to_owned(), searched }),
    }
}

/// The file called `name` among the runner images, where there is one.
pub fn find_file(name: &str) -> Option<PathBuf> {
    folders().into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn find_in(board: &Board, folders: &[PathBuf]) -> Result<RunnerImage, RunnerError> {
    let runner = board.runner.as_ref().ok_or_else(|| RunnerError::NotNeeded { board: board.name.clone() })?;
    let origin = board.prebuilt_runner().unwrap_or_else(|| board.name.clone());
    let extension = match runner.format {
        RunnerFormat::Elf => "elf",
        RunnerFormat::Raw => "img",
    };
    let file = |extension: &str| format!("{origin}.{extension}");
    let is_there =
        |folder: &&PathBuf| ["elf", extension].iter().all(|kind| folder.join(file(kind)).is_file());
    let folder = folders.iter().find(is_there).ok_or_else(|| RunnerError::NotFound {
        board: board.name.clone(),
        file: file(extension),
        searched: folders.to_vec(),
    })?;
    let path = folder.join(file("elf"));
    let mut elf = read(&path)?;
    if board.prebuilt_runner().is_some()
        && let Some(placement) = Placement::of_runner(board)
    {
        elf = rebase(&elf, &placement).map_err(|source| RunnerError::Rebase {
            path,
            board: board.name.clone(),
            source,
        })?;
    }
    match runner.format {
        RunnerFormat::Elf => Ok(RunnerImage::of_elf(&origin, elf)),
        RunnerFormat::Raw => {
            let loaded = read(&folder.join(file(extension)))?;
            Ok(RunnerImage { origin, elf, loaded, extension })
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RunnerError> {
    fs::read(path).map_err(|source| RunnerError::Read { path: path.to_owned(), source })
}

fn folders() -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os(RUNNERS_VARIABLE) {
        return vec![folder.into()];
    }
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent);
    // `target/release/edgepkg` and `target/release/deps/TEST` both find `target/runners`.
    let ancestors = beside.into_iter().flat_map(|folder| folder.ancestors().take(3));
    ancestors.map(|folder| folder.join("runners")).collect()
}
