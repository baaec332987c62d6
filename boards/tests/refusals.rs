//! Board files that make no sense are refused, and told why.

use edgepkg_boards::{Board, BoardError};

const SOUND: &str = r#"
name = "test"
description = "a board"
tier = "emulated"
isa = "armv7em"
target = "thumbv7em-none-eabihf"
clock_hz = 25_000_000
deploy = "emulator"
transport = "uart"

[memory]
code = { start = "0x0", length = "64 KiB" }
model_slot = { start = "0x1_0000", length = "64 KiB" }
ram = { start = "0x2000_0000", length = "32 KiB" }
stack = "4 KiB"
flash = { erase_sector = "4 KiB", program_unit = 8 }

[runner]
image = "cortex-m"
format = "elf"
layout = "generated"
symbols = { _uart = "0x4000_4000" }

[emulator]
program = "qemu-system-arm"
debian_package = "qemu-system-arm"
arguments = ["-kernel", "{runner}", "{model},{model_address}", "{commit},{commit_address}"]
"#;

fn check(from: &str, to: &str, expected: &str) {
    assert!(SOUND.contains(from), "{from}");
    match Board::from_toml("test.toml", &SOUND.replacen(from, to, 1)) {
        Err(error @ BoardError::Invalid { .. }) => {
            assert_eq!(error.to_string(), format!("board `test`: {expected}"))
        }
        Err(error @ BoardError::Syntax { .. }) => assert!(error.to_string().contains(expected), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_sound_one_is_a_board() {
    let board = Board::from_toml("test.toml", SOUND).unwrap();
    let memory = board.memory.unwrap();
    assert_eq!(memory.commit_address(), 0x1_fff0);
    assert_eq!(memory.model_limit_bytes(), 0xfff0);
}

#[test]
fn the_schema_is_held() {
    check("clock_hz", "clock_khz", "unknown field `clock_khz`");
    check("deploy = \"emulator\"\n", "", "missing field `deploy`");
    check("\"64 KiB\"", "\"64 kB\"", "expected bytes as a number");
    check("tier = \"emulated\"", "tier = \"perhaps\"", "unknown variant `perhaps`");
}

#[test]
fn regions_lie_apart_and_within_reach() {
    let overlap = "code and model_slot overlap: 0x0 to 0x11000 and 0x10000 to 0x20000";
    check("length = \"64 KiB\"", "length = \"68 KiB\"", overlap);
    check("\"0x2000_0000\"", "\"0xffff_ffff\"", "ram of 32768 bytes at 0xffffffff is empty or passes 4 GiB");
    check("length = \"32 KiB\"", "length = 0", "ram of 0 bytes at 0x20000000 is empty or passes 4 GiB");
    let sectors = "model_slot 0x10800 to 0x20800 is not made of whole erase sectors of 4096 bytes";
    check("\"0x1_0000\"", "\"0x1_0800\"", sectors);
    check("program_unit = 8", "program_unit = 6", "program_unit of 6 bytes is not a power of two");
    let protected = "model_slot 0x10000 to 0x20000 is protected at 0x1f000 to 0x20000";
    let region = "protected = [{ start = \"0x1_f000\", length = \"4 KiB\" }]\nstack";
    check("stack", region, protected);
    let stack = "a stack of 32768 bytes in a RAM of 32768: not a multiple of 16 below it";
    check("stack = \"4 KiB\"", "stack = \"32 KiB\"", stack);
}

#[test]
fn parts_belong_together() {
    let isa = "`mips` is no instruction set; there are portable, armv6m, armv7m, armv7em, armv8m.main, armv8.1m.main, aarch64, armv8m.main+dsp";
    check("\"armv7em\"", "\"mips\"", isa);
    check("\"{runner}\"", "\"runner\"", "the emulator's arguments lack `{runner}`");
    check("deploy = \"emulator\"", "deploy = \"probe\"", "a board that a probe programs names its `chip`");
    check(
        "transport = \"uart\"",
        "transport = \"in-process\"",
        "`in-process` is for the board `host`, and only that",
    );
    check("_uart", "uart", "`uart` is no symbol: `_name`");
    check("clock_hz = 25_000_000", "clock_hz = 0", "a clock of 0 Hz");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Board::find("nowhere/test.toml").unwrap_err();
    assert_eq!(error.to_string(), "cannot read the board file `nowhere/test.toml`");
}
