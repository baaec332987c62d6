//! The same files give the same bytes: sorted, with no times and nobody's name.

use std::fs::{self, File};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::files_below;
use crate::command::{Failure, at};

/// Writes the files below `contents` to the archive, in a folder called `name`.
pub(super) fn write(contents: &Path, name: &str, archive: &Path) -> Result<(), Failure> {
    let file = File::create(archive).map_err(at(archive))?;
    let mut tar = tar::Builder::new(GzEncoder::new(file, Compression::best()));
    for path in files_below(contents)? {
        let bytes = fs::read(&path).map_err(at(&path))?;
        let relative = path.strip_prefix(contents).unwrap_or(&path);
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(if is_program(relative) { 0o755 } else { 0o644 });
        header.set_mtime(0);
        tar.append_data(&mut header, Path::new(name).join(relative), &*bytes).map_err(at(archive))?;
    }
    let gzip = tar.into_inner().map_err(at(archive))?;
    gzip.finish().and_then(|file| file.sync_all()).map_err(at(archive))
}

fn is_program(path: &Path) -> bool {
    path.parent() == Some(Path::new(""))
        && path.file_stem().is_some_and(|stem| stem == "edgepkg")
        && path.extension().is_none_or(|ending| ending == "exe")
}
