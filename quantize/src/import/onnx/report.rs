//! The report of everything in a file that is not supported.

use std::collections::{BTreeMap, HashMap, HashSet};

use tract_onnx::pb::tensor_shape_proto::dimension::Value as Extent;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{NodeProto, ValueInfoProto};

use super::infer::Facts;
use super::operators;
use super::protobuf::{Model, node_name};
use super::quantized;
use crate::import::{ImportError, UnsupportedOperator};

/// Nodes that are not supported, by index, each with what about it is not; empty where it is the operator
/// itself.
pub(super) type Refused = BTreeMap<usize, String>;

/// The nodes whose operator is not there, or means something else in the file's operator set.
pub(super) fn unknown_operators(model: &Model) -> Refused {
    let nodes = model.nodes().iter().enumerate();
    nodes.filter_map(|(index, node)| Some((index, operators::refusal(node, model.opset)?))).collect()
}

/// The nodes that can be read without the refused ones.
pub(super) fn readable_nodes(model: &Model, refused: &Refused) -> Vec<NodeProto> {
    let mut unknown: HashSet<&str> = HashSet::new();
    let mut readable = Vec::new();
    for (index, node) in model.nodes().iter().enumerate() {
        if refused.contains_key(&index) || node.input.iter().any(|name| unknown.contains(&**name)) {
            unknown.extend(node.output.iter().map(|name| &**name));
        } else {
            readable.push(quantized::for_inference(node));
        }
    }
    readable
}

/// The error that names all of `refused`.
pub(super) fn error(model: &Model, refused: &Refused, facts: &Facts) -> ImportError {
    let declared: HashMap<&str, Vec<usize>> = model
        .graph()
        .value_info
        .iter()
        .chain(&model.graph().output)
        .filter_map(|info| Some((&*info.name, declared_shape(info)?)))
        .collect();
    let shapes = |names: &[String]| {
        let known = |name: &String| {
            let inferred = facts.get(name).map(|fact| fact.shape.clone());
            inferred.or_else(|| declared.get(&**name).cloned())
        };
        names.iter().filter(|name| !name.is_empty()).filter_map(known).collect()
    };
    let operators = refused.iter().map(|(&index, reason)| {
        let node = &model.nodes()[index];
        let domain = match &*node.domain {
            "" | "ai.onnx" => String::new(),
            domain => format!("{domain}."),
        };
        UnsupportedOperator {
            operator: format!("{domain}{}", node.op_type),
            node: node_name(node, index),
            inputs: shapes(&node.input),
            outputs: shapes(&node.output),
            version: operators::version(&model.proto, &node.domain),
            reason: reason.clone(),
        }
    });
    ImportError::UnsupportedOperators(operators.collect())
}

/// The shape the file states, where every extent is a number.
fn declared_shape(info: &ValueInfoProto) -> Option<Vec<usize>> {
    let Type::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()?;
    let extent = |value: &Option<Extent>| match value {
        Some(Extent::DimValue(extent)) => usize::try_from(*extent).ok(),
        _ => None,
    };
    tensor.shape.as_ref()?.dim.iter().map(|dim| extent(&dim.value)).collect()
}
