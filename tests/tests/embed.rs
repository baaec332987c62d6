//! Minimal images: a model with the runtime and its own operators, and nothing else.

use std::path::Path;

use edgepkg::fit::{self, Certificate};
use edgepkg_boards::Board;
use edgepkg_format::artifact::DIGEST_RANGE;
use edgepkg_tests::firmware::serial_lines;
use edgepkg_tests::minimal_image::{self, MinimalImage};
use edgepkg_tests::models::{Int8Model, kws};
use object::{Object as _, ObjectSymbol as _};

/// How much more stack may be predicted than is used.
const SLACK_BYTES: u64 = 256;

/// The image of `model` for `board`; `None`, said aloud, where nothing here compiles it.
fn image(board: &Board, model: &Int8Model) -> Option<MinimalImage> {
    minimal_image::build(board, model, Path::new(env!("CARGO_TARGET_TMPDIR")))
}

/// The numbers of the lines that begin with `word`.
fn numbers(lines: &[String], word: &str) -> Vec<Vec<i32>> {
    let of_word = lines.iter().filter_map(|line| line.strip_prefix(word));
    of_word.map(|line| line.split_whitespace().map(|number| number.parse().unwrap()).collect()).collect()
}

fn check_on_board(name: &str) {
    let (board, model) = (Board::find(name).unwrap(), kws());
    let Some(image) = image(&board, &model) else { return };
    let lines = serial_lines(&board, &image.elf, "stack");
    let digest: String = image.artifact[DIGEST_RANGE].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(lines[0], format!("digest {digest}"));
    let as_numbers = |output: &Vec<u8>| output.iter().map(|&byte| i32::from(byte as i8)).collect();
    let expected: Vec<Vec<i32>> = model.outputs.iter().map(as_numbers).collect();
    assert_eq!(numbers(&lines, "output"), expected);
    let measured = numbers(&lines, "stack")[0][0] as u64;
    let Certificate { flash, ram, .. } =
        fit::certify_embedded(&board, &image.bytes, &image.artifact).unwrap();
    assert!((measured..=measured + SLACK_BYTES).contains(&ram.stack_bytes), "{measured}, {ram:?}");
    assert_eq!(ram.static_bytes, 0);
    println!("{name}: {flash:?}, {ram:?}, {measured} bytes of stack measured");
}

#[test]
fn an_embedded_model_runs_on_a_cortex_m4() {
    check_on_board("qemu-cortex-m4");
}

#[test]
fn an_embedded_model_runs_on_portable_kernels() {
    check_on_board("qemu-cortex-m3");
}

#[test]
fn an_image_holds_no_operators_but_the_models_no_link_and_no_formatting() {
    let board = Board::find("qemu-cortex-m4").unwrap();
    let Some(image) = image(&board, &kws()) else { return };
    let file = object::File::parse(&*image.bytes).unwrap();
    let names: Vec<String> = file
        .symbols()
        .filter_map(|symbol| Some(format!("{:#}", rustc_demangle::demangle(symbol.name().ok()?))))
        .collect();
    let holds = |part: &str| names.iter().any(|name| name.contains(part));
    assert!(holds("softmax_i8") && holds("packed_conv2d_i8"), "the names of kernels have changed");
    for part in [
        "edgepkg_kernels::reference::conv2d",
        "edgepkg_kernels::reference::mean",
        "edgepkg_kernels::reference::movement",
        "edgepkg_format::link",
        "edgepkg_runtime::server",
        "sha2",
        "serde",
        "core::fmt",
    ] {
        assert!(!holds(part), "{part}");
    }
}
