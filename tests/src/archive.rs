//! Archives of test data, unpacked in memory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// The files of `data/<name>.tar.xz` by their paths.
///
/// # Panics
///
/// When it is not there or not sound.
pub fn unpack(name: &str) -> HashMap<String, Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name).with_extension("tar.xz");
    let file = BufReader::new(File::open(&path).expect("the archive is part of the repository"));
    let mut archive = tar::Archive::new(lzma_rust2::XzReader::new(file, false));
    let mut files = HashMap::new();
    for entry in archive.entries().expect("a tar archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("the entry's bytes");
        files.insert(path, bytes);
    }
    files
}
