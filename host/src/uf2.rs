//! Writes a runner and a model as a UF2 file to the drive that a boot loader shows (RP2040 and RP2350 in BOOTSEL mode,
//! nRF52840 with a UF2 boot loader).
//!
//! Such a drive is no real one: what is written to it is programmed as it arrives, and at the last block the board starts
//! anew and the drive is gone. So the file is checked before it is written, not after; a drive that keeps it (a folder) is
//! read back and compared.

mod file;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use edgepkg_boards::{Board, Memory, Region};
use edgepkg_format::slot::Commit;
use object::LittleEndian;
use object::elf::{FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

pub use self::file::{BLOCK_BYTES, blocks};
use crate::boot_metadata::{self, Piece};

/// By which a UF2 drive is known: text that names the boot loader and the board.
pub const INFO_FILE: &str = "INFO_UF2.TXT";
/// The file's name on the drive, which boot loaders do not look at.
const FILE: &str = "edgepkg.uf2";
/// The counter of the commit record in a slot that is written whole.
const COUNTER: u32 = 1;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where to.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// What the drive says of its boot loader.
    pub boot_loader: String,
    /// How it ended.
    pub end: End,
}

/// How writing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The file was read back and is as written.
    ReadBack,
    /// The drive is gone: the board has taken the last block and started anew.
    Restarted,
}

/// Why nothing, or not all, was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Uf2Error {
    #[error("`{board}` has no boot loader that takes UF2 files")]
    NoUf2 { board: String },
    #[error("`{}` is no UF2 drive: it has no {INFO_FILE}", folder.display())]
    NotADrive { folder: PathBuf, source: io::Error },
    #[error("the drive `{}` is of `{found}`, and `{board}` is another chip", folder.display())]
    OtherBoard { folder: PathBuf, found: String, board: String },
    #[error("the runner is no ELF file that can be read: {0}")]
    NotElf(#[from] object::Error),
    #[error("the runner has bytes for {address:#x}, which `{board}` does not program by UF2")]
    OutsideFlash { address: u64, board: String },
    #[error("the model of {needed_bytes} bytes passes the board's model slot of {available_bytes}")]
    ModelTooLarge { needed_bytes: u64, available_bytes: u64 },
    #[error("`{}` cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("`{}` does not hold what was written", path.display())]
    Differs { path: PathBuf },
}

impl Uf2Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoUf2 { .. } => Some("leave out `--uf2-dir`: a debug probe programs it".to_owned()),
            Self::NotADrive { .. } => Some(
                "hold BOOTSEL while the board is plugged in (on nRF52840 boards, press reset twice), and name the folder \
                 where its drive appears"
                    .to_owned(),
            ),
            Self::OtherBoard { .. } => Some("`edgepkg boards` lists the boards".to_owned()),
            Self::ModelTooLarge { .. } => Some("choose a smaller model".to_owned()),
            Self::Write { .. } => Some(
                "the board may have left its boot loader: start that again, and then write the file again".to_owned(),
            ),
            Self::Differs { .. } => Some("write it again".to_owned()),
            Self::NotElf(_) | Self::OutsideFlash { .. } => {
                Some("build the runners anew with `cargo xtask runners`".to_owned())
            }
        }
    }
}

/// What goes onto a board.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// The runner's ELF file, at the board's addresses.
    pub runner: &'a [u8],
    /// The artifact.
    pub artifact: &'a [u8],
}

/// Writes `contents` for `board` to the drive that appears as `folder`.
///
/// # Errors
///
/// When `folder` is no such drive or of another chip, the board has none, the model is too large for its slot, or the drive does not
/// take the file.
pub fn write(folder: &Path, board: &Board, contents: Contents<'_>) -> Result<Written, Uf2Error> {
    let image = image(board, contents)?;
    let boot_loader = check_drive(folder, board)?;
    let path = folder.join(FILE);
    let failed = |source| Uf2Error::Write { path: path.clone(), source };
    let mut file = fs::File::create(&path).map_err(failed)?;
    // A board that starts anew with the last block may take the drive away before that is answered.
    let (most, last) = image.split_at(image.len() - BLOCK_BYTES);
    file.write_all(most).and_then(|()| file.sync_all()).map_err(failed)?;
    let ended = file.write_all(last).and_then(|()| file.sync_all());
    drop(file);
    let end = match (ended, fs::read(&path)) {
        (_, Ok(found)) if found == image => End::ReadBack,
        (Ok(()), Ok(_)) => return Err(Uf2Error::Differs { path }),
        (Err(source), Ok(_)) => return Err(failed(source)),
        (_, Err(_)) => End::Restarted,
    };
    Ok(Written { path, bytes: image.len() as u64, boot_loader, end })
}

/// The UF2 file with `contents` for `board`: boot metadata, runner, model and commit record.
///
/// # Errors
///
/// When the board takes no such files, the runner lies outside its memory, or the model is too large.
pub fn image(board: &Board, contents: Contents<'_>) -> Result<Vec<u8>, Uf2Error> {
    let no_uf2 = || Uf2Error::NoUf2 { board: board.name.clone() };
    let family = board.uf2_family.ok_or_else(no_uf2)?;
    let memory = board.memory.as_ref().ok_or_else(no_uf2)?;
    let mut pieces: Vec<Piece> = boot_metadata::of_board(board).into_iter().collect();
    pieces.extend(runner_pieces(board, memory, contents.runner)?);
    pieces.extend(model_pieces(memory, contents.artifact)?);
    Ok(blocks(&pieces, family))
}

/// The runner's bytes as they lie in flash.
fn runner_pieces(board: &Board, memory: &Memory, elf: &[u8]) -> Result<Vec<Piece>, Uf2Error> {
    let header = FileHeader32::<LittleEndian>::parse(elf)?;
    let mut pieces = Vec::new();
    for segment in header.program_headers(LittleEndian, elf)? {
        let bytes = segment.data(LittleEndian, elf).map_err(|()| Uf2Error::OutsideFlash {
            address: segment.p_paddr.get(LittleEndian).into(),
            board: board.name.clone(),
        })?;
        if segment.p_type(LittleEndian) != PT_LOAD || bytes.is_empty() {
            continue;
        }
        let address = segment.p_paddr.get(LittleEndian).into();
        let place = Region { start: address, length: bytes.len() as u64 };
        if address < memory.code.start || place.end() > memory.code.end() {
            return Err(Uf2Error::OutsideFlash { address, board: board.name.clone() });
        }
        pieces.push(Piece { address, bytes: bytes.to_vec() });
    }
    Ok(pieces)
}

/// The artifact, and last its commit record.
fn model_pieces(memory: &Memory, artifact: &[u8]) -> Result<[Piece; 2], Uf2Error> {
    let (needed_bytes, available_bytes) = (artifact.len() as u64, memory.model_limit_bytes());
    if needed_bytes > available_bytes {
        return Err(Uf2Error::ModelTooLarge { needed_bytes, available_bytes });
    }
    let commit = Commit::of(artifact, COUNTER).to_bytes().to_vec();
    Ok([
        Piece { address: memory.model_slot.start, bytes: artifact.to_vec() },
        Piece { address: memory.commit_address(), bytes: commit },
    ])
}

/// Whether `folder` is the drive of a boot loader for the board's chip; gives what that calls itself.
fn check_drive(folder: &Path, board: &Board) -> Result<String, Uf2Error> {
    let info = fs::read(folder.join(INFO_FILE))
        .map_err(|source| Uf2Error::NotADrive { folder: folder.to_owned(), source })?;
    let info = String::from_utf8_lossy(&info);
    let field = |name: &str| {
        let lines = info.lines().map(str::trim);
        lines.filter_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned()).next()
    };
    let id = field("Board-ID:").unwrap_or_default();
    // RP2040 says `RPI-RP2`, RP2350 `RP2350`, Adafruit's boot loader `nRF52840-Feather-revD` and the like.
    let known = ["RPI-RP2", "RP2350", "NRF52833", "NRF52840"];
    let chip = |text: &str| {
        let text = text.to_uppercase();
        known.iter().position(|chip| text.contains(chip) || text.contains("RP2040") && *chip == "RPI-RP2")
    };
    let (found, expected) = (
        chip(&id),
        board.chip.as_deref().and_then(|name| match name {
            "RP235x" => chip("RP2350"),
            name => chip(name),
        }),
    );
    if found.is_some() && found != expected {
        let board = board.name.clone();
        return Err(Uf2Error::OtherBoard { folder: folder.to_owned(), found: id, board });
    }
    Ok(field("Model:").unwrap_or(id))
}
