//! Finds the image that runs models on a board.

use std::path::{Path, PathBuf};

use edgepkg_boards::{Board, RunnerFormat};

/// The environment variable that names the folder of runner images.
pub const RUNNERS_VARIABLE: &str = "EDGEPKG_RUNNERS";

/// A board's runner image, built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerImage {
    /// The linked ELF file: symbols, sizes.
    pub elf: PathBuf,
    /// What the board, or its emulator, loads.
    pub loaded: PathBuf,
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
}

impl RunnerError {
    /// The way out.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            RunnerError::NotNeeded { .. } => None,
            RunnerError::NotFound { .. } => Some(
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

/// The runner image of `board`: in the folder that `EDGEPKG_RUNNERS` names, and only there when it is set;
/// else in `runners` beside this program, or in a checkout's `target/runners`.
///
/// # Errors
///
/// Where it is in none of them, or the board is `host`.
pub fn find(board: &Board) -> Result<RunnerImage, RunnerError> {
    find_in(board, &folders())
}

/// The file called `name` among the runner images, where there is one.
pub fn find_file(name: &str) -> Option<PathBuf> {
    folders().into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn find_in(board: &Board, folders: &[PathBuf]) -> Result<RunnerImage, RunnerError> {
    let runner = board.runner.as_ref().ok_or_else(|| RunnerError::NotNeeded { board: board.name.clone() })?;
    let elf_name = format!("{}.elf", board.name);
    let loaded_name = match runner.format {
        RunnerFormat::Elf => elf_name.clone(),
        RunnerFormat::Raw => format!("{}.img", board.name),
    };
    folders
        .iter()
        .map(|folder| RunnerImage { elf: folder.join(&elf_name), loaded: folder.join(&loaded_name) })
        .find(|image| image.elf.is_file() && image.loaded.is_file())
        .ok_or_else(|| RunnerError::NotFound {
            board: board.name.clone(),
            file: loaded_name,
            searched: folders.to_vec(),
        })
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
