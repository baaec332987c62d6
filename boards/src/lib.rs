//! Boards: one TOML file each, their schema, and linker scripts made from them.
//!
//! [`Board::find`] knows the boards that ship with edgepkg and reads files of the user's own.
#![forbid(unsafe_code)]

mod board;
mod linker_script;
mod quantity;
mod raw;
mod shipped;
mod shortage;

pub use board::{
    BOOT_METADATA_BYTES, Board, BootMetadata, CycleModel, Deploy, Emulator, Flash, Memory, Region, Runner,
    RunnerFormat, RunnerLayout, Tier, Transport,
};
pub use linker_script::{Placement, embedded_linker_script, linker_script};
pub use raw::RawBoard;
pub use shortage::{Resource, Shortage};

/// Why there is no such board.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// No shipped board has the name.
    #[error("there is no board `{name}`")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The shipped board whose name is most like it.
        nearest: Option<&'static str>,
    },
    /// A board file cannot be read.
    #[error("cannot read the board file `{path}`")]
    Read {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A board file is not TOML, or not of the schema.
    #[error("`{path}` is not a board file: {source}")]
    Syntax {
        /// Its path.
        path: String,
        /// Where and why.
        source: toml::de::Error,
    },
    /// A board's values contradict each other.
    #[error("board `{board}`: {reason}")]
    Invalid {
        /// Its name.
        board: String,
        /// What is wrong, with the values.
        reason: String,
    },
}

impl BoardError {
    /// The way out.
    pub fn hint(&self) -> String {
        let names = || Board::names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match self {
            BoardError::Unknown { nearest: Some(nearest), .. } => {
                format!("did you mean `{nearest}`? The boards are {}", names())
            }
            BoardError::Unknown { .. } => format!("the boards are {}", names()),
            _ => "`edgepkg boards` lists the boards that are known without a file".to_owned(),
        }
    }
}
