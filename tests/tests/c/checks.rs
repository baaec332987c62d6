//! What the library answers to wrong use, and two models at once, in a program of C++.

use std::fs;
use std::path::Path;

use edgepkg::model::{Importer, Model};
use edgepkg_quantize::package::Package;
use edgepkg_tests::firmware::run;

use crate::build::{BOARD, PROGRAM, is_possible, succeed, text};
use crate::example::{host_scores, numbers};
use crate::{example, root};

const COMPILER: &str = "arm-none-eabi-g++";
const CORE: [&str; 4] = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"];
const FLAGS: [&str; 14] = [
    "-std=c++17",
    "-Os",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-ffreestanding",
    "-fno-exceptions",
    "-fno-rtti",
    "-ffunction-sections",
    "-fdata-sections",
    "-nostdlib",
    "-nostartfiles",
    "-Wl,--gc-sections",
];

#[test]
fn wrong_use_gives_an_error_and_two_models_the_hosts_scores() {
    if !is_possible(&[COMPILER, "arm-none-eabi-gcc"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let keywords_folder = root().join("firmware/examples/keywords");
    let keywords = keywords_folder.join("model/keywords.edgepkg");
    let reference = folder.path().join("reference.tflite");
    fs::copy(root().join("tests/data/kws/reference_int8.tflite"), &reference).expect("it is copied");
    for model in [&keywords, &reference] {
        let arguments = ["build", text(model), "--board", BOARD, "--emit", "c", "-o", text(folder.path())];
        succeed(folder.path(), PROGRAM, &arguments);
    }
    let elf = folder.path().join("checks.elf");
    let file = |name: &str| text(&example().join(name)).to_owned();
    // Start-up is C: it names addresses in ways that C++ has no words for.
    let start = file("start.c");
    let start = [&CORE[..], &["-ffreestanding", "-c", &start, "-o", "start.o"]].concat();
    succeed(folder.path(), "arm-none-eabi-gcc", &start);
    let include = |folder: &Path| format!("-I{}", text(folder));
    let recordings = format!("-Wa,{}", include(keywords_folder.as_path()));
    let sources = [
        text(&root().join("tests/tests/c/checks.cpp")).to_owned(),
        file("recordings.S"),
        "start.o".to_owned(),
        "-xc++".to_owned(),
        "keywords.c".to_owned(),
        "reference.c".to_owned(),
        "-xnone".to_owned(),
        "libedgepkg.a".to_owned(),
    ];
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let script = format!("-T{}", file("link.ld"));
    let headers = include(&example());
    let rest = ["-I.", &headers, &recordings, &script, "-o", text(&elf)];
    succeed(folder.path(), COMPILER, &[&CORE[..], &FLAGS[..], &sources, &rest].concat());
    let Some(said) = run(&elf) else { return };
    let (scores, statuses): (Vec<&str>, Vec<&str>) = said
        .lines()
        .partition(|line| line.split_once(": ").is_some_and(|(_, rest)| rest.starts_with(['-', '1'])));
    let of = |name: &str| -> Vec<Vec<i32>> {
        scores.iter().filter_map(|line| line.strip_prefix(name)).map(numbers).collect()
    };
    assert_eq!(of("keywords:"), host_scores(&Package::read(&keywords).expect("a package"))[..3]);
    let Ok(Model::Package(package)) = Model::read(&reference, &Importer::InProcess) else {
        panic!("a model")
    };
    assert_eq!(of("reference:"), host_scores(&package)[..3]);
    insta::assert_snapshot!(statuses.join("\n"));
}
