//! The rules of the layout that the compiler does not hold; `ARCHITECTURE.md` gives the reasons.

use std::fs;
use std::path::{Path, PathBuf};

/// What each folder's crates may depend on of this project.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("firmware/format", &["edgepkg-format"]),
    ("firmware/kernels", &["edgepkg-format"]),
    ("firmware/runtime", &["edgepkg-format", "edgepkg-kernels"]),
    (
        "firmware/images",
        &[
            "edgepkg-format",
            "edgepkg-image-aarch64",
            "edgepkg-image-trust",
            "edgepkg-kernels",
            "edgepkg-runtime",
        ],
    ),
    ("firmware/c", &["edgepkg-runtime"]),
    ("boards", &["edgepkg-format"]),
    ("host/cycle_plugin", &[]),
    ("host/vprobe", &[]),
    ("quantize", &["edgepkg-boards", "edgepkg-format", "edgepkg-kernels", "edgepkg-runtime"]),
];

/// What fuzzers name beside what their folder may.
const FUZZERS: &[(&str, &str)] =
    &[("firmware/format/fuzz", "edgepkg-runtime"), ("quantize/fuzz", "edgepkg-quantize")];

/// Where a dependency may be named: in these manifests, and in sources under these folders.
struct Confined {
    dependency: &'static str,
    manifests: &'static [&'static str],
    sources: &'static [&'static str],
}

const CONFINED: &[Confined] = &[
    Confined {
        dependency: "tract",
        manifests: &["Cargo.toml", "quantize/Cargo.toml", "tests/Cargo.toml"],
        // It is also the oracle that the interpreter is tested against, and what a worker's limits hold.
        sources: &["quantize/src/import", "quantize/tests", "tests/src/bin/unvalidated-worker.rs"],
    },
    Confined {
        dependency: "oci-client",
        manifests: &["Cargo.toml", "host/Cargo.toml"],
        sources: &["host/src/registry/oci.rs", "host/src/registry/oci"],
    },
    Confined {
        dependency: "probe-rs",
        manifests: &["Cargo.toml", "host/Cargo.toml", "host/vprobe/Cargo.toml"],
        sources: &["host/src/deploy", "host/src/deploy.rs", "host/vprobe"],
    },
];

const GREATEST_LINES: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every file of the project whose name ends with one of `endings`, relative to its root, sorted.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    fn collect(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if path.is_dir() {
                collect(&path, endings, found);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    collect(root(), endings, &mut found);
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn is_under(path: &Path, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

/// Every manifest with the names it has in tables of dependencies.
fn manifests() -> Vec<(PathBuf, Vec<String>)> {
    fn collect(table: &toml::Table, names: &mut Vec<String>) {
        for (key, value) in table {
            let Some(table) = value.as_table() else { continue };
            if key.ends_with("dependencies") {
                names.extend(table.keys().cloned());
            } else {
                collect(table, names);
            }
        }
    }
    let manifest = |path: PathBuf| {
        let mut names = Vec::new();
        collect(&read(&path).parse().unwrap(), &mut names);
        (path, names)
    };
    files(&["Cargo.toml"]).into_iter().map(manifest).collect()
}

/// Fails with all of `offences`, one a line.
#[track_caller]
fn assert_none(rule: &str, offences: impl IntoIterator<Item = String>) {
    let offences: Vec<String> = offences.into_iter().collect();
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

#[test]
fn dependencies_point_one_way() {
    let mut offences = Vec::new();
    for (manifest, names) in manifests() {
        let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|(folder, _)| manifest.starts_with(folder)) else {
            continue;
        };
        for name in names.iter().filter(|name| name.starts_with("edgepkg")) {
            let is_fuzzed =
                FUZZERS.iter().any(|(fuzzer, fuzzed)| manifest.starts_with(fuzzer) && name == fuzzed);
            if !(allowed.contains(&name.as_str()) || is_fuzzed) {
                offences.push(format!("{} names {name}", manifest.display()));
            }
        }
    }
    assert_none("host -> quantize -> runtime -> kernels -> format, host -> boards", offences);
}

#[test]
fn large_dependencies_stay_in_their_folders() {
    for confined in CONFINED {
        let mut offences = Vec::new();
        let mut identifiers = Vec::new();
        for (manifest, names) in manifests() {
            let named = names.iter().filter(|name| name.starts_with(confined.dependency));
            identifiers.extend(named.clone().map(|name| name.replace('-', "_")));
            let is_allowed = confined.manifests.iter().any(|&allowed| manifest == Path::new(allowed));
            offences
                .extend(named.filter(|_| !is_allowed).map(|name| format!("{}: {name}", manifest.display())));
        }
        for source in files(&[".rs"]).into_iter().filter(|source| !is_under(source, confined.sources)) {
            let text = read(&source);
            let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.any(|word| identifiers.iter().any(|identifier| identifier == word)) {
                offences.push(source.display().to_string());
            }
        }
        assert_none(confined.dependency, offences);
    }
}

/// What calls hardware or an emulator, or is called from C.
const UNSAFE: &[&str] = &["firmware/c", "firmware/images", "host/cycle_plugin", "host/vprobe"];
/// The crate whose module `arch` alone is unsafe.
const UNSAFE_IN_ARCH: &str = "firmware/kernels";

#[test]
fn only_images_plugins_kernels_of_cores_and_what_c_calls_hold_unsafe_code() {
    let roots = files(&[".rs"]).into_iter().filter(|path| {
        let is_root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
        is_root && !is_under(path, UNSAFE)
    });
    let offences = roots.filter(|path| {
        let level = if path.starts_with(UNSAFE_IN_ARCH) { "deny" } else { "forbid" };
        !read(path).contains(&format!("#![{level}(unsafe_code)]"))
    });
    assert_none("unsafe code is not refused", offences.map(|path| path.display().to_string()));

    let sources = files(&[".rs"]).into_iter().filter(|path| {
        path.starts_with(UNSAFE_IN_ARCH) && !path.starts_with(Path::new(UNSAFE_IN_ARCH).join("src/arch"))
    });
    let allowing = sources.flat_map(|path| {
        let text = read(&path);
        let lines: Vec<&str> = text.lines().collect();
        let offences = lines
            .windows(2)
            .filter(|pair| pair[0].contains("allow(unsafe_code") && pair[1] != "mod arch;")
            .map(|pair| format!("{}: {}", path.display(), pair[1]));
        offences.collect::<Vec<_>>()
    });
    assert_none("only `arch` may be unsafe", allowing);
}

#[test]
fn modules_are_named_by_their_file() {
    // What the tests of one crate share is such a file: Cargo takes `tests/foo.rs` for a test.
    let is_shared_by_tests =
        |path: &Path| path.components().rev().nth(2).is_some_and(|folder| folder.as_os_str() == "tests");
    let offences =
        files(&[".rs"]).into_iter().filter(|path| path.ends_with("mod.rs") && !is_shared_by_tests(path));
    assert_none("foo.rs with foo/, not foo/mod.rs", offences.map(|path| path.display().to_string()));
}

#[test]
fn files_stay_small() {
    let offences = files(&[".rs"]).into_iter().filter_map(|path| {
        let lines = read(&path).lines().count();
        (lines >= GREATEST_LINES).then(|| format!("{}: {lines} lines", path.display()))
    });
    assert_none("a file is split before 800 lines", offences);
}

#[test]
fn no_path_of_one_machine() {
    let folders = ["home", "root", "work", "tmp", "Users"].map(|folder| format!("/{folder}/"));
    let mut offences = Vec::new();
    for path in files(&[".rs", ".toml", ".md", ".ld", ".json", ".sh"]) {
        for (number, line) in (1..).zip(read(&path).lines()) {
            // A path begins a word; `src/work/` and addresses on the web are none.
            let words = line.split([' ', '"', '\'', '`', '(', '=', ':', ',']);
            if words.into_iter().any(|word| folders.iter().any(|folder| word.starts_with(folder.as_str()))) {
                offences.push(format!("{}:{number}: {line}", path.display()));
            }
        }
    }
    assert_none("a path of one machine", offences);
}
