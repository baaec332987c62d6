//! ONNX's messages. Field numbers are those of `onnx.proto`.

use super::protobuf::Message;

/// The oldest that opset 13 goes with.
const IR_VERSION: i64 = 7;
/// The first whose quantization may be per channel.
const OPSET_VERSION: i64 = 13;

/// Types of elements.
#[derive(Clone, Copy)]
pub(super) enum ElementType {
    Float = 1,
    Int8 = 3,
    Int32 = 6,
    Int64 = 7,
}

/// An attribute's value.
pub(super) enum Attribute {
    Float(f32),
    Int(i64),
    Ints(Vec<i64>),
}

/// A graph's parts.
#[derive(Default)]
pub(super) struct GraphParts {
    pub(super) name: String,
    pub(super) nodes: Vec<Message>,
    pub(super) initializers: Vec<Message>,
    pub(super) inputs: Vec<Message>,
    pub(super) outputs: Vec<Message>,
}

pub(super) fn model(graph: &GraphParts, description: &str) -> Vec<u8> {
    let mut opset = Message::default();
    opset.text(1, "");
    opset.int(2, OPSET_VERSION);
    let mut message = Message::default();
    message.int(1, IR_VERSION);
    message.text(2, env!("CARGO_PKG_NAME"));
    message.text(3, env!("CARGO_PKG_VERSION"));
    message.text(6, description);
    message.message(7, &graph_message(graph));
    message.message(8, &opset);
    message.into_bytes()
}

fn graph_message(graph: &GraphParts) -> Message {
    let mut message = Message::default();
    graph.nodes.iter().for_each(|node| message.message(1, node));
    message.text(2, if graph.name.is_empty() { "model" } else { &graph.name });
    graph.initializers.iter().for_each(|tensor| message.message(5, tensor));
    graph.inputs.iter().for_each(|input| message.message(11, input));
    graph.outputs.iter().for_each(|output| message.message(12, output));
    message
}

/// A node with one output. Inputs without a name are left out.
pub(super) fn node(
    operator: &str,
    name: &str,
    inputs: &[&str],
    output: &str,
    attributes: &[(&str, Attribute)],
) -> Message {
    let mut message = Message::default();
    inputs.iter().for_each(|input| message.text(1, input));
    message.text(2, output);
    message.text(3, name);
    message.text(4, operator);
    attributes.iter().for_each(|(name, value)| message.message(5, &attribute(name, value)));
    message
}

fn attribute(name: &str, value: &Attribute) -> Message {
    let mut message = Message::default();
    message.text(1, name);
    let kind = match value {
        Attribute::Float(value) => {
            message.float(2, *value);
            1
        }
        Attribute::Int(value) => {
            message.int(3, *value);
            2
        }
        Attribute::Ints(values) => {
            message.ints(8, values.iter().copied());
            7
        }
    };
    message.int(20, kind);
    message
}

/// A constant. `data`: little-endian.
pub(super) fn tensor(name: &str, shape: &[usize], element: ElementType, data: &[u8]) -> Message {
    let mut message = Message::default();
    message.ints(1, shape.iter().map(|&extent| extent as i64));
    message.int(2, element as i64);
    message.text(8, name);
    message.bytes(9, data);
    message
}

/// A float input or output of the graph.
pub(super) fn float_port(name: &str, shape: &[usize]) -> Message {
    let mut extents = Message::default();
    for &extent in shape {
        let mut dimension = Message::default();
        dimension.int(1, extent as i64);
        extents.message(1, &dimension);
    }
    let mut tensor = Message::default();
    tensor.int(1, ElementType::Float as i64);
    tensor.message(2, &extents);
    let mut kind = Message::default();
    kind.message(1, &tensor);
    let mut message = Message::default();
    message.text(1, name);
    message.message(2, &kind);
    message
}
