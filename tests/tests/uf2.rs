//! UF2 files and boot folders, read by other people's readers.

use std::fs;
use std::path::Path;
use std::process::Command;

use edgepkg::boot_folder::{self, BootFiles};
use edgepkg::boot_metadata;
use edgepkg::runners;
use edgepkg::uf2::{self, Contents, End, INFO_FILE, Uf2Error};
use edgepkg_boards::Board;
use edgepkg_format::slot::Commit;
use edgepkg_tests::models::kws;
use edgepkg_toolchain::is_installed;
use object::{Object as _, ObjectSegment as _};

const PAGE_BYTES: u64 = 256;

fn boards() -> impl Iterator<Item = Board> {
    Board::shipped().filter(|board| board.uf2_family.is_some())
}

/// The board's runner and the model for it.
struct Flash {
    runner: Vec<u8>,
    artifact: Vec<u8>,
}

impl Flash {
    fn of(board: &Board) -> Self {
        let runner = runners::find(board).unwrap_or_else(|error| panic!("{error}")).elf;
        Self { runner, artifact: kws().artifact(board.isa) }
    }

    fn contents(&self) -> Contents<'_> {
        Contents { runner: &self.runner, artifact: &self.artifact }
    }

    /// Every byte that is to be in the board's flash, in the order of the addresses.
    fn pieces(&self, board: &Board) -> Vec<(u64, Vec<u8>)> {
        let memory = board.memory.as_ref().unwrap();
        let mut pieces: Vec<_> =
            boot_metadata::of_board(board).into_iter().map(|piece| (piece.address, piece.bytes)).collect();
        let file = object::File::parse(&*self.runner).unwrap();
        let code: u64 = memory.code.start;
        for segment in file.segments().filter(|segment| segment.file_range().1 > 0) {
            let bytes = segment.data().unwrap().to_vec();
            // Initial values of variables lie behind the constants.
            let end = pieces.iter().map(|(address, bytes)| address + bytes.len() as u64).max();
            let is_constant = (code..memory.code.end()).contains(&segment.address());
            let address = if is_constant { segment.address() } else { end.unwrap().next_multiple_of(4) };
            pieces.push((address, bytes));
        }
        pieces.push((memory.model_slot.start, self.artifact.clone()));
        pieces.push((memory.commit_address(), Commit::of(&self.artifact, 1).to_bytes().to_vec()));
        pieces
    }
}

#[test]
fn another_reader_finds_every_byte_where_it_belongs() {
    for board in boards() {
        let flash = Flash::of(&board);
        let file = uf2::image(&board, flash.contents()).unwrap();
        let (bytes, families) = uf2_decode::convert_from_uf2(&file).unwrap();
        let first = flash.pieces(&board)[0].0;
        let start = first - first % PAGE_BYTES;
        assert_eq!(families.into_iter().collect::<Vec<_>>(), [(board.uf2_family.unwrap(), start)]);
        for (address, piece) in flash.pieces(&board) {
            let offset = (address - start) as usize;
            assert_eq!(bytes[offset..offset + piece.len()], piece, "{} at {address:#x}", board.name);
        }
        println!("{}: {} blocks of UF2", board.name, file.len() / uf2::BLOCK_BYTES);
    }
}

/// The specification's rules that readers do not check: numbers count up, all of them are there, whole pages.
#[test]
fn blocks_are_counted() {
    let board = Board::find("rpi-pico").unwrap();
    let file = uf2::image(&board, Flash::of(&board).contents()).unwrap();
    let word = |block: &[u8], index: usize| u32::from_le_bytes(block[4 * index..][..4].try_into().unwrap());
    let blocks: Vec<&[u8]> = file.chunks(uf2::BLOCK_BYTES).collect();
    for (number, block) in blocks.iter().enumerate() {
        assert_eq!(block.len(), uf2::BLOCK_BYTES);
        assert_eq!((word(block, 5) as usize, word(block, 6) as usize), (number, blocks.len()));
        assert_eq!((word(block, 2), word(block, 4), word(block, 127)), (0x2000, 256, 0x0AB1_6F30));
        assert_eq!(word(block, 3) % 256, 0);
    }
}

fn drive(info: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(INFO_FILE), info).unwrap();
    folder
}

const PICO_INFO: &str = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n";
const PICO_2_INFO: &str = "UF2 Bootloader v1.0\r\nModel: Raspberry Pi RP2350\r\nBoard-ID: RP2350\r\n";
const FEATHER_INFO: &str = "UF2 Bootloader 0.6.2 lib/nrfx (v2.0.0)\r\nModel: Adafruit Feather nRF52840 Express\r\n\
                            Board-ID: nRF52840-Feather-revD\r\nSoftDevice: S140 version 6.1.1\r\n";

#[test]
fn a_drive_takes_the_file_of_its_own_chip_only() {
    let drives = [("rpi-pico", PICO_INFO), ("rpi-pico2", PICO_2_INFO), ("nrf52840-uf2", FEATHER_INFO)];
    for (name, _) in drives {
        let board = Board::find(name).unwrap();
        let flash = Flash::of(&board);
        for (other, info) in drives {
            let folder = drive(info);
            let written = uf2::write(folder.path(), &board, flash.contents());
            if other == name {
                let written = written.unwrap();
                assert_eq!(written.end, End::ReadBack);
                let file = fs::read(&written.path).unwrap();
                assert_eq!(file, uf2::image(&board, flash.contents()).unwrap());
            } else {
                assert!(
                    matches!(written, Err(Uf2Error::OtherBoard { .. })),
                    "{name} on {other}: {written:?}"
                );
                assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
            }
        }
    }
}

#[test]
fn a_folder_that_is_no_drive_is_refused() {
    let board = Board::find("rpi-pico").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flash = Flash::of(&board);
    let refused = uf2::write(folder.path(), &board, flash.contents());
    assert!(matches!(refused, Err(Uf2Error::NotADrive { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Runs a program of the system's, which must succeed; gives what it prints.
fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The boot folder is a FAT partition: what is written must be files that such a one holds, and gives back.
#[test]
fn a_boot_folder_is_a_fat_partition() {
    if !is_installed("mcopy") || !is_installed("mformat") {
        println!("skipped: `cargo xtask setup` installs mtools");
        return;
    }
    let board = Board::find("rpi").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let runner = runners::find(&board).unwrap_or_else(|error| panic!("{error}")).loaded;
    let artifact = kws().artifact(board.isa);
    let memory = board.memory.as_ref().unwrap();
    let boot = folder.path().join("boot");
    fs::create_dir(&boot).unwrap();
    let written =
        boot_folder::write(&boot, &BootFiles { runner: &runner, artifact: &artifact, memory }).unwrap();

    let image = folder.path().join("card.img");
    let image = image.to_str().unwrap();
    run("mformat", &["-C", "-i", image, "-T", "131072", "-F", "::"]);
    for file in &written {
        run("mcopy", &["-i", image, file.path.to_str().unwrap(), "::"]);
    }
    for file in &written {
        let name = Path::new(&file.path).file_name().unwrap().to_str().unwrap();
        let found = run("mtype", &["-i", image, &format!("::{name}")]);
        assert_eq!(found, fs::read(&file.path).unwrap(), "{name}");
    }
}
