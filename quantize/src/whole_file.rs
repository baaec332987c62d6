//! Files that are written as a whole or not at all.

use std::io::{self, Write as _};
use std::path::Path;

/// The way out where a path leads nowhere.
pub const PATH_HINT: &str = "paths start from the folder you stand in";
/// The way out where a file cannot be written.
pub const WRITE_HINT: &str = "see that the folder is there, has room, and is yours to write";

/// Writes `bytes` to a temporary file beside `path`, then gives it that name. Folders on the way are
/// not made.
///
/// # Errors
///
/// When the system refuses; what stood at `path` is then as it was.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_for(path, bytes, Readers::All)
}

/// As [`write()`], so that only this user may read it.
///
/// # Errors
///
/// As [`write()`].
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_for(path, bytes, Readers::Owner)
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    All,
    Owner,
}

fn write_for(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    if !is_replaceable(path) {
        return std::fs::write(path, bytes);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no such folder"));
    }
    // The error would name the temporary file, which is of no interest.
    let temporary = tempfile::Builder::new().prefix(".edgepkg-").tempfile_in(folder);
    let mut file = temporary.map_err(|error| io::Error::from(error.kind()))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    if readers == Readers::All {
        make_readable(file.as_file())?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether `path` is free or a plain file: a pipe or device is written to, not replaced.
fn is_replaceable(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |metadata| metadata.is_file())
}

/// Temporary files are private; what they become is as readable as any new file.
#[cfg(unix)]
fn make_readable(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}
