//! Names this state of the sources, by which results of the quantize step are kept: the version alone would not tell
//! two revisions of a checkout apart.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::{fs, io};

/// What an artifact's bytes follow from. Of a published package only the first is there, and its version says the rest.
const FOLDERS: [&str; 3] = ["src", "../firmware/format/src", "../firmware/kernels/src"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut hasher = DefaultHasher::new();
    for folder in FOLDERS.map(Path::new).into_iter().filter(|folder| folder.is_dir()) {
        println!("cargo::rerun-if-changed={}", folder.display());
        hash_folder(folder, &mut hasher).expect("cargo lets a build script read its own sources");
    }
    println!("cargo::rustc-env=EDGEPKG_SOURCES={:016x}", hasher.finish());
}

/// Names and contents of every file in `folder`, in the order of their names.
fn hash_folder(folder: &Path, hasher: &mut impl Hasher) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        entry.file_name().hash(hasher);
        if entry.file_type()?.is_dir() {
            hash_folder(&entry.path(), hasher)?;
        } else {
            fs::read(entry.path())?.hash(hasher);
        }
    }
    Ok(())
}
