//! What is imported, from whom, and within which limits.

use crate::check;
use crate::sandbox::Sandbox;
use edgepkg_tests::onnx_file::{Dim, chain, inputs_of_shapes};
use edgepkg_tests::tflite_reference::References;

/// The shipped float model, and one whose inputs are open.
fn models() -> Sandbox {
    let kws = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws/model.onnx");
    let open = || [Dim::Open("batch"), Dim::Open("time"), Dim::Fixed(8)];
    Sandbox::with_kws()
        .file("kws.onnx", &std::fs::read(kws).expect("the repository has it"))
        .file("open.onnx", &chain(&["Relu"], &open()))
        .file("two.onnx", &inputs_of_shapes(&[("left", &open()), ("right", &open())]))
        .tensor("x.npy", &[40, 1, 4, 8], 1.0)
        .tensor("pairs.npy", &[40, 2, 4, 8], 1.0)
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_takes_too_much_memory() {
    check!(
        "error_import_memory",
        models(),
        "inspect kws.tflite --import-memory 1
         quantize kws.onnx --import-memory 1"
    );
}

#[test]
fn shapes_that_the_user_gives() {
    check!(
        "quantize_shapes",
        models(),
        "quantize open.onnx --shape x=1,4,8 --calibration x.npy -o x.edgepkg
         quantize open.onnx --shape x=2,4,8 --calibration pairs.npy -o x.edgepkg
         quantize two.onnx --shape left=1,4,8 --calibration x.npy --calibration x.npy -o x.edgepkg"
    );
}

#[test]
fn shapes_that_do_not_fit() {
    check!(
        "error_shapes",
        models(),
        "quantize open.onnx --batch 2 -o x.edgepkg
         quantize two.onnx -o x.edgepkg
         quantize two.onnx --shape left=1,4,8 --shape right=1,5,8 -o x.edgepkg
         quantize open.onnx --shape x=1,4,9 -o x.edgepkg
         quantize open.onnx --shape x=4,8 -o x.edgepkg
         quantize open.onnx --shape y=1,4,8 -o x.edgepkg
         quantize open.onnx --shape x=1,0,8 -o x.edgepkg
         quantize open.onnx --shape 1,4,8 -o x.edgepkg
         quantize open.onnx --shape x=1,4,8 --shape x=1,5,8 -o x.edgepkg
         quantize open.onnx --shape x=1,4,8 --batch 2 -o x.edgepkg
         quantize kws.tflite --batch 2 -o x.edgepkg"
    );
}

#[test]
fn inspect_model_files() {
    let sandbox = models().file(
        "unsupported.onnx",
        &chain(&["Relu", "Det", "Tanh", "Hardmax"], &[Dim::Fixed(1), Dim::Fixed(8)]),
    );
    check!(
        "inspect_model_file",
        sandbox,
        "inspect kws.onnx
         inspect kws.tflite
         inspect two.onnx --shape left=1,4,8
         inspect two.onnx --shape left=1,4,8 --json
         inspect two.onnx
         inspect unsupported.onnx
         inspect unsupported.onnx --json"
    );
}

#[test]
fn what_is_noted_of_a_file() {
    let references = References::load();
    let sandbox = Sandbox::new()
        .file("hybrid.tflite", references.model("digits_cnn_int8_weights"))
        .file("uint8.tflite", references.model("hello_world_sine_uint8"))
        .tensor("x.npy", &[40, 8, 8, 1], 0.5);
    check!(
        "notes",
        sandbox,
        "inspect hybrid.tflite
         quantize hybrid.tflite --calibration x.npy -o hybrid.edgepkg
         inspect hybrid.edgepkg
         quantize uint8.tflite -o uint8.edgepkg"
    );
}

#[test]
fn what_a_file_says_of_itself() {
    let references = References::load();
    let sandbox = Sandbox::new().file("digits.tflite", references.model("labels_deflated"));
    check!(
        "description",
        sandbox,
        "quantize digits.tflite -o digits.edgepkg
         inspect digits.edgepkg"
    );
}
