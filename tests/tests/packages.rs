//! What is published holds every file that it is compiled from.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// The folders of the crates that are published.
const PUBLISHED: [&str; 8] = [
    "firmware/format",
    "firmware/kernels",
    "firmware/runtime",
    "boards",
    "quantize",
    "host/toolchain",
    "host/vprobe",
    "host",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The files of a crate's package, relative to its folder.
fn packaged(folder: &Path) -> BTreeSet<PathBuf> {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline", "--quiet"])
        .current_dir(folder)
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(PathBuf::from).collect()
}

/// The path with `..` taken away.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut normal, component| {
        match component {
            Component::ParentDir => drop(normal.pop()),
            component => normal.push(component),
        }
        normal
    })
}

/// The files that `source` takes in while it is compiled, relative to the crate's folder.
fn included(source: &Path, text: &str) -> Vec<PathBuf> {
    let after =
        ["include_str!(\"", "include_bytes!(\""].into_iter().flat_map(|call| text.split(call).skip(1));
    let folder = source.parent().unwrap();
    after.filter_map(|rest| Some(normal(&folder.join(rest.split_once('"')?.0)))).collect()
}

#[test]
fn packages_hold_what_their_sources_include() {
    let mut missing = Vec::new();
    let mut included_files = 0;
    for name in PUBLISHED {
        let folder = root().join(name);
        let files = packaged(&folder);
        let is_source =
            |path: &&PathBuf| path.starts_with("src") && path.extension().is_some_and(|end| end == "rs");
        // A template becomes a crate of the user's, with files of its own.
        let is_template = |path: &&PathBuf| path.iter().any(|folder| folder == "template");
        for source in files.iter().filter(is_source).filter(|path| !is_template(path)) {
            let text = fs::read_to_string(folder.join(source)).unwrap();
            // Tests are not compiled from a package, nor are examples in comments.
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for file in included(source, &code.collect::<Vec<_>>().join("\n")) {
                included_files += 1;
                if !files.contains(&file) {
                    missing.push(format!("{name}/{} takes in {}", source.display(), file.display()));
                }
            }
        }
    }
    assert!(included_files > 10, "{included_files}: the macros have other names");
    assert_eq!(missing, [""; 0]);
}
