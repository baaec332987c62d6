//! A file that is whole, on the medium and read back before it gets its name.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{BootFolderError, WrittenFile};

/// A file under a temporary name, which goes away with this value.
pub(super) struct StagedFile {
    temporary: NamedTempFile,
    written: WrittenFile,
}

/// Why a file could not be staged.
pub(super) enum StageError {
    /// The folder takes no new file.
    Create(io::Error),
    /// It takes no more bytes.
    Write(PathBuf, io::Error),
    /// It gave back something else.
    ReadBack(BootFolderError),
}

impl StageError {
    pub(super) fn in_folder(self, folder: &Path, needed_bytes: u64) -> BootFolderError {
        let folder = folder.to_owned();
        match self {
            Self::Create(error) | Self::Write(_, error) if is_full(&error) => {
                let available_bytes = available_bytes(&folder);
                BootFolderError::Full { folder, needed_bytes, available_bytes }
            }
            Self::Create(source) => BootFolderError::NotWritable { folder, source },
            Self::Write(path, source) => BootFolderError::Write { path, source },
            Self::ReadBack(error) => error,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl StagedFile {
    /// Writes `bytes` beside where `folder/name` will be, forces them to the medium and compares what
    /// it gives back.
    pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<Self, StageError> {
        let mut temporary = tempfile::Builder::new()
            .prefix(".edgepkg-")
            .suffix(".tmp")
            .tempfile_in(folder)
            // The error would name the temporary file, which is of no interest.
            .map_err(|error| StageError::Create(error.kind().into()))?;
        let path = folder.join(name);
        let file = temporary.as_file_mut();
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|source| StageError::Write(path.clone(), source))?;
        let written = WrittenFile { path, bytes: bytes.len() as u64, sha256: hexadecimal(bytes) };
        read_back(temporary.path(), &written.sha256).map_err(StageError::ReadBack)?;
        Ok(Self { temporary, written })
    }

    /// Gives the file its name, in place of what has it.
    pub(super) fn put_in_place(self) -> Result<WrittenFile, BootFolderError> {
        let Self { temporary, written } = self;
        allow_all_to_read(temporary.path());
        match temporary.persist(&written.path) {
            Ok(_) => Ok(written),
            Err(error) => Err(BootFolderError::Write { path: written.path, source: error.error }),
        }
    }
}

/// Temporary files are their owner's alone; a boot partition's are not. FAT has no such rights and
/// refuses: no harm.
fn allow_all_to_read(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o644));
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Compares the digest of the file at `path`, read anew from the medium, with `expected`.
pub(super) fn read_back(path: &Path, expected: &str) -> Result<(), BootFolderError> {
    let failed = |source| BootFolderError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    forget_cached(&file);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    let found = hexadecimal(&bytes);
    if found == expected {
        return Ok(());
    }
    Err(BootFolderError::Differs { path: path.to_owned(), expected: expected.to_owned(), found })
}

/// Makes the renames last.
pub(super) fn sync_folder(folder: &Path) -> Result<(), BootFolderError> {
    #[cfg(unix)]
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| BootFolderError::Write { path: folder.to_owned(), source })?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Bytes that the folder's file system has left; `None` where it cannot be asked.
pub(super) fn available_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let space = rustix::fs::statvfs(folder).ok().filter(|space| space.f_blocks > 0)?;
        Some(space.f_bavail.saturating_mul(space.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Lets the system forget what it remembers of the file, so that reading it asks the medium.
fn forget_cached(file: &File) {
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

fn hexadecimal(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
