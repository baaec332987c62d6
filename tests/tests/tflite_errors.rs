//! What is said of TensorFlow Lite files that cannot be read.

use std::fs;
use std::path::Path;

use edgepkg_quantize::import::{ImportError, tflite};
use edgepkg_tests::tflm_ops::{self, Cases};

fn message(bytes: &[u8]) -> String {
    tflite::read(bytes).expect_err("a file that cannot be read").to_string()
}

fn keyword_spotting() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws/reference_int8.tflite");
    fs::read(path).expect("the model is part of the repository")
}

fn operator(path: &str) -> Vec<u8> {
    let cases = Cases::load();
    let case = cases.cases.iter().find(|case| case.path == path).expect("a case of this name");
    cases.model(case).to_vec()
}

#[test]
fn not_a_model() {
    insta::assert_snapshot!(
        message(b"not a model"),
        @"not a readable TensorFlow Lite file: it does not have the identifier TFL3"
    );
    insta::assert_snapshot!(
        message(b""),
        @"not a readable TensorFlow Lite file: it does not have the identifier TFL3"
    );
}

#[test]
fn cut_short() {
    let model = keyword_spotting();
    insta::assert_snapshot!(message(&model[..model.len() / 2]), @"not a readable TensorFlow Lite file: it refers to byte 53808 and has 26968: it is cut short or damaged");
}

#[test]
fn unsupported_operators() {
    let unsupported = tflm_ops::with_unsupported_operator();
    insta::assert_snapshot!(message(&unsupported), @r"
    1 operator is not supported:
      DYNAMIC_UPDATE_SLICE `output` [8], [] -> [8], version 1
    ");
}

#[test]
fn floats_made_of_integers() {
    let model = operator("ADD/rand0");
    let with_a_float_tensor = |&at: &usize| {
        let mut model = model.clone();
        model[at] = 0;
        matches!(tflite::read(&model), Err(ImportError::TensorType { .. }))
    };
    let mut is_int8 = (0..model.len()).filter(|&at| model[at] == 9);
    let mut float = model.clone();
    float[is_int8.find(with_a_float_tensor).expect("a tensor's type")] = 0;
    insta::assert_snapshot!(message(&float), @"tensor `input0` has type int8; what a float model computes must be float32");
}
