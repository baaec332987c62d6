use std::sync::Arc;

use crate::graph::{Activation, Node, Op, Quantization, QuantizedTensor, Rounding, TensorId};
use crate::report::{self, Accuracy, Calibration, LayerReport};
use edgepkg_format::DType;

use super::*;

const GOLDEN: &[u8] = include_bytes!("golden/v1.edgepkg");

fn path() -> &'static Path {
    Path::new("tiny.edgepkg")
}

/// Two dense layers, the second of which is the head.
fn tiny() -> Package {
    let tensor = |name: &str, shape: &[usize], dtype, scale, data: Option<Vec<u8>>| QuantizedTensor {
        name: name.into(),
        shape: shape.to_vec(),
        dtype,
        quantization: Quantization::per_tensor(scale, 0),
        data: data.map(Arc::from),
    };
    let dense = |name: &str, inputs: [usize; 3], output: usize| Node {
        name: name.into(),
        op: Op::FullyConnected { activation: Activation::NONE },
        inputs: inputs.map(TensorId).to_vec(),
        outputs: vec![TensorId(output)],
    };
    let graph = QuantizedGraph {
        name: "tiny".into(),
        tensors: vec![
            tensor("x", &[1, 2], DType::Int8, 0.5, None),
            tensor("base/w", &[2, 2], DType::Int8, 0.25, Some(vec![1, 2, 3, 0xfc])),
            tensor("base/b", &[2], DType::Int32, 0.125, Some(vec![5, 0, 0, 0, 6, 0, 0, 0])),
            tensor("hidden", &[1, 2], DType::Int8, 0.5, None),
            tensor("head/w", &[2, 2], DType::Int8, 0.25, Some(vec![7, 8, 9, 10])),
            tensor("head/b", &[2], DType::Int32, 0.125, Some(vec![11, 0, 0, 0, 12, 0, 0, 0])),
            tensor("y", &[1, 2], DType::Int8, 1.0, None),
        ],
        nodes: vec![dense("base", [0, 1, 2], 3), dense("head", [3, 4, 5], 6)],
        inputs: vec![TensorId(0)],
        outputs: vec![TensorId(6)],
        rounding: Rounding::Twice,
    };
    let (name, version) = ("tiny".parse().unwrap(), "1.2.3".parse().unwrap());
    let labels = vec!["no".to_owned(), "yes".to_owned()];
    let manifest = Manifest { head: vec!["head".into()], ..Manifest::of(&graph, name, version, labels) };
    let layer = |name: &str, sqnr_db| LayerReport {
        name: name.into(),
        operator: "FullyConnected".into(),
        shape: vec![1, 2],
        macs: 4,
        weight_bytes: 12,
        sqnr_db,
        scale: 0.5,
        zero_point: 0,
    };
    Package {
        manifest,
        graph,
        vectors: TestVectors {
            vectors: vec![TestVector { inputs: vec![vec![1, 0xff]], outputs: vec![vec![3, 4]] }],
        },
        report: Report {
            schema_version: report::SCHEMA_VERSION,
            calibration: Some(Calibration { calibrator: "minmax".into(), samples: 2 }),
            accuracy: Some(Accuracy { float: Some(0.75), int8: 0.5, samples: 4 }),
            top_1_agreement: Some(0.5),
            sqnr_db: Some(31.5),
            notes: Vec::new(),
            layers: vec![layer("base", Some(40.25)), layer("head", None)],
        },
        source: Some(Source { file_name: "tiny.onnx".into(), bytes: vec![8, 1, 2] }),
    }
}

/// The bytes of a package never change. To look at a new schema's, run with `EDGEPKG_BLESS=1`.
#[test]
fn golden_package() {
    let bytes = tiny().to_bytes().unwrap();
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/package/golden/v1.edgepkg"), bytes).unwrap();
        return;
    }
    assert_eq!(bytes, GOLDEN);
    assert_eq!(Package::from_bytes(bytes, path()).unwrap(), tiny());
}

#[test]
fn packages_on_one_base_share_its_blob() {
    let mut other = tiny();
    other.graph.tensors[4].data = Some(vec![1, 1, 1, 1].into());
    let blobs = |package: &Package| {
        let layout = Layout::from_tar(package.to_bytes().unwrap(), path()).unwrap();
        let layers = layout.manifest().unwrap().layers().clone();
        let weights = layers.into_iter().filter(|layer| layer.media_type().as_ref() == media_type::WEIGHTS);
        weights.map(|layer| layer.digest().to_string()).collect::<Vec<_>>()
    };
    let (one, two) = (blobs(&tiny()), blobs(&other));
    assert_eq!((one.len(), two.len()), (2, 2));
    assert_eq!(one[0], two[0]);
    assert_ne!(one[1], two[1]);
}

/// Whatever byte changes, reading gives an error or the very same package.
#[test]
fn changed_bytes_are_noticed() {
    let tiny = tiny();
    let mut noticed = 0;
    for at in 0..GOLDEN.len() {
        let mut bytes = GOLDEN.to_vec();
        bytes[at] ^= 1 << (at % 8);
        match Package::from_bytes(bytes, path()) {
            Ok(package) => assert_eq!(package, tiny, "byte {at}"),
            Err(_) => noticed += 1,
        }
    }
    assert!(noticed > 5000, "{noticed}");
}

#[test]
fn a_package_cut_short_is_refused() {
    for length in 0..GOLDEN.len() {
        assert!(Package::from_bytes(GOLDEN[..length].to_vec(), path()).is_err(), "{length} bytes");
    }
}

#[test]
fn a_changed_blob_is_named() {
    let weights = [7, 8, 9, 10, 11, 0, 0, 0];
    let at = GOLDEN.windows(weights.len()).position(|bytes| bytes == weights).unwrap();
    let mut bytes = GOLDEN.to_vec();
    bytes[at] = 99;
    let message = Package::from_bytes(bytes, path()).unwrap_err().to_string();
    assert!(message.starts_with("blob `weights/head.bin` of `tiny.edgepkg` has been changed: "), "{message}");
}

#[test]
fn a_folder_is_read_as_the_file_is() {
    let folder = tempfile::tempdir().unwrap();
    tar::Archive::new(GOLDEN).unpack(folder.path()).unwrap();
    assert_eq!(Package::read(folder.path()).unwrap(), tiny());
}

#[test]
fn other_files_are_refused() {
    let message = |bytes: &[u8]| Package::from_bytes(bytes.to_vec(), path()).unwrap_err().to_string();
    assert_eq!(message(b""), "`tiny.edgepkg` is not a readable package: it is not a tar file");
    assert_eq!(message(&[b'x'; 4096]), "`tiny.edgepkg` is not a readable package: it is not a tar file");
    let mut writer = LayoutWriter::default();
    writer.add_blob("text/plain", b"hello".to_vec());
    assert_eq!(message(&writer.into_tar()), "`tiny.edgepkg` lacks its blob `index.json`");
}
