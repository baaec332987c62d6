//! The release archive: what a user needs who has neither this checkout nor Rust.

mod archive;
mod bill_of_materials;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use edgepkg_toolchain::output;
use sha2::{Digest as _, Sha256};

use crate::command::{Failure, at, run};
use crate::{runners, workspace};

/// The shells whose completions are shipped, and their files' names.
const COMPLETIONS: [(&str, &str); 4] =
    [("bash", "edgepkg.bash"), ("zsh", "_edgepkg"), ("fish", "edgepkg.fish"), ("powershell", "edgepkg.ps1")];
/// The checkout's files that are shipped as they are.
const DOCUMENTS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];
const CHECKSUMS: &str = "SHA256SUMS";

/// Builds `target/dist/edgepkg-VERSION-HOST.tar.gz` and its checksum, unpacks it in an empty folder, and tries it there.
pub fn build() -> Result<(), Failure> {
    runners::build_all()?;
    // As the tests build it, so that nothing is compiled twice.
    run(workspace::cargo().args(["build", "--release", "--locked", "--workspace", "--bin", "edgepkg"]))?;
    let name = format!("edgepkg-{}-{}", env!("CARGO_PKG_VERSION"), host());
    let folder = workspace::target().join("dist");
    let contents = folder.join(&name);
    if contents.exists() {
        fs::remove_dir_all(&contents).map_err(at(&contents))?;
    }
    fill(&contents)?;
    let archive = folder.join(format!("{name}.tar.gz"));
    archive::write(&contents, &name, &archive)?;
    let checksum = folder.join(format!("{name}.tar.gz.sha256"));
    fs::write(&checksum, format!("{}  {name}.tar.gz\n", digest(&archive)?)).map_err(at(&checksum))?;
    trial::run(&archive, &name)?;
    eprintln!("{}", archive.display());
    Ok(())
}

fn host() -> String {
    let version = output(Command::new("rustc").arg("-vV")).unwrap_or_default();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap_or(std::env::consts::ARCH).to_owned()
}

/// Puts everything into the folder, its checksums last.
fn fill(contents: &Path) -> Result<(), Failure> {
    let program = contents.join(program_name());
    copy(&workspace::target().join("release").join(program_name()), &program)?;
    for file in files(&workspace::runners())? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if runners::is_shipped(&name) {
            copy(&file, &contents.join("runners").join(name))?;
        }
    }
    for file in files(&workspace::root().join("boards"))? {
        let name = file.file_name().unwrap_or_default();
        if name != "Cargo.toml" && file.extension().is_some_and(|ending| ending == "toml" || ending == "md") {
            copy(&file, &contents.join("boards").join(name))?;
        }
    }
    for document in DOCUMENTS {
        copy(&workspace::root().join(document), &contents.join(document))?;
    }
    for (shell, file) in COMPLETIONS {
        write_output(&program, &["completions", shell], &contents.join("completions").join(file))?;
    }
    write_output(&program, &["man"], &contents.join("man/edgepkg.1"))?;
    write(&contents.join("edgepkg.cdx.json"), &bill_of_materials::of_workspace()?)?;

    let mut checksums = String::new();
    for file in files_below(contents)? {
        let relative = file.strip_prefix(contents).unwrap_or(&file).display().to_string();
        checksums += &format!("{}  {relative}\n", digest(&file)?);
    }
    write(&contents.join(CHECKSUMS), checksums.as_bytes())
}

fn program_name() -> String {
    format!("edgepkg{}", std::env::consts::EXE_SUFFIX)
}

/// The files in `folder`, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(at(folder))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(at(folder))?;
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}

/// The files in `folder` and in folders below it, by name.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = files(folder)?;
    for entry in fs::read_dir(folder).map_err(at(folder))?.flatten() {
        if entry.path().is_dir() {
            found.extend(files_below(&entry.path())?);
        }
    }
    found.sort();
    Ok(found)
}

fn digest(file: &Path) -> Result<String, Failure> {
    let bytes = fs::read(file).map_err(at(file))?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    create_parent(to)?;
    fs::copy(from, to).map_err(at(from)).map(drop)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    create_parent(path)?;
    fs::write(path, bytes).map_err(at(path))
}

fn create_parent(path: &Path) -> Result<(), Failure> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(at(parent))
}

/// Writes what the program prints to a file.
fn write_output(program: &Path, arguments: &[&str], path: &Path) -> Result<(), Failure> {
    let printed = Command::new(program).args(arguments).output().map_err(at(program))?;
    if !printed.status.success() {
        return Err(Failure::Failed { command: format!("{} {}", program.display(), arguments.join(" ")) });
    }
    write(path, &printed.stdout)
}
