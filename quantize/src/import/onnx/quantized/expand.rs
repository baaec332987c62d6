//! Operators on integers, as the float operators between DequantizeLinear and QuantizeLinear that they mean.

use std::collections::HashSet;

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, NodeProto};

use super::super::operators;
use super::super::protobuf::{Model, check_sizes, node_error, node_name};
use crate::import::ImportError;

/// Writes every operator on integers in `model` as what it means.
///
/// # Errors
///
/// When one of them lacks operands, or has attributes that the float operator does not take.
pub(in super::super) fn expand(model: &mut Model) -> Result<(), ImportError> {
    let opset = model.opset;
    let Some(graph) = model.proto.graph.as_mut() else { return Ok(()) };
    let names = graph.initializer.iter().map(|tensor| &tensor.name);
    let names = names.chain(graph.input.iter().map(|input| &input.name));
    let names = names.chain(graph.node.iter().flat_map(|node| &node.output)).cloned().collect();
    let mut expansion = Expansion { opset, names, nodes: Vec::new() };
    for (index, node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
        let first = expansion.nodes.len();
        if expansion.expand(&node, index) {
            for part in &expansion.nodes[first..] {
                operators::check(part, index).map_err(|error| match error {
                    ImportError::Node { problem, .. } => node_error(&node, index, problem),
                    other => other,
                })?;
            }
        } else {
            expansion.nodes.push(node);
        }
    }
    graph.node = expansion.nodes;
    check_sizes(graph)
}

struct Expansion {
    /// The version of the model's operator set.
    opset: i64,
    /// Of all tensors.
    names: HashSet<String>,
    nodes: Vec<NodeProto>,
}

/// Where an operand's scale stands, whose zero point stands behind it.
#[derive(Clone, Copy)]
struct Operand {
    value: usize,
    scale: usize,
}

const X: Operand = Operand { value: 0, scale: 1 };

impl Expansion {
    /// Adds what `node` means; `false` where it is no operator on integers.
    fn expand(&mut self, node: &NodeProto, index: usize) -> bool {
        let second = Operand { value: 3, scale: 4 };
        match (&*node.domain, &*node.op_type) {
            ("com.microsoft", "QuantizeLinear" | "DequantizeLinear") => {
                self.nodes.push(NodeProto { domain: String::new(), ..node.clone() });
            }
            ("" | "ai.onnx", "QLinearConv") => {
                let mut inputs =
                    vec![self.dequantized(node, X, None), self.dequantized(node, second, Some(0))];
                if !operand(node, 8).is_empty() {
                    inputs.push(self.sum_dequantized(node, 8, None));
                }
                self.operator(node, index, "Conv", inputs, &[], Some(6));
            }
            ("" | "ai.onnx", "QLinearMatMul") => {
                let inputs =
                    vec![self.dequantized(node, X, Some(-2)), self.dequantized(node, second, Some(-1))];
                self.operator(node, index, "MatMul", inputs, &[], Some(6));
            }
            ("com.microsoft", "QGemm") => {
                let float = |name: &str| node.attribute.iter().find(|known| known.name == name);
                let outputs = if float("transB").is_some_and(|flag| flag.i == 1) { 0 } else { 1 };
                let mut inputs =
                    vec![self.dequantized(node, X, None), self.dequantized(node, second, Some(outputs))];
                if !operand(node, 6).is_empty() {
                    inputs.push(self.sum_dequantized(node, 6, float("alpha").map(|alpha| alpha.f)));
                }
                let rounded = !operand(node, 7).is_empty();
                self.operator(node, index, "Gemm", inputs, &[], rounded.then_some(7));
            }
            ("com.microsoft", "QLinearAdd" | "QLinearMul") => {
                let inputs = vec![self.dequantized(node, X, None), self.dequantized(node, second, None)];
                self.operator(node, index, &node.op_type["QLinear".len()..], inputs, &[], Some(6));
            }
            ("com.microsoft", "QLinearConcat") => {
                let operands = (2..node.input.len()).step_by(3);
                let inputs = operands
                    .map(|value| self.dequantized(node, Operand { value, scale: value + 1 }, None))
                    .collect();
                self.operator(node, index, "Concat", inputs, &[], Some(0));
            }
            (
                "com.microsoft",
                "QLinearAveragePool"
                | "QLinearGlobalAveragePool"
                | "QLinearLeakyRelu"
                | "QLinearSigmoid"
                | "QLinearSoftmax",
            ) if !is_channels_last(node) && self.means_the_same(node) => {
                let inputs = vec![self.dequantized(node, X, None)];
                let dropped = ["channels_last", "opset"];
                self.operator(node, index, &node.op_type["QLinear".len()..], inputs, &dropped, Some(3));
            }
            _ => return false,
        }
        true
    }

    /// Whether the float operator has the same meaning in the model's operator set as in the one that `node`
    /// names: softmax has another since 13.
    fn means_the_same(&self, node: &NodeProto) -> bool {
        let stated = node.attribute.iter().find(|attribute| attribute.name == "opset");
        stated.is_none_or(|stated| (stated.i < 13) == (self.opset < 13))
    }

    /// The float form of an operand.
    fn dequantized(&mut self, node: &NodeProto, of: Operand, axis: Option<i64>) -> String {
        let inputs = [of.value, of.scale, of.scale + 1].map(|position| operand(node, position).to_owned());
        self.part(node, "DequantizeLinear", inputs.into(), axis.map(|axis| int("axis", axis)))
    }

    /// The float form of integers that are added to the sums of products of the first two operands: their
    /// scale is `factor` times the product of both scales.
    fn sum_dequantized(&mut self, node: &NodeProto, position: usize, factor: Option<f32>) -> String {
        let scales = vec![operand(node, 1).to_owned(), operand(node, 4).to_owned()];
        let mut scale = self.part(node, "Mul", scales, None);
        if let Some(factor) = factor.filter(|&factor| factor != 1.0) {
            let value = AttributeProto {
                name: "value_float".into(),
                r#type: AttributeType::Float as i32,
                f: factor,
                ..AttributeProto::default()
            };
            let factor = self.part(node, "Constant", Vec::new(), Some(value));
            scale = self.part(node, "Mul", vec![scale, factor], None);
        }
        let inputs = vec![operand(node, position).to_owned(), scale];
        self.part(node, "DequantizeLinear", inputs, Some(int("axis", 0)))
    }

    /// The float operator that `node` means, rounded to the scale at `scale`.
    fn operator(
        &mut self,
        node: &NodeProto,
        index: usize,
        op_type: &str,
        inputs: Vec<String>,
        dropped: &[&str],
        scale: Option<usize>,
    ) {
        let result = node.output.first().cloned().unwrap_or_default();
        let output = if scale.is_some() { self.name(&result, "float") } else { result.clone() };
        self.nodes.push(NodeProto {
            name: node_name(node, index),
            op_type: op_type.into(),
            domain: String::new(),
            input: inputs,
            output: vec![output.clone()],
            attribute: node
                .attribute
                .iter()
                .filter(|known| !dropped.contains(&&*known.name))
                .cloned()
                .collect(),
            ..NodeProto::default()
        });
        if let Some(scale) = scale {
            let parameters = [scale, scale + 1].map(|position| operand(node, position).to_owned());
            self.nodes.push(NodeProto {
                op_type: "QuantizeLinear".into(),
                input: [output].into_iter().chain(parameters).collect(),
                output: vec![result],
                ..NodeProto::default()
            });
        }
    }

    /// One of the operators that `node` becomes; what it writes.
    fn part(
        &mut self,
        node: &NodeProto,
        op_type: &str,
        mut inputs: Vec<String>,
        attribute: Option<AttributeProto>,
    ) -> String {
        let result = node.output.first().map_or("", |output| &**output);
        let output = self.name(result, &op_type.to_lowercase());
        if inputs.last().is_some_and(String::is_empty) {
            inputs.pop();
        }
        self.nodes.push(NodeProto {
            op_type: op_type.into(),
            input: inputs,
            output: vec![output.clone()],
            attribute: attribute.into_iter().collect(),
            ..NodeProto::default()
        });
        output
    }

    /// A name that no tensor has.
    fn name(&mut self, of: &str, part: &str) -> String {
        let mut name = format!("{of}/{part}");
        let mut count = 2;
        while !self.names.insert(name.clone()) {
            name = format!("{of}/{part}_{count}");
            count += 1;
        }
        name
    }
}

/// The name of an operand; empty where it is left out.
fn operand(node: &NodeProto, position: usize) -> &str {
    node.input.get(position).map_or("", |name| &**name)
}

fn is_channels_last(node: &NodeProto) -> bool {
    node.attribute.iter().any(|attribute| attribute.name == "channels_last" && attribute.i != 0)
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Int as i32,
        i: value,
        ..AttributeProto::default()
    }
}
