//! Every error a user can make, and the way out it names.

use edgepkg_format::ArtifactError;
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_quantize::export::ExportError;
use edgepkg_quantize::graph::QuantizedGraph;
use edgepkg_quantize::package::{Manifest, Package, PackageName, TestVectors, Version};
use edgepkg_quantize::report::Report;
use edgepkg_tests::random_graphs;

use crate::check;
use crate::sandbox::{Sandbox, runner};

#[test]
fn no_such_file() {
    check!(
        "error_no_such_file",
        Sandbox::with_kws(),
        "quantize absent.tflite -o x.edgepkg
         run absent.edgepkg --input x_i8.npy
         run kws.tflite --input absent.npy
         inspect absent"
    );
}

#[test]
fn not_a_model() {
    let sandbox = Sandbox::new()
        .file("notes.txt", b"hello")
        .file("notes.tflite", b"hello")
        .file("notes.edgepkg", b"hello")
        .file("notes.epa", b"hello")
        .file("x.npy", b"hello");
    check!(
        "error_not_a_model",
        sandbox,
        "quantize notes.txt -o x.edgepkg
         quantize notes.tflite -o x.edgepkg
         inspect notes.txt
         inspect notes.edgepkg
         inspect notes.epa"
    );
}

#[test]
fn cut_short() {
    let sandbox = Sandbox::with_kws();
    sandbox.run("quantize kws.tflite -o kws.edgepkg\nbuild kws.edgepkg -o built");
    let cut = |name: &str| sandbox.read(name)[..20_000].to_vec();
    let (model, package, artifact) = (cut("kws.tflite"), cut("kws.edgepkg"), cut("built/kws.epa"));
    let sandbox = sandbox.file("cut.tflite", &model).file("cut.edgepkg", &package).file("cut.epa", &artifact);
    check!(
        "error_cut_short",
        sandbox,
        "quantize cut.tflite -o x.edgepkg\ninspect cut.edgepkg\nrun cut.epa --input x_i8.npy"
    );
}

#[test]
fn a_bit_flipped() {
    let sandbox = Sandbox::with_kws();
    sandbox.run("quantize kws.tflite -o kws.edgepkg\nbuild kws.edgepkg -o built");
    let flipped = |name: &str| {
        let mut bytes = sandbox.read(name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    let (package, artifact) = (flipped("kws.edgepkg"), flipped("built/kws.epa"));
    let sandbox = sandbox.file("flipped.edgepkg", &package).file("flipped.epa", &artifact);
    check!(
        "error_bit_flipped",
        sandbox,
        "inspect flipped.edgepkg\ninspect flipped.epa\nrun flipped.epa --input x_i8.npy"
    );
}

#[test]
fn another_instruction_set() {
    let sandbox = Sandbox::with_kws();
    sandbox.run("build kws.tflite -o built");
    check!(
        "error_another_isa",
        sandbox,
        "run built/kws.epa --board qemu-cortex-m4 --input x_i8.npy --raw
         test built/kws.epa --board rpi --emulate
         test built/kws.epa"
    );
}

#[test]
fn a_misaligned_artifact() {
    let sandbox = Sandbox::with_kws();
    sandbox.run("build kws.tflite -o built");
    let shifted = [&[0][..], &sandbox.read("built/kws.epa")].concat();
    let bytes = AlignedBytes::from(&shifted[..]);
    let error = edgepkg_runtime::Model::parse(&bytes[1..]).expect_err("it starts at an odd address");
    assert_eq!(error, ArtifactError::Misaligned.into());
    assert_eq!(error.to_string(), "the artifact does not start at a multiple of 16");
}

#[test]
fn an_unknown_board() {
    check!(
        "error_unknown_board",
        Sandbox::with_kws(),
        "test kws.tflite --board qemu-cortexm4
         test kws.tflite --board rpi5
         test kws.tflite --board zzz
         test kws.tflite --board absent.toml"
    );
}

#[test]
fn inputs_that_do_not_fit() {
    let sandbox = Sandbox::with_kws()
        .tensor("wide.npy", &[2, 40, 49], 0.0)
        .tensor("nan.npy", &[2, 49, 10, 1], f32::NAN)
        .tensor("good.npy", &[2, 49, 10, 1], 0.0)
        .file("text.npy", b"hello");
    check!(
        "error_inputs",
        sandbox,
        "run kws.tflite --input wide.npy
         run kws.tflite --input nan.npy
         run kws.tflite --input text.npy
         run kws.tflite --input good.npy --raw
         run kws.tflite --input good.npy --input good.npy
         run kws.tflite --input good.npy --output a.npy --output b.npy
         run kws.tflite --input good.npy --output absent/y.npy"
    );
}

#[test]
fn arguments() {
    let sandbox = Sandbox::with_kws().tensor("y.npy", &[2], 0.5);
    check!(
        "error_arguments",
        sandbox,
        "frobnicate
         run kws.tflite
         quantize kws.tflite --name Bad/Name
         quantize kws.tflite --version 1.2
         quantize kws.tflite --labels y.npy
         quantize kws.tflite --head nowhere
         quantize kws.tflite --test x_i8.npy --labels y.npy"
    );
}

/// A pool whose padding is that of no TensorFlow Lite file.
#[test]
fn what_cannot_be_exported() {
    let of_no_file = |graph: &QuantizedGraph| {
        let written = edgepkg_quantize::export::tflite::write(graph, "");
        matches!(written, Err(ExportError::Node { .. }))
    };
    let graph = (0..).map(|seed| random_graphs::graph("average_pool", seed)).find(of_no_file);
    let graph = graph.expect("there are such pools");
    let name = PackageName::nearest("pool");
    let manifest = Manifest::of(&graph, name, Version::initial(), Vec::new());
    let (report, vectors) = (Report::of_int8_file(&graph, Vec::new()), TestVectors::default());
    let package = Package { manifest, graph, vectors, report, source: None };
    let sandbox = Sandbox::with_kws();
    package.write(&sandbox.path("pool.edgepkg")).expect("the folder is ours");
    sandbox.run("build kws.tflite -o built");
    check!(
        "error_export",
        sandbox,
        "export pool.edgepkg --format tflite -o pool.tflite
         export pool.edgepkg --format onnx-qdq -o pool.onnx
         export kws.tflite --format tflite -o absent/kws.tflite
         export kws.tflite --format pytorch -o kws.pt
         export built/kws.epa --format tflite -o kws.tflite"
    );
}

#[test]
fn hardware_out_of_reach() {
    check!(
        "error_hardware",
        Sandbox::with_kws().folder("boot"),
        "run kws.tflite --board rpi --input x_i8.npy
         flash kws.tflite --board rpi
         flash kws.tflite --board qemu-cortex-m4 --boot-dir boot"
    );
}

#[test]
fn expected_outputs() {
    check!(
        "error_expect",
        Sandbox::with_kws(),
        "quantize kws.tflite -o kws.edgepkg
         test kws.edgepkg --expect x_i8.npy
         test kws.edgepkg --raw --input x_i8.npy --expect x_i8.npy
         test kws.edgepkg --raw --input x_i8.npy --expect x_i8.npy --expect x_i8.npy"
    );
}

#[test]
fn no_emulator_installed() {
    let Some(runner) = runner() else { return };
    let sandbox = Sandbox::with_kws()
        .folder("bin")
        .folder("runners")
        .file("runners/qemu-cortex-m4.elf", &runner)
        .environment("EDGEPKG_RUNNERS", "runners")
        .environment("PATH", "bin");
    check!("error_no_emulator", sandbox, "test kws.tflite --board qemu-cortex-m4");
}

#[test]
fn no_runner_built() {
    let sandbox = Sandbox::with_kws().folder("runners").environment("EDGEPKG_RUNNERS", "runners");
    check!("error_no_runner", sandbox, "test kws.tflite --board qemu-cortex-m4");
}

#[test]
fn no_minimal_image() {
    let sandbox = Sandbox::with_kws().folder("elsewhere").environment("EDGEPKG_SOURCES", "elsewhere");
    check!(
        "error_embed",
        sandbox,
        "build kws.tflite --embed -o built
         build kws.tflite --board rpi --embed -o built
         build kws.tflite --board qemu-cortex-m4 --embed -o built"
    );
}

#[test]
fn no_library_for_c() {
    let sandbox = Sandbox::with_kws().folder("runners").environment("EDGEPKG_RUNNERS", "runners");
    check!(
        "error_emit_c",
        sandbox,
        "build kws.tflite --emit c -o built
         build kws.tflite --board qemu-cortex-m4 --emit c -o built
         build kws.tflite --board qemu-cortex-m4 --emit c --embed -o built
         build kws.tflite --board qemu-cortex-m4 --emit pascal -o built"
    );
}

#[test]
fn a_model_too_large_for_the_board() {
    let Some(runner) = runner() else { return };
    let board = include_str!("../../../boards/qemu-cortex-m4.toml");
    let board = |name: &str, slot: &str, ram: &str| {
        board
            .replace("qemu-cortex-m4", name)
            .replace("length = \"3584 KiB\"", &format!("length = \"{slot}\""))
            .replace("length = \"4 MiB\"", &format!("length = \"{ram}\""))
    };
    let sandbox = Sandbox::with_kws()
        .file("little-flash.toml", board("little-flash", "16 KiB", "4 MiB").as_bytes())
        .file("little-ram.toml", board("little-ram", "3584 KiB", "16 KiB").as_bytes())
        .folder("runners")
        .file("runners/cortex-m-armv7em-uart.elf", &runner)
        .environment("EDGEPKG_RUNNERS", "runners");
    check!(
        "error_too_large",
        sandbox,
        "build kws.tflite --board little-flash.toml -o built
         flash kws.tflite --board little-ram.toml
         test kws.tflite --board little-flash.toml"
    );
}

/// A runner of another length than the real one, which changes with every compiler.
fn with_rpi_runner() -> Option<Sandbox> {
    let board = edgepkg_boards::Board::find("rpi").expect("it is shipped");
    let image = match edgepkg::runners::find(&board) {
        Ok(image) => image,
        Err(error) => {
            println!("skipped: {error}; {}", error.hint().unwrap_or_default());
            return None;
        }
    };
    let sandbox = Sandbox::with_kws()
        .folder("runners")
        .file("runners/rpi.elf", &image.elf)
        .file("runners/rpi.img", &image.loaded)
        .environment("EDGEPKG_RUNNERS", "runners");
    Some(sandbox)
}

#[test]
fn boot_folders_that_cannot_be_written() {
    let Some(sandbox) = with_rpi_runner() else { return };
    check!(
        "error_boot_folder",
        sandbox.folder("card"),
        "flash kws.tflite --board rpi --boot-dir absent
         flash kws.tflite --board rpi --boot-dir kws.tflite"
    );
}

#[test]
#[cfg(unix)]
fn a_boot_folder_of_somebody_else() {
    let Some(sandbox) = with_rpi_runner() else { return };
    check!(
        "error_boot_folder_not_writable",
        sandbox.folder("card").with_nobodys_rights(),
        "flash kws.tflite --board rpi --boot-dir card"
    );
}

/// The limit on the size of files stands in for a full card: it needs no rights.
#[test]
#[cfg(unix)]
fn a_full_boot_folder() {
    let Some(sandbox) = with_rpi_runner() else { return };
    let command = "flash kws.tflite --board rpi --boot-dir card";
    let shown = sandbox.folder("card").with_files_up_to_8_kib().run(command);
    // How many bytes are needed changes with the compiler of the runner.
    assert!(
        shown.starts_with(&format!("$ edgepkg {command}\n? 1\nerror: the boot folder `card` is full: ")),
        "{shown}"
    );
    assert!(shown.contains(" bytes are needed to write kernel8.img, model.epa and config.txt, "), "{shown}");
    assert!(
        shown.ends_with("\n\nhint: remove files that are not needed from the boot partition\n\n"),
        "{shown}"
    );
}

#[test]
fn places_that_are_not_there() {
    let Some(runner) = runner() else { return };
    let sandbox = Sandbox::with_kws()
        .folder("runners")
        .file("runners/cortex-m-armv7em-uart.elf", &runner)
        .environment("EDGEPKG_RUNNERS", "runners")
        .folder("drive");
    check!(
        "error_elsewhere",
        sandbox,
        "flash kws.tflite --board rpi-linux
         flash kws.tflite --board rpi-linux --host pi;reboot
         flash kws.tflite --board qemu-cortex-m4 --host pi
         run kws.tflite --input x_i8.npy --raw --host pi
         run kws.tflite --input x_i8.npy --raw --serial absent
         run kws.tflite --input x_i8.npy --raw --board qemu-cortex-m4 --serial absent
         run kws.tflite --input x_i8.npy --raw --board qemu-cortex-m4 --tcp 127.0.0.1:1
         flash kws.tflite --board qemu-cortex-m4 --uf2-dir drive"
    );
}
