//! From an ONNX file: quantizing, and what can be wrong with the file and its samples.

use edgepkg_quantize::tensor_file::{self, TensorFile, Values};
use std::path::Path;

use crate::check;
use crate::sandbox::Sandbox;
use edgepkg_tests::onnx_file::{Dim, chain};

/// The shipped float model with some of its samples, `calib.npy`, `x.npy` and `y.npy`.
fn with_kws() -> Sandbox {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws");
    let samples = |file: &str, count: usize| {
        let published = tensor_file::read(&data.join(file)).expect("the repository has it");
        let sample: usize = published.shape[1..].iter().product();
        let values = published.to_f32()[..count * sample].iter().map(|q| (q - 83.0) * 0.584_702_9).collect();
        TensorFile::from_f32([&[count], &published.shape[1..]].concat(), values).to_bytes()
    };
    let labels = tensor_file::read(&data.join("test_y.npy")).expect("the repository has it").to_f32();
    Sandbox::with_kws()
        .file("kws.onnx", &std::fs::read(data.join("model.onnx")).expect("the repository has it"))
        .file("calib.npy", &samples("calib_x_i8.npy", 16))
        .file("x.npy", &samples("test_x_i8.npy", 40))
        .file("y.npy", &TensorFile::from_f32(vec![40], labels[..40].to_vec()).to_bytes())
}

#[test]
fn quantize_an_onnx_file() {
    check!(
        "quantize_onnx",
        with_kws(),
        "quantize kws.onnx --calibration calib.npy --test x.npy --labels y.npy --label-names labels.txt -o kws.edgepkg
         inspect kws.edgepkg
         test kws.edgepkg
         run kws.edgepkg --input x.npy
         quantize kws.onnx --calibration calib.npy --calibrator percentile -o percentile.edgepkg"
    );
}

#[test]
fn calibration_that_does_not_fit() {
    let sandbox = with_kws()
        .tensor("wide.npy", &[2, 40, 49], 0.0)
        .tensor("nan.npy", &[2, 49, 10, 1], f32::NAN)
        .tensor("none.npy", &[0, 49, 10, 1], 0.0);
    check!(
        "error_calibration",
        sandbox,
        "quantize kws.onnx -o kws.edgepkg
         quantize kws.onnx --calibration wide.npy -o kws.edgepkg
         quantize kws.onnx --calibration nan.npy -o kws.edgepkg
         quantize kws.onnx --calibration none.npy -o kws.edgepkg
         quantize kws.onnx --calibration absent.npy -o kws.edgepkg
         quantize kws.onnx --calibration calib.npy --test wide.npy -o kws.edgepkg
         quantize kws.onnx --calibration calib.npy --test x.npy --labels calib.npy -o kws.edgepkg
         run kws.onnx --input x.npy"
    );
}

#[test]
fn unsupported_operators_and_open_shapes() {
    let fixed = || [Dim::Fixed(1), Dim::Fixed(8)];
    let cut = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws/model.onnx"));
    let sandbox = Sandbox::new()
        .file("unsupported.onnx", &chain(&["Relu", "Shrink", "Tanh", "Hardmax"], &fixed()))
        .file("dynamic.onnx", &chain(&["Relu"], &[Dim::Open("batch"), Dim::Open("time"), Dim::Fixed(8)]))
        .file("cut.onnx", &cut.expect("the repository has it")[..20_000])
        .file("notes.onnx", b"hello");
    check!(
        "error_onnx",
        sandbox,
        "quantize unsupported.onnx -o x.edgepkg
         quantize dynamic.onnx -o x.edgepkg
         quantize cut.onnx -o x.edgepkg
         quantize notes.onnx -o x.edgepkg"
    );
}

#[test]
fn demo() {
    check!("demo", Sandbox::new(), "demo -o kws.edgepkg\ntest kws.edgepkg");
}

#[test]
fn state_that_is_none() {
    let model = include_bytes!("../../data/digits/streaming_gru/model.onnx");
    let sandbox = Sandbox::with_kws()
        .file("gru.onnx", model)
        .file("row.npy", include_bytes!("../../data/digits/streaming_gru/calibration_row.npy"));
    check!(
        "error_state",
        sandbox,
        "quantize gru.onnx --calibration row.npy --state h=h_out -o x.edgepkg
         quantize gru.onnx --calibration row.npy --state h_in=scores -o x.edgepkg
         quantize gru.onnx --calibration row.npy --state h_in=h_out --initial h=row.npy -o x.edgepkg
         quantize gru.onnx --calibration row.npy --state h_in=h_out --initial h_in=row.npy -o x.edgepkg
         quantize gru.onnx --calibration row.npy --state h_in -o x.edgepkg
         quantize gru.onnx --calibration row.npy --reset-every 8 -o x.edgepkg
         quantize kws.tflite --state a=b -o x.edgepkg"
    );
}

#[test]
fn indices_as_inputs() {
    let file = |name: &str| {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits/recommender");
        std::fs::read(data.join(name)).expect("the repository has it")
    };
    let integers = |shape: &[usize], values: &[i64]| {
        TensorFile { shape: shape.to_vec(), values: Values::Int64(values.to_vec()) }.to_bytes()
    };
    let within: Vec<i64> = (0..128).collect();
    let beyond: Vec<i64> = within.iter().map(|index| if *index == 70 { 256 } else { *index }).collect();
    let sandbox = Sandbox::new()
        .file("model.onnx", &file("model.onnx"))
        .file("history.npy", &file("calibration_history.npy"))
        .file("candidate.npy", &file("calibration_candidate.npy"))
        .file("within.npy", &integers(&[2, 64], &within))
        .file("beyond.npy", &integers(&[2, 64], &beyond))
        .file("digits.npy", &integers(&[2, 1], &[3, 9]))
        .tensor("half.npy", &[2, 1], 0.5);
    check!(
        "indices",
        sandbox,
        "inspect model.onnx
         quantize model.onnx --calibration history.npy --calibration candidate.npy -o model.edgepkg
         run model.edgepkg --input within.npy --input digits.npy
         run model.edgepkg --input within.npy --input digits.npy --raw
         run model.edgepkg --input beyond.npy --input digits.npy
         run model.edgepkg --input within.npy --input half.npy
         run model.edgepkg --input within.npy --input half.npy --raw
         test model.edgepkg
         quantize model.onnx --calibration beyond.npy --calibration digits.npy -o model.edgepkg
         build model.edgepkg --board host -o out
         run out/model.epa --input beyond.npy --input digits.npy"
    );
}
