//! Every shipped board file is a board, and its linker script holds its memory.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use edgepkg_boards::{Board, RunnerLayout, linker_script};
use edgepkg_format::Isa;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_file_ships_under_its_name() {
    let files: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "Cargo")
        .collect();
    let shipped: BTreeSet<String> = Board::names().map(str::to_owned).collect();
    assert_eq!(shipped, files);
    for name in Board::names() {
        assert_eq!(Board::find(name).unwrap().name, name);
    }
}

#[test]
fn every_board_names_the_target_of_its_instruction_set() {
    for board in Board::shipped() {
        let target = match board.isa {
            Isa::Portable => None,
            Isa::Armv6m => Some("thumbv6m-none-eabi"),
            Isa::Armv7m => Some("thumbv7m-none-eabi"),
            Isa::Armv7em => Some("thumbv7em-none-eabihf"),
            Isa::Armv8mMain | Isa::Armv8mMainDsp => Some("thumbv8m.main-none-eabi"),
            Isa::Armv81mMain => Some("thumbv8m.main-none-eabihf"),
            Isa::Aarch64 => Some("aarch64-unknown-none"),
            other => panic!("{other}: no target is known"),
        };
        assert_eq!(board.target.as_deref(), target, "{}", board.name);
    }
}

#[test]
fn every_generated_linker_script_has_the_boards_numbers() {
    for board in Board::shipped() {
        let Some((runner, memory)) = board.runner.as_ref().zip(board.memory.as_ref()) else {
            assert!(board.is_host());
            assert_eq!(linker_script(&board), None);
            continue;
        };
        if runner.layout == RunnerLayout::Own {
            assert_eq!(linker_script(&board), None);
            continue;
        }
        let script = linker_script(&board).unwrap();
        let number = |symbol: &str| {
            let line = script.lines().find(|line| line.starts_with(&format!("{symbol} = 0x")));
            let value =
                line.unwrap_or_else(|| panic!("{symbol}")).trim_end_matches(';').rsplit("0x").next().unwrap();
            u64::from_str_radix(value, 16).unwrap()
        };
        assert_eq!(number("_stack_end"), memory.ram.start);
        assert_eq!(number("_stack_start") - number("_stack_end"), memory.stack_bytes);
        assert_eq!(number("_arena_end"), memory.ram.end());
        assert_eq!(number("_model_slot_start"), memory.model_slot.start);
        assert_eq!(number("_model_slot_end"), memory.model_slot.end());
        for (symbol, value) in &runner.symbols {
            assert_eq!(number(symbol), *value);
        }
    }
}

#[test]
fn a_mistyped_name_gives_the_nearest() {
    let check = |name: &str, expected: Option<&str>| match Board::find(name) {
        Err(edgepkg_boards::BoardError::Unknown { nearest, .. }) => assert_eq!(nearest, expected, "{name}"),
        other => panic!("{other:?}"),
    };
    check("qemu-cortexm4", Some("qemu-cortex-m4"));
    check("RPI", Some("rpi"));
    check("hots", Some("host"));
    check("zzzz", None);
}

#[test]
fn an_instruction_set_follows_from_the_target_and_the_core() {
    for board in Board::shipped() {
        let target = board.target.as_deref().unwrap_or("x86_64-unknown-linux-gnu");
        let flags: Vec<String> = board.compiler_flags().collect();
        let core = flags.iter().find_map(|flag| flag.strip_prefix("-Ctarget-cpu="));
        assert_eq!(Isa::of_target(target, core), board.isa, "{}", board.name);
    }
}
