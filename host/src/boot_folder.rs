//! Puts a runner and a model into the folder that a Raspberry Pi boots from (its FAT partition).
//!
//! Every file is first written whole under another name in the same folder, forced to the medium and
//! read back; only when all of them are there are they renamed: the model first, then the kernel, then
//! config.txt, which makes the Pi start them. So a failure leaves the folder as it was.

mod config;
mod staged;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use edgepkg_boards::Memory;
use edgepkg_format::slot::{COMMIT_BYTES, Commit};
use serde::Serialize;

pub use self::config::merged as merged_config;
use self::staged::StagedFile;

/// The runner's name in the folder.
pub const KERNEL_FILE: &str = "kernel8.img";
/// The model's name in the folder.
pub const MODEL_FILE: &str = "model.epa";
/// The name of the firmware's settings in the folder.
pub const CONFIG_FILE: &str = "config.txt";
/// What a kernel8.img that is not ours (Linux, say) is kept as.
pub const KEPT_KERNEL_FILE: &str = "kernel8.img.bak";

/// Where a runner bears its mark, and the mark: see firmware/images/rpi/src/boot.rs.
const RUNNER_MARK: (usize, &[u8]) = (4, b"edgepkg-rpi\0");

/// What goes into a boot folder.
#[derive(Clone, Copy, Debug)]
pub struct BootFiles<'a> {
    /// The runner, as it lies in memory.
    pub runner: &'a [u8],
    /// The artifact.
    pub artifact: &'a [u8],
    /// The board's memory: where the model goes.
    pub memory: &'a Memory,
}

/// A file that was written, read back and found equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenFile {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

/// Why a boot folder was not written. It is as it was, but where the message says otherwise.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum BootFolderError {
    #[error("there is no boot folder `{}`", folder.display())]
    NotThere { folder: PathBuf },
    #[error("`{}` is not a folder", folder.display())]
    NotAFolder { folder: PathBuf },
    #[error("the boot folder `{}` cannot be written: {source}", folder.display())]
    NotWritable { folder: PathBuf, source: io::Error },
    #[error(
        "the boot folder `{}` is full: {needed_bytes} bytes are needed to write {KERNEL_FILE}, {MODEL_FILE} \
         and {CONFIG_FILE}, {} free",
        folder.display(),
        free(*available_bytes)
    )]
    Full { folder: PathBuf, needed_bytes: u64, available_bytes: Option<u64> },
    #[error("the model of {needed_bytes} bytes passes the board's model slot of {available_bytes}")]
    ModelTooLarge { needed_bytes: u64, available_bytes: u64 },
    #[error("`{}` cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "`{}` does not hold what was written: SHA-256 {found} instead of {expected}; the medium may be \
         failing",
        path.display()
    )]
    Differs { path: PathBuf, expected: String, found: String },
}

fn free(available_bytes: Option<u64>) -> String {
    match available_bytes {
        Some(1) => "1 byte is".to_owned(),
        Some(bytes) => format!("{bytes} bytes are"),
        None => "fewer are".to_owned(),
    }
}

impl BootFolderError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotThere { .. } | Self::NotAFolder { .. } => {
                Some("mount the boot partition of the Pi's SD card and name the folder it appears as")
            }
            Self::NotWritable { .. } => {
                Some("see that the card is not mounted read-only, and that its folder is yours to write")
            }
            Self::Full { .. } => Some("remove files that are not needed from the boot partition"),
            Self::ModelTooLarge { .. } => Some("choose a smaller model"),
            Self::Differs { .. } => Some("try another SD card"),
            Self::Read { .. } | Self::Write { .. } => None,
        }
    }
}

/// The bytes of model.epa: the artifact, then its commit record, by which the runner knows that it has
/// all of it.
pub fn slot_file(artifact: &[u8], counter: u32) -> Vec<u8> {
    [artifact, &Commit::of(artifact, counter).to_bytes()].concat()
}

/// Writes runner, model and settings into `folder`; gives the three files in this order.
///
/// A config.txt that is there keeps all its lines but our own; a kernel8.img that is not ours is kept
/// as [`KEPT_KERNEL_FILE`].
///
/// # Errors
///
/// When the folder is not there, cannot be written or is full, the model is larger than the board's
/// slot, or the medium does not give back what was written.
pub fn write(folder: &Path, files: &BootFiles<'_>) -> Result<[WrittenFile; 3], BootFolderError> {
    check_folder(folder)?;
    let model = slot_file(files.artifact, next_counter(&folder.join(MODEL_FILE)));
    let available_bytes = files.memory.model_limit_bytes();
    if files.artifact.len() as u64 > available_bytes {
        let needed_bytes = files.artifact.len() as u64;
        return Err(BootFolderError::ModelTooLarge { needed_bytes, available_bytes });
    }
    let settings = read_if_there(&folder.join(CONFIG_FILE))?.unwrap_or_default();
    let settings = merged_config(&settings, MODEL_FILE, files.memory);

    let contents: [(&str, &[u8]); 3] =
        [(KERNEL_FILE, files.runner), (MODEL_FILE, &model), (CONFIG_FILE, &settings)];
    let needed_bytes = contents.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    check_space(folder, needed_bytes)?;
    let stage = |(name, bytes)| {
        StagedFile::write(folder, name, bytes).map_err(|error| error.in_folder(folder, needed_bytes))
    };
    let [kernel, model, settings] = contents.map(stage);
    let (kernel, model, settings) = (kernel?, model?, settings?);

    let model = model.put_in_place()?;
    let foreign = keep_foreign_kernel(folder)?;
    let kernel = kernel.put_in_place().inspect_err(|_| {
        if let Some(kept) = &foreign {
            let _ = fs::rename(kept, folder.join(KERNEL_FILE));
        }
    })?;
    let settings = settings.put_in_place()?;
    staged::sync_folder(folder)?;
    for file in [&kernel, &model, &settings] {
        staged::read_back(&file.path, &file.sha256)?;
    }
    Ok([kernel, model, settings])
}

fn check_folder(folder: &Path) -> Result<(), BootFolderError> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(BootFolderError::NotAFolder { folder: folder.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(BootFolderError::NotThere { folder: folder.to_owned() })
        }
        Err(source) => Err(BootFolderError::Read { path: folder.to_owned(), source }),
    }
}

fn check_space(folder: &Path, needed_bytes: u64) -> Result<(), BootFolderError> {
    match staged::available_bytes(folder) {
        Some(available) if available < needed_bytes => Err(BootFolderError::Full {
            folder: folder.to_owned(),
            needed_bytes,
            available_bytes: Some(available),
        }),
        _ => Ok(()),
    }
}

/// One more than the counter of the model that is there.
fn next_counter(model: &Path) -> u32 {
    let record = fs::read(model).ok().and_then(|bytes| {
        let start = bytes.len().checked_sub(COMMIT_BYTES)?;
        Commit::from_bytes(&bytes[start..])
    });
    record.map_or(1, |record| record.counter.wrapping_add(1))
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, BootFolderError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(BootFolderError::Read { path: path.to_owned(), source }),
    }
}

/// Moves a kernel that is not ours out of the way; gives its new path.
fn keep_foreign_kernel(folder: &Path) -> Result<Option<PathBuf>, BootFolderError> {
    let path = folder.join(KERNEL_FILE);
    let Some(kernel) = read_if_there(&path)? else {
        return Ok(None);
    };
    let (start, mark) = RUNNER_MARK;
    if kernel.get(start..start + mark.len()) == Some(mark) {
        return Ok(None);
    }
    let kept = folder.join(KEPT_KERNEL_FILE);
    match fs::rename(&path, &kept) {
        Ok(()) => Ok(Some(kept)),
        Err(source) => Err(BootFolderError::Write { path, source }),
    }
}

#[cfg(test)]
mod tests;
