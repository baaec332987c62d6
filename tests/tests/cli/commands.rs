//! What commands show when all is well.

use edgepkg_format::Artifact;
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_quantize::package::Package;

use crate::check;
use crate::sandbox::{Sandbox, runner};

#[test]
fn help() {
    check!(
        "help",
        Sandbox::new(),
        "--help
         help quantize
         help inspect
         help build
         help flash
         help run
         help test
         help bench
         help export
         help boards
         help demo"
    );
}

#[test]
fn boards() {
    check!("boards", Sandbox::new(), "boards\nboards --json");
}

#[test]
fn quantize_an_int8_file() {
    check!(
        "quantize_int8",
        Sandbox::with_kws(),
        "quantize kws.tflite --label-names labels.txt -o kws.edgepkg
         quantize kws.tflite --name keyword-spotting --version 1.2.3 -o named.edgepkg"
    );
}

#[test]
fn inspect() {
    let sandbox = Sandbox::with_kws();
    sandbox.run("quantize kws.tflite --label-names labels.txt -o kws.edgepkg\nbuild kws.edgepkg -o built");
    check!("inspect", sandbox, "inspect kws.edgepkg\ninspect built/kws.epa\ninspect built/kws.epa --json");
}

#[test]
fn inspect_maps_the_arena() {
    let sandbox = Sandbox::with_kws();
    sandbox.run("quantize kws.tflite -o kws.edgepkg");
    let output = sandbox.output("inspect kws.edgepkg --optimize ram --json");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(result["optimize"], "ram");
    assert_eq!(result["costs"].as_array().map(Vec::len), Some(3));
    let arena = &result["arena"];
    assert_eq!(arena["arena_bytes"], result["memory"]["arena_bytes"]);
    let (buffers, steps) = (arena["buffers"].as_array().unwrap(), arena["steps"].as_array().unwrap());
    assert_eq!(buffers[0]["name"], "input_1");
    assert_eq!(buffers[0]["first_step"], serde_json::Value::Null);
    for (index, step) in steps.iter().enumerate() {
        for buffer in step["writes"].as_array().unwrap() {
            let buffer = &buffers[buffer.as_u64().unwrap() as usize];
            assert!(buffer["first_step"].as_u64().is_some_and(|first| first as usize <= index));
        }
        assert!(step["bytes_in_use"].as_u64() <= arena["arena_bytes"].as_u64());
    }
}

#[test]
fn run() {
    let sandbox = Sandbox::with_kws();
    sandbox.run("quantize kws.tflite --label-names labels.txt -o kws.edgepkg");
    check!(
        "run",
        sandbox,
        "run kws.edgepkg --input x_i8.npy --raw
         run kws.edgepkg --input x_i8.npy --raw --output y_i8.npy
         run kws.tflite --input x_i8.npy --output y_f32.npy
         run kws.tflite --input x_i8.npy --raw --output y_i8.npy --json"
    );
    let expected = edgepkg_tests::models::kws().outputs.concat();
    assert!(sandbox.read("y_i8.npy").ends_with(&expected));
}

#[test]
fn test_on_the_host() {
    let sandbox = Sandbox::with_kws();
    sandbox.run("quantize kws.tflite -o kws.edgepkg");
    check!("test", sandbox, "test kws.edgepkg\ntest kws.edgepkg --json\ntest kws.tflite");
}

/// A package whose vectors are not the host's outputs: what a board that computes otherwise would show.
#[test]
fn test_that_finds_a_difference() {
    let sandbox = Sandbox::with_kws();
    sandbox.run("quantize kws.tflite -o kws.edgepkg");
    let path = sandbox.path("kws.edgepkg");
    let mut package = Package::read(&path).expect("it was just written");
    package.vectors.vectors[2].outputs[0][5] ^= 1;
    package.write(&path).expect("the folder is ours");
    check!("test_difference", sandbox, "test kws.edgepkg\ntest kws.edgepkg --json");
}

#[test]
fn build_and_flash_for_the_host() {
    let sandbox = Sandbox::with_kws();
    check!("build", sandbox, "build kws.tflite -o built\nflash kws.tflite");
    let bytes = AlignedBytes::from(&sandbox.read("built/kws.epa")[..]);
    assert!(Artifact::parse(&bytes).is_ok_and(|artifact| artifact.verify_digest().is_ok()));
}

#[test]
fn export() {
    let sandbox = Sandbox::with_kws();
    sandbox.run("quantize kws.tflite --label-names labels.txt -o kws.edgepkg");
    check!(
        "export",
        sandbox,
        "export kws.edgepkg --format tflite -o exported.tflite
         export kws.edgepkg --format tflite -o exported.tflite --json
         export kws.edgepkg --format onnx-qdq -o exported.onnx
         run exported.tflite --input x_i8.npy --raw --output y_i8.npy"
    );
    let expected = edgepkg_tests::models::kws().outputs.concat();
    assert!(sandbox.read("y_i8.npy").ends_with(&expected));
}

#[test]
fn bench_has_its_fields() {
    let sandbox = Sandbox::with_kws();
    let output = sandbox.output("bench kws.tflite --json");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for field in ["schema_version", "instructions", "arena_bytes", "stack_bytes", "source"] {
        assert!(result.get(field).is_some(), "{field}");
    }
}

#[test]
fn quantize_has_its_fields() {
    let sandbox = Sandbox::with_kws();
    let output = sandbox.output("quantize kws.tflite -o kws.edgepkg --json");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for field in ["schema_version", "accuracy", "sqnr_db", "layers"] {
        assert!(result.get(field).is_some(), "{field}");
    }
}

#[test]
fn bench_without_a_cycle_model_counts_instructions() {
    let Some(runner) = runner() else { return };
    let sandbox = || {
        Sandbox::with_kws()
            .folder("runners")
            .file("runners/cortex-m-armv7em-uart.elf", &runner)
            .environment("EDGEPKG_RUNNERS", "runners")
    };
    let without = sandbox().run("bench kws.tflite --board qemu-cortex-m4");
    let expected = "  cycles         not modelled: for a Cortex-M4 that takes Linux, QEMU 7 or 8 and `cargo xtask runners`";
    assert!(without.contains(expected), "{without}");
    assert!(without.contains("  instructions   "), "{without}");
    // As with an emulator that takes no libraries of this version.
    let refused = sandbox().file("runners/cycle-plugin.so", b"not a library");
    assert_eq!(refused.run("bench kws.tflite --board qemu-cortex-m4"), without);
}

/// What stands for the runtime here is compiled and linked by the test `c`.
#[test]
fn a_model_as_c() {
    let sandbox = Sandbox::with_kws()
        .folder("runners")
        .file("runners/edgepkg.h", b"")
        .file("runners/libedgepkg-armv7em-thumbv7em-none-eabihf.a", b"")
        .environment("EDGEPKG_RUNNERS", "runners");
    sandbox.run("quantize kws.tflite --label-names labels.txt --name one-of-12-words -o kws.edgepkg");
    check!("emit_c", sandbox, "build kws.edgepkg --board qemu-cortex-m4 --emit c -o built");
    let text = |name: &str| String::from_utf8(sandbox.read(name)).expect("text");
    insta::assert_snapshot!("emit_c_header", text("built/one_of_12_words.h"));
    insta::assert_snapshot!("emit_c_rule", text("built/one_of_12_words.d"));
    let source = text("built/one_of_12_words.c");
    let is_array = |line: &&str| line.starts_with("    0x");
    let lines: Vec<&str> = source.lines().filter(|line| !is_array(line)).collect();
    insta::assert_snapshot!("emit_c_source", lines.join("\n"));
}
