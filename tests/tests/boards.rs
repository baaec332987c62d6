//! Every board file gives an image, and room for a model: what digits_cnn takes on each, in `boards/FIT.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use edgepkg::fit;
use edgepkg::runners;
use edgepkg_boards::{Board, Tier};
use edgepkg_tests::models::Int8Model;
use edgepkg_tests::zoo;

const MODEL: &str = "digits_cnn";

const HEAD: &str = "\
# What boards have room for

`digits_cnn` (digits of 8 by 8 pixels, int8) on every board: what it takes, and what there is beside the runner. Made by
`cargo xtask bless`, from the fit certificates. Sizes of the runner depend on the compiler and are not here.

| board | chip | instruction set | image | model, bytes | of | arena, bytes | of RAM | tested |
|---|---|---|---|---:|---:|---:|---:|---|
";

#[test]
fn digits_cnn_fits_every_board() {
    let Some(folder) = zoo::folder() else { return };
    let tflite = fs::read(folder.join(MODEL).join("reference_int8.tflite")).unwrap();
    let model = Int8Model { name: MODEL.to_owned(), tflite, inputs: Vec::new(), outputs: Vec::new() };
    let mut table = HEAD.to_owned();
    for board in Board::shipped() {
        let Some(memory) = &board.memory else { continue };
        let runner = runners::find(&board).unwrap_or_else(|error| panic!("{}: {error}", board.name));
        let artifact = model.artifact(board.isa);
        let fit = fit::certify(&board, &runner.elf, &artifact)
            .unwrap_or_else(|error| panic!("{}: {error}", board.name));
        println!(
            "{}: code {} of {}, model {} of {}; arena {}, variables {}, stack {} of {}, in RAM of {}",
            board.name,
            fit.flash.code_bytes,
            memory.code.length,
            fit.flash.model_bytes,
            memory.model_limit_bytes(),
            fit.ram.arena_bytes,
            fit.ram.static_bytes,
            fit.ram.stack_bytes,
            memory.stack_bytes,
            memory.ram.length,
        );
        let tier = match board.tier {
            Tier::Built => "image built",
            Tier::Emulated => "emulated",
            Tier::Hardware => "on hardware",
        };
        writeln!(
            table,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} | {tier} |",
            board.name,
            board.chip.as_deref().unwrap_or("-"),
            board.isa,
            board.prebuilt_runner().unwrap_or_else(|| board.name.clone()),
            fit.flash.model_bytes,
            memory.model_limit_bytes(),
            fit.ram.arena_bytes,
            memory.ram.length,
        )
        .unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards/FIT.md");
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        fs::write(path, table).unwrap();
        return;
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(table, committed, "`cargo xtask bless` writes it anew");
}
