//! Constants in files beside the model: only what lies in its folder is read, and only as it is said.

#![cfg(feature = "onnx")]

mod support;

use std::fs;
use std::path::Path;

use edgepkg_quantize::import::{ImportError, ImportOptions, Imported, onnx};
use support::onnx_file::{OnnxFile, float_tensor};
use tract_onnx::pb::StringStringEntryProto;

/// `x + constant`, the constant's values where `entries` say.
fn file(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut file = OnnxFile::new(13);
    file.input("x", &[1, 3]);
    let mut constant = float_tensor(&[3], vec![]);
    constant.data_location = Some(1);
    constant.external_data = entries
        .iter()
        .map(|&(key, value)| StringStringEntryProto { key: key.into(), value: value.into() })
        .collect();
    let constant = file.tensor(constant);
    let y = file.node("Add", &["x", &constant], vec![]);
    file.output(&y);
    file.bytes()
}

fn read(folder: Option<&Path>, entries: &[(&str, &str)]) -> Result<Imported, ImportError> {
    let options = ImportOptions { folder: folder.map(Path::to_owned), ..ImportOptions::default() };
    onnx::read(&file(entries), &options)
}

#[test]
fn values_come_from_the_models_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let values: Vec<u8> = [9.0f32, 1.0, -2.0, 3.5].iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::create_dir(folder.path().join("weights")).expect("it is ours");
    fs::write(folder.path().join("weights/a.bin"), &values).expect("it is ours");
    for location in ["weights/a.bin", "./weights/a.bin"] {
        let entries = [("location", location), ("offset", "4"), ("length", "12")];
        for entries in [&entries[..], &entries[..2]] {
            let graph =
                read(Some(folder.path()), entries).expect("it is there").into_float().expect("floats");
            let constant = graph.tensors.iter().find_map(|tensor| tensor.data.as_deref());
            assert_eq!(constant, Some(&[1.0, -2.0, 3.5][..]));
        }
    }
}

#[test]
fn what_lies_elsewhere_or_is_too_short_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("model");
    fs::create_dir(&model).expect("it is ours");
    fs::write(folder.path().join("outside.bin"), [0; 12]).expect("it is ours");
    fs::write(model.join("a.bin"), [0; 12]).expect("it is ours");
    #[cfg(unix)]
    std::os::unix::fs::symlink("../outside.bin", model.join("link.bin")).expect("it is ours");
    let absolute = folder.path().join("outside.bin").display().to_string();
    let refused = |entries: &[(&str, &str)], part: &str| {
        let message = read(Some(&model), entries).expect_err(part).to_string();
        assert!(message.contains(part), "{message}\ndoes not say {part}");
    };
    refused(&[], "which is not named");
    refused(&[("location", "../outside.bin")], "which is not inside the model's folder");
    refused(&[("location", "b/../../outside.bin")], "which is not inside the model's folder");
    refused(&[("location", &absolute)], "which is not inside the model's folder");
    refused(&[("location", "..\\outside.bin")], "which is not inside the model's folder");
    refused(&[("location", "")], "which is not inside the model's folder");
    #[cfg(unix)]
    refused(&[("location", "link.bin")], "which leads out of the model's folder");
    refused(&[("location", "absent.bin")], "which cannot be read");
    refused(&[("location", ".")], "which is no file");
    refused(&[("location", "a.bin"), ("length", "8")], "has 8 bytes in `a.bin`, where its shape says 12");
    refused(&[("location", "a.bin"), ("offset", "4")], "has 8 bytes in `a.bin`, where its shape says 12");
    let late = [("location", "a.bin"), ("offset", "4"), ("length", "12")];
    refused(&late, "lies at byte 4 of `a.bin`, 12 bytes long; the file has 12");
    let last = u64::MAX.to_string();
    refused(&[("location", "a.bin"), ("offset", &last), ("length", "12")], "the file has 12");
    refused(&[("location", "a.bin"), ("offset", "-4")], "`offset` that is no number");
    let message = read(None, &[("location", "a.bin")]).expect_err("no folder").to_string();
    assert!(message.contains("lies in another file"), "{message}");
}
