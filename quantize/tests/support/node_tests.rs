//! ONNX's conformance tests of single operators, as the zoo keeps them.

use std::path::Path;

use prost::Message;
use tract_onnx::data_resolver::MmapDataResolver;
use tract_onnx::pb::{ModelProto, TensorProto};
use tract_onnx::prelude::Tensor;
use tract_onnx::tensor::load_tensor;

/// One test: a model of one operator, every input but the first made a constant, as in models.
pub struct NodeTest {
    /// Its folder.
    pub name: String,
    /// The operator.
    pub operator: String,
    /// The model's file.
    pub model: Vec<u8>,
    /// The first input.
    pub input: Option<TensorProto>,
    /// What the model must give.
    pub outputs: Vec<TensorProto>,
}

/// All tests in `zoo`, by name.
pub fn load_all(zoo: &Path) -> Vec<NodeTest> {
    let folders = std::fs::read_dir(zoo.join("onnx_node_tests")).expect("the tests are there");
    let mut folders: Vec<_> = folders.map(|folder| folder.expect("it can be listed").path()).collect();
    folders.sort();
    folders.iter().filter_map(|folder| load(folder)).collect()
}

fn load(folder: &Path) -> Option<NodeTest> {
    let file = std::fs::read(folder.join("model.onnx")).ok()?;
    let mut model = ModelProto::decode(&*file).expect("it is protobuf");
    let graph = model.graph.as_mut().expect("it has a graph");
    for (index, input) in graph.input.iter().enumerate().skip(1) {
        let Some(mut constant) = stored(folder, &format!("input_{index}.pb")) else { continue };
        constant.name.clone_from(&input.name);
        graph.initializer.push(constant);
    }
    let operator = graph.node[0].op_type.clone();
    if operator != "Split" {
        graph.output.truncate(1);
    }
    let outputs = (0..graph.output.len()).map_while(|index| stored(folder, &format!("output_{index}.pb")));
    Some(NodeTest {
        name: folder.file_name().expect("it has a name").to_string_lossy().into_owned(),
        operator,
        outputs: outputs.collect(),
        input: stored(folder, "input_0.pb"),
        model: model.encode_to_vec(),
    })
}

fn stored(folder: &Path, what: &str) -> Option<TensorProto> {
    let bytes = std::fs::read(folder.join("test_data_set_0").join(what)).ok()?;
    TensorProto::decode(&*bytes).ok()
}

/// A tensor's elements as floats.
pub fn floats(tensor: &TensorProto) -> Vec<f32> {
    let tensor: Tensor = load_tensor(&MmapDataResolver, tensor, None).expect("a stored tensor is sound");
    let tensor = tensor.cast_to::<f32>().expect("it is of numbers");
    tensor.to_plain_array_view::<f32>().expect("it is of floats").iter().copied().collect()
}
