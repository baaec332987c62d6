use std::collections::BTreeSet;
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;
use edgepkg_quantize::digest::{canonical_json, descriptor, descriptor_of, image_index};

const KIND: &str = "application/octet-stream";

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    (folder, store)
}

fn release(store: &Store, name: &str, content: &[u8]) -> StoredRelease {
    let layer = descriptor_of(KIND, content);
    store.write(&layer, content).unwrap();
    let index = canonical_json(&image_index(vec![layer]));
    store.write(&descriptor_of("index", &index), &index).unwrap();
    StoredRelease {
        name: name.parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        digest: Digest::of(&index),
        index_bytes: index.len() as u64,
    }
}

#[test]
fn blobs_are_verified_when_they_are_read() {
    let (_folder, store) = store();
    let (bytes, digest) = (b"weights".as_slice(), Digest::of(b"weights"));
    assert!(matches!(store.read(digest, 100), Err(StoreError::Missing(_))));
    store.write(&descriptor_of(KIND, bytes), bytes).unwrap();
    assert_eq!(store.read(digest, 100).unwrap(), bytes);
    assert!(matches!(store.read(digest, 3), Err(StoreError::TooLarge { .. })));
    std::fs::write(store.blob_path(digest), b"weightz").unwrap();
    assert!(matches!(store.read(digest, 100), Err(StoreError::Changed { .. })));
    let (sound, damaged) = store.verify().unwrap();
    assert_eq!((sound, damaged.len()), (0, 1));
    assert!(matches!(store.read(digest, 100), Err(StoreError::Missing(_))));
}

#[test]
fn other_bytes_are_not_kept_and_cut_short_ones_are_gone_on_from() {
    let (folder, store) = store();
    let expected = descriptor_of(KIND, b"0123456789");
    let mut writer = store.writer(&expected).unwrap().unwrap();
    writer.write(b"01234").unwrap();
    assert!(matches!(writer.finish(), Err(StoreError::Length { found_bytes: 5, expected_bytes: 10, .. })));
    let mut writer = store.writer(&expected).unwrap().unwrap();
    assert_eq!(writer.written_bytes(), 5);
    writer.write(b"56789").unwrap();
    writer.finish().unwrap();
    assert!(store.writer(&expected).unwrap().is_none());

    let expected = descriptor_of(KIND, b"abc");
    let mut writer = store.writer(&expected).unwrap().unwrap();
    writer.write(b"abd").unwrap();
    assert!(matches!(writer.finish(), Err(StoreError::OtherBytes { .. })));
    let mut writer = store.writer(&expected).unwrap().unwrap();
    assert!(matches!(writer.write(b"abcd"), Err(StoreError::Length { .. })));
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path().join("store/partial")).unwrap().count(), 0);
}

/// A manifest may name any size: nothing of it is written or kept in memory.
#[test]
fn huge_sizes_are_refused() {
    let (_folder, store) = store();
    let huge = descriptor(KIND, Digest::of(b""), 1 << 50);
    let error = store.writer(&huge).unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { stated_bytes, .. } if stated_bytes == 1 << 50));
}

#[test]
fn what_no_release_needs_is_collected() {
    let (_folder, store) = store();
    let (one, two) = (release(&store, "one", b"shared"), release(&store, "two", b"own"));
    store.add_releases(&[one.clone(), two.clone()]).unwrap();
    assert_eq!(store.releases().unwrap(), [one.clone(), two]);
    let collected = store.collect(&BTreeSet::from([one.digest])).unwrap();
    assert_eq!((collected.releases, collected.blobs), (1, 2));
    assert_eq!(store.releases().unwrap(), [one]);
    assert!(store.read(Digest::of(b"shared"), 100).is_ok());
    assert!(store.read(Digest::of(b"own"), 100).is_err());
}

#[test]
fn many_write_at_once() {
    let (folder, store) = store();
    let content: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    thread::scope(|scope| {
        for writer in 0..8 {
            let (content, folder) = (&content, folder.path().join("store"));
            scope.spawn(move || {
                let store = Store::open(&folder).unwrap();
                let mine = release(&store, &format!("p{writer}"), content);
                store.add_releases(&[mine]).unwrap();
            });
        }
    });
    assert_eq!(store.releases().unwrap().len(), 8);
    assert_eq!(store.verify().unwrap(), (2, Vec::new()));
}

/// How a disk fails.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// One operation finds no space left, having written half.
    NoSpace,
    /// Nothing happens any more: the process is killed.
    Killed,
}

/// A disk that does not fail.
fn sound_disk() -> Arc<FaultyDisk> {
    Arc::new(FaultyDisk { fault: Fault::NoSpace, at: usize::MAX, done: AtomicUsize::new(0) })
}

/// A disk that fails at the operation with this number.
#[derive(Debug)]
struct FaultyDisk {
    fault: Fault,
    at: usize,
    done: AtomicUsize,
}

impl FaultyDisk {
    /// Whether the next operation happens.
    fn next(&self) -> io::Result<()> {
        let operation = self.done.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::NoSpace if operation == self.at => Err(io::ErrorKind::StorageFull.into()),
            Fault::Killed if operation >= self.at => Err(io::ErrorKind::Other.into()),
            _ => Ok(()),
        }
    }
}

impl Disk for FaultyDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.next()?;
        SystemDisk.create_folder(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        self.next()?;
        SystemDisk.create(path)
    }

    fn append(&self, path: &Path) -> io::Result<File> {
        self.next()?;
        SystemDisk.append(path)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        match self.next() {
            Ok(()) => SystemDisk.write(file, bytes),
            Err(error) => {
                if self.done.load(Ordering::Relaxed) == self.at + 1 {
                    SystemDisk.write(file, &bytes[..bytes.len() / 2])?;
                }
                Err(error)
            }
        }
    }

    /// Does not wait: what is tested ends with a process, not with the machine.
    fn sync(&self, _: &File) -> io::Result<()> {
        self.next()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.next()?;
        SystemDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.next()?;
        SystemDisk.remove(path)
    }
}

/// Stores two releases, of 20 blobs together, in pieces as they come from a network.
fn install(store: &Store) -> Result<(), StoreError> {
    let mut releases = Vec::new();
    for name in ["one", "three"] {
        let mut layers = Vec::new();
        for blob in 0..9u8 {
            let bytes = vec![blob; 1000 + name.len()];
            let layer = descriptor_of(KIND, &bytes);
            if let Some(mut writer) = store.writer(&layer)? {
                let from = writer.written_bytes() as usize;
                for piece in bytes[from..].chunks(100) {
                    writer.write(piece)?;
                }
                writer.finish()?;
            }
            layers.push(layer);
        }
        let index = canonical_json(&image_index(layers));
        store.write(&descriptor_of("index", &index), &index)?;
        releases.push(StoredRelease {
            name: name.parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            digest: Digest::of(&index),
            index_bytes: index.len() as u64,
        });
    }
    store.add_releases(&releases)
}

/// Whatever operation fails, with no space left or with a process killed, every blob in the store is sound, every
/// release in its index is whole, and installing again succeeds.
#[test]
fn the_store_is_valid_after_every_fault() {
    for fault in [Fault::NoSpace, Fault::Killed] {
        let mut points = 0;
        for at in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let disk = Arc::new(FaultyDisk { fault, at, done: AtomicUsize::new(0) });
            let outcome = Store::on_disk(folder.path(), disk).and_then(|store| install(&store));
            let store = Store::on_disk(folder.path(), sound_disk()).unwrap();
            assert_eq!(store.verify().unwrap().1, Vec::new(), "{fault:?} at {at}");
            for release in store.releases().unwrap() {
                let index = store.read(release.digest, MAX_DOCUMENT_BYTES).unwrap();
                let index: oci_spec::image::ImageIndex = serde_json::from_slice(&index).unwrap();
                assert!(index.manifests().iter().all(|layer| store.has(layer)), "{fault:?} at {at}");
            }
            if let (Err(error), Fault::NoSpace) = (&outcome, fault) {
                assert!(error.hint().unwrap().contains("make room"), "{error}");
            }
            install(&store).unwrap();
            assert_eq!(store.releases().unwrap().len(), 2, "{fault:?} at {at}");
            assert_eq!(store.verify().unwrap(), (20, Vec::new()), "{fault:?} at {at}");
            if outcome.is_ok() {
                break;
            }
            points += 1;
        }
        println!("{fault:?}: {points} points");
        assert!(points >= 200, "{points}");
    }
}
