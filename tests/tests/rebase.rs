//! A runner that is moved to a board's memory is the one that a linker would have placed there, byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use edgepkg::rebase::{RebaseError, rebase};
use edgepkg::runners;
use edgepkg_boards::{Board, Placement, Region};
use edgepkg_tests::random_graphs::Random;
use edgepkg_toolchain::lld;
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{LittleEndian, Object as _, ObjectSymbol as _, SymbolKind};

/// A prebuilt runner and what it was linked of.
struct Prebuilt {
    name: String,
    elf: Vec<u8>,
    /// A folder with every file that the linker read.
    inputs: PathBuf,
    _folder: tempfile::TempDir,
}

impl Prebuilt {
    fn read(name: &str) -> Self {
        let file = |ending: &str| {
            let name = format!("{name}.{ending}");
            let found = runners::find_file(&name);
            fs::read(found.unwrap_or_else(|| panic!("`cargo xtask runners` has not built {name}"))).unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        tar::Archive::new(&*file("link.tar")).unpack(folder.path()).unwrap();
        let inputs = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        Self { name: name.to_owned(), elf: file("elf"), inputs, _folder: folder }
    }

    /// What the linker makes of it with the script of `placement`.
    fn link(&self, linker: &Path, placement: &Placement) -> Vec<u8> {
        let script = format!("{}.ld", self.name);
        let found = files(&self.inputs).into_iter().find(|path| path.ends_with(&script));
        fs::write(found.expect("the linker read its script"), placement.linker_script()).unwrap();
        let output = Command::new(linker)
            .args(["-flavor", "gnu", "@response.txt", "-o", "linked.elf"])
            .current_dir(&self.inputs)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(self.inputs.join("linked.elf")).unwrap()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    files.collect()
}

/// All that a board, a debugger and the fit certificate take of an image.
#[derive(Debug, PartialEq, Eq)]
struct Loaded {
    entry: u64,
    /// Each segment's address, its address in flash, its size in memory, and its bytes.
    segments: Vec<(u32, u32, u32, Vec<u8>)>,
    symbols: BTreeMap<String, BTreeSet<u64>>,
}

impl Loaded {
    fn of(elf: &[u8]) -> Self {
        let header = object::elf::FileHeader32::<LittleEndian>::parse(elf).unwrap();
        let loaded = |segment: &&object::elf::ProgramHeader32<LittleEndian>| {
            segment.p_type(LittleEndian) == object::elf::PT_LOAD
        };
        let segment = |segment: &object::elf::ProgramHeader32<LittleEndian>| {
            let bytes = segment.data(LittleEndian, elf).unwrap().to_vec();
            let field = |field: object::U32<LittleEndian>| field.get(LittleEndian);
            (field(segment.p_vaddr), field(segment.p_paddr), field(segment.p_memsz), bytes)
        };
        let segments = header.program_headers(LittleEndian, elf).unwrap().iter().filter(loaded).map(segment);
        let segments = segments.collect();
        let file = object::File::parse(elf).unwrap();
        let mut symbols = BTreeMap::<String, BTreeSet<u64>>::new();
        for symbol in file.symbols().filter(|symbol| symbol.kind() != SymbolKind::File) {
            symbols.entry(symbol.name().unwrap().to_owned()).or_default().insert(symbol.address());
        }
        Self { entry: file.entry(), segments, symbols }
    }
}

impl Loaded {
    /// The first thing in which the two differ.
    fn difference(&self, other: &Self) -> Option<String> {
        for (own, others) in self.segments.iter().zip(&other.segments) {
            if (own.0, own.1, own.2, own.3.len()) != (others.0, others.1, others.2, others.3.len()) {
                return Some(format!(
                    "a segment at {:#x}, loaded to {:#x}, of {:#x} bytes is at {:#x}, loaded to {:#x}, of {:#x}",
                    own.0, own.1, own.2, others.0, others.1, others.2
                ));
            }
            let byte = own.3.iter().zip(&others.3).position(|(own, other)| own != other);
            if let Some(byte) = byte {
                let (found, expected) = (own.3[byte], others.3[byte]);
                return Some(format!("at {:#x} {found:#x}, not {expected:#x}", own.0 as usize + byte));
            }
        }
        let symbol = self.symbols.iter().find(|(name, own)| other.symbols.get(*name) != Some(own));
        let symbol =
            symbol.map(|(name, own)| format!("`{name}` {own:x?}, not {:x?}", other.symbols.get(name)));
        symbol.or_else(|| {
            (self != other).then(|| "they differ in numbers of parts, or where they begin".to_owned())
        })
    }
}

#[track_caller]
fn assert_as_linked(prebuilt: &Prebuilt, linker: &Path, placement: &Placement) {
    let rebased = rebase(&prebuilt.elf, placement).unwrap_or_else(|error| panic!("{error}"));
    let (moved, linked) = (Loaded::of(&rebased), Loaded::of(&prebuilt.link(linker, placement)));
    if let Some(difference) = moved.difference(&linked) {
        panic!("{} at {placement:x?}: {difference}", prebuilt.name);
    }
    let again = rebase(&rebased, placement).expect("what was moved can be moved");
    assert_eq!(again, rebased);
    let back = rebase(&rebased, &Placement::of_prebuilt()).expect("and moved back");
    assert_eq!(Loaded::of(&back).difference(&Loaded::of(&prebuilt.elf)), None);
}

fn linker() -> Option<PathBuf> {
    let linker = lld();
    if linker.is_none() {
        println!("skipped: there is no lld on this machine");
    }
    linker
}

fn prebuilt_runners() -> Vec<Prebuilt> {
    let names: BTreeSet<String> = Board::shipped().filter_map(|board| board.prebuilt_runner()).collect();
    names.iter().map(|name| Prebuilt::read(name)).collect()
}

#[test]
fn every_boards_runner_is_as_linked() {
    let Some(linker) = linker() else { return };
    for prebuilt in prebuilt_runners() {
        let boards =
            Board::shipped().filter(|board| board.prebuilt_runner().as_ref() == Some(&prebuilt.name));
        for board in boards {
            assert_as_linked(&prebuilt, &linker, &Placement::of_runner(&board).unwrap());
            println!("{}: `{}` moved is as linked", board.name, prebuilt.name);
        }
    }
}

/// Memory that no board has, to which halves of addresses carry in every way.
#[test]
fn runners_anywhere_are_as_linked() {
    const PLACES: usize = 12;
    let Some(linker) = linker() else { return };
    let mut random = Random::new(7);
    for prebuilt in prebuilt_runners() {
        for _ in 0..PLACES {
            let mut address = |from: u64, pages: usize| from + 16 * random.below(pages) as u64;
            let code = Region { start: address(0, 0x00F0_0000), length: 1 << 20 };
            let variables = Region { start: address(0x2000_0000, 0x00F0_0000), length: 1 << 20 };
            let mut placement = Placement { code, variables, ..Placement::of_prebuilt() };
            let numbers = [
                ("_stack_end", variables.start - 4096),
                ("_stack_start", variables.start),
                ("_arena_end", variables.end()),
                ("_model_slot_start", address(0x6000_0000, 0x00F0_0000)),
                ("_uart", address(0x4000_0000, 0x00F0_0000)),
            ];
            placement.numbers.extend(numbers.map(|(name, value)| (name.to_owned(), value)));
            assert_as_linked(&prebuilt, &linker, &placement);
        }
    }
}

#[test]
fn what_is_no_prebuilt_runner_is_refused() {
    let placement = Placement::of_prebuilt();
    let refusal = |elf: &[u8], placement: &Placement| {
        rebase(elf, placement).expect_err("it cannot be moved").to_string()
    };
    assert!(matches!(rebase(b"hello", &placement), Err(RebaseError::NotElf(_))));
    let Some(prebuilt) = prebuilt_runners().into_iter().next() else { return };
    let own = runners::find(&Board::find("rpi").unwrap()).unwrap().elf;
    assert!(matches!(rebase(&own, &placement), Err(RebaseError::NotElf(_))));

    let mut more = placement.clone();
    more.numbers.insert("_lamp".to_owned(), 1);
    assert_eq!(refusal(&prebuilt.elf, &more), "the board sets `_lamp`, which it does not take");
    let mut fewer = placement.clone();
    fewer.numbers.remove("_timer");
    assert_eq!(refusal(&prebuilt.elf, &fewer), "the board does not set `_timer`, which it takes");
    let mut askew = placement.clone();
    askew.code.start += 8;
    let reason = "it cannot start at 0x8000008: its parts are aligned to 16 bytes";
    assert_eq!(refusal(&prebuilt.elf, &askew), reason);
}

/// Whatever bytes a file has, moving it ends with an answer.
#[test]
fn damaged_runners_do_no_harm() {
    const MUTANTS: usize = 2000;
    let placement = Placement::of_runner(&Board::find("qemu-cortex-m4").unwrap()).unwrap();
    let Some(prebuilt) = prebuilt_runners().into_iter().next() else { return };
    let mut random = Random::new(11);
    for _ in 0..MUTANTS {
        let mut elf = prebuilt.elf.clone();
        for _ in 0..1 + random.below(4) {
            // Headers and tables of an ELF file stand at its ends.
            let near_end = random.below(elf.len().min(0x8000));
            let index = if random.below(2) == 0 { random.below(0x100) } else { elf.len() - 1 - near_end };
            elf[index] = random.below(256) as u8;
        }
        if random.below(8) == 0 {
            elf.truncate(random.below(elf.len()));
        }
        let _ = rebase(&elf, &placement);
    }
}
