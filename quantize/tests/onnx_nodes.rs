//! ONNX's own conformance tests of single operators, as far as the operators are read. Every input but
//! the first is made a constant, as in models.

#![cfg(feature = "onnx")]

mod support;

use std::collections::BTreeMap;

use edgepkg_quantize::simplify::simplify;
use prost::Message;
use tract_onnx::data_resolver::MmapDataResolver;
use tract_onnx::pb::{ModelProto, TensorProto};
use tract_onnx::prelude::Tensor;
use tract_onnx::tensor::load_tensor;

/// The least number of tests that must be read and pass.
const LEAST_COMPARED: usize = 100;

fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    let tensor: Tensor = load_tensor(&MmapDataResolver, tensor, None).ok()?;
    Some(tensor.to_plain_array_view::<f32>().ok()?.iter().copied().collect())
}

#[test]
fn conformance_tests_give_the_outputs_stored() {
    let Some(zoo) = support::zoo() else { return };
    let mut refused: BTreeMap<String, String> = BTreeMap::new();
    let mut compared = 0;
    for folder in std::fs::read_dir(zoo.join("onnx_node_tests")).expect("the tests are there") {
        let folder = folder.expect("it can be listed").path();
        let Ok(file) = std::fs::read(folder.join("model.onnx")) else { continue };
        let name = folder.file_name().expect("it has a name").to_string_lossy().into_owned();
        let stored = |what: &str| {
            let bytes = std::fs::read(folder.join("test_data_set_0").join(what)).ok()?;
            TensorProto::decode(&*bytes).ok()
        };
        let mut model = ModelProto::decode(&*file).expect("it is protobuf");
        let graph = model.graph.as_mut().expect("it has a graph");
        for (index, input) in graph.input.iter().enumerate().skip(1) {
            let Some(mut constant) = stored(&format!("input_{index}.pb")) else { continue };
            constant.name.clone_from(&input.name);
            graph.initializer.push(constant);
        }
        graph.output.truncate(1);
        let imported = match support::read_onnx(&model.encode_to_vec()) {
            Ok(graph) => graph,
            Err(error) => {
                assert!(!error.to_string().contains("contradict each other"), "{name}: a panic");
                refused.insert(name, error.to_string());
                continue;
            }
        };
        let input = stored("input_0.pb").and_then(|input| floats(&input)).expect("a float input");
        let expected = stored("output_0.pb").and_then(|output| floats(&output)).expect("a float output");
        for (graph, stage) in [(&imported, "imported"), (&simplify(imported.clone()), "simplified")] {
            let found = support::interpret(graph, std::slice::from_ref(&input));
            support::assert_close(&found[0], &expected, 1e-5, &format!("{name}, {stage}"));
        }
        compared += 1;
    }
    for (name, error) in &refused {
        eprintln!("{name}: {error}");
    }
    eprintln!("{compared} compared, {} refused", refused.len());
    assert!(compared >= LEAST_COMPARED, "only {compared} were read");
}
