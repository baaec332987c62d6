//! Packages made to harm, and installs that end at any moment.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use edgepkg::store::Store;
use tar::{Builder, EntryType, Header};

use crate::check;
use crate::packages::{publish, sandbox};
use crate::sandbox::Sandbox;

/// An entry beside those of a package.
struct Entry<'a> {
    name: &'a str,
    kind: EntryType,
    /// Where a link points.
    link: &'a str,
}

/// The package, with one more entry at its start.
fn with_entry(package: &[u8], entry: &Entry<'_>) -> Vec<u8> {
    let content: &[u8] = if entry.kind == EntryType::Regular { b"harm" } else { b"" };
    let mut header = Header::new_ustar();
    // As bytes: the crate refuses to write such a name.
    header.as_mut_bytes()[..entry.name.len()].copy_from_slice(entry.name.as_bytes());
    header.as_mut_bytes()[157..157 + entry.link.len()].copy_from_slice(entry.link.as_bytes());
    header.set_entry_type(entry.kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, content).expect("memory");
    let mut bytes = builder.into_inner().expect("memory");
    bytes.truncate(512 * (1 + content.len().div_ceil(512)));
    bytes.extend_from_slice(package);
    bytes
}

/// Nothing of a package is unpacked, so such names lead nowhere; those that make the file mean two things are refused.
#[test]
fn archives_that_point_elsewhere() {
    let sandbox = Sandbox::with_kws();
    sandbox.run("quantize kws.tflite -o kws.edgepkg");
    let package = sandbox.read("kws.edgepkg");
    let entries = [
        ("up", "../outside", EntryType::Regular, ""),
        ("deep", "blobs/sha256/../../../outside", EntryType::Regular, ""),
        ("absolute", "/outside-of-edgepkg", EntryType::Regular, ""),
        ("symlink", "blobs/sha256/link", EntryType::Symlink, "/etc/passwd"),
        ("hardlink", "index.json", EntryType::Link, "/etc/passwd"),
        ("device", "blobs/device", EntryType::Char, ""),
        ("pipe", "blobs/pipe", EntryType::Fifo, ""),
        ("twice", "index.json", EntryType::Regular, ""),
    ];
    let mut sandbox = sandbox;
    for (file, name, kind, link) in entries {
        let bytes = with_entry(&package, &Entry { name, kind, link });
        sandbox = sandbox.file(&format!("{file}.edgepkg"), &bytes);
    }
    check!(
        "error_archives",
        sandbox,
        "export up.edgepkg --format tflite -o x.tflite
         export deep.edgepkg --format tflite -o x.tflite
         export absolute.edgepkg --format tflite -o x.tflite
         export symlink.edgepkg --format tflite -o x.tflite
         export hardlink.edgepkg --format tflite -o x.tflite
         export device.edgepkg --format tflite -o x.tflite
         export pipe.edgepkg --format tflite -o x.tflite
         export twice.edgepkg --format tflite -o x.tflite"
    );
    assert!(!sandbox.path("../outside").exists() && !Path::new("/outside-of-edgepkg").exists());
    assert!(!fs::exists(sandbox.path("x.tflite")).expect("the folder is ours"));
}

/// At how many moments an install is killed, from its first to its last.
const MOMENTS: u32 = 200;

#[test]
fn an_install_that_is_killed_leaves_a_valid_store() {
    let sandbox = publish(sandbox(), "1.0.0", "");
    let lock = sandbox.path("app/edgepkg.lock");
    let install = |home: &Path| {
        let mut process = sandbox.process_in("app", "install");
        process.env("EDGEPKG_HOME", home).stdout(Stdio::null()).stderr(Stdio::null());
        process
    };
    let started = Instant::now();
    assert!(install(&sandbox.path("whole")).status().expect("it runs").success());
    let mut duration = started.elapsed();
    let expected = fs::read(&lock).expect("it was written");
    let mut moment = 0;
    while moment < MOMENTS {
        fs::remove_file(&lock).expect("each install ends with one");
        let home = sandbox.path(&format!("home-{moment}"));
        let mut process = install(&home).spawn().expect("it starts");
        thread::sleep(duration * moment / MOMENTS);
        let was_running = process.try_wait().expect("it is ours").is_none();
        process.kill().expect("it is ours");
        process.wait().expect("it is ours");
        match was_running {
            true => moment += 1,
            // It was faster than that: the same moment of a shorter time.
            false => duration = duration * 9 / 10,
        }
        let store = Store::open(&home).expect("it can be opened");
        assert_eq!(store.verify().expect("it can be read").1, Vec::new(), "at moment {moment}");
        for release in store.releases().expect("it can be read") {
            store.read(release.digest, 1 << 20).expect("what is listed is there");
        }
        if let Ok(found) = fs::read(&lock) {
            assert_eq!(found, expected, "at moment {moment}");
        }
        assert!(install(&home).status().expect("it runs").success(), "at moment {moment}");
        assert_eq!(fs::read(&lock).expect("it was written"), expected);
        fs::remove_dir_all(&home).expect("it is ours");
    }
    println!("killed at {MOMENTS} moments of {duration:?}");
}
