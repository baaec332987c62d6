//! The file as protobuf: whether its parts hang together.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};
use tract_onnx::prelude::Framework;

use super::inputs::{Input, inputs};
use super::{constants, external, operators, unreadable};
use crate::import::{ImportError, ImportOptions};

/// The operator sets that are read; what comes after the last is not known yet.
const OPSETS: std::ops::RangeInclusive<i64> = 1..=26;
/// The most nodes, and the most initializers: inference takes time that grows with their square.
const MAX_NODES: usize = 1 << 14;

/// A file whose names, types and sizes hang together.
pub(super) struct Model {
    /// As it was decoded.
    pub proto: ModelProto,
    /// The version of the operator set.
    pub opset: i64,
    /// Inputs that are no constants.
    pub inputs: Vec<Input>,
}

impl Model {
    /// Decodes and checks a file.
    pub fn parse(file: &[u8], options: &ImportOptions) -> Result<Self, ImportError> {
        let mut proto = tract_onnx::onnx()
            .proto_model_for_read(&mut std::io::Cursor::new(file))
            .map_err(|error| unreadable(format!("{:#}", error.root_cause())))?;
        let opset = opset(&proto);
        let graph = proto.graph.as_mut().ok_or_else(|| unreadable("it holds no graph"))?;
        let opset = opset?;
        check_sizes(graph)?;
        external::load(graph, options.folder.as_deref())?;
        constants::check_initializers(graph)?;
        let inputs = inputs(graph, options)?;
        check_names(graph)?;
        for (index, node) in graph.node.iter().enumerate() {
            operators::check(node, index)?;
        }
        Ok(Self { opset, inputs, proto })
    }

    /// The graph.
    pub fn graph(&self) -> &GraphProto {
        self.proto.graph.as_ref().expect("checked when it was parsed")
    }

    /// The initializers, which it does not keep.
    pub fn take_initializers(&mut self) -> Vec<TensorProto> {
        self.proto.graph.as_mut().map(|graph| std::mem::take(&mut graph.initializer)).unwrap_or_default()
    }

    /// The nodes, in the file's order.
    pub fn nodes(&self) -> &[NodeProto] {
        &self.graph().node
    }
}

/// What a node is called; its output's name, or its place, where the file gives it none.
pub(super) fn node_name(node: &NodeProto, index: usize) -> String {
    [&node.name]
        .into_iter()
        .chain(&node.output)
        .find(|name| !name.is_empty())
        .cloned()
        .unwrap_or_else(|| format!("{}_{index}", node.op_type))
}

/// A contradiction in one node.
pub(super) fn node_error(node: &NodeProto, index: usize, problem: impl Into<String>) -> ImportError {
    ImportError::Node {
        node: node_name(node, index),
        operator: node.op_type.clone(),
        problem: problem.into(),
    }
}

fn opset(proto: &ModelProto) -> Result<i64, ImportError> {
    let set = proto
        .opset_import
        .iter()
        .find(|set| matches!(&*set.domain, "" | "ai.onnx"))
        .ok_or_else(|| unreadable("it names no operator set"))?;
    if !OPSETS.contains(&set.version) {
        let (first, last) = (OPSETS.start(), OPSETS.end());
        return Err(unreadable(format!(
            "its operator set is version {}; versions {first} to {last} are read",
            set.version
        )));
    }
    Ok(set.version)
}

/// Checks how much there is.
pub(super) fn check_sizes(graph: &GraphProto) -> Result<(), ImportError> {
    for (count, what) in [(graph.node.len(), "nodes"), (graph.initializer.len(), "initializers")] {
        if count > MAX_NODES {
            return Err(unreadable(format!("it has {count} {what}; {MAX_NODES} are the most")));
        }
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(unreadable("it has sparse initializers, which are not read"));
    }
    Ok(())
}

/// Every name is written once, before it is read.
fn check_names(graph: &GraphProto) -> Result<(), ImportError> {
    let mut known: HashSet<&str> = graph.initializer.iter().map(|tensor| &*tensor.name).collect();
    let mut inputs = HashSet::new();
    for input in &graph.input {
        if input.name.is_empty() || !inputs.insert(&*input.name) {
            return Err(unreadable(format!("input `{}` is there twice, or has no name", input.name)));
        }
        known.insert(&input.name);
    }
    for (index, node) in graph.node.iter().enumerate() {
        if let Some(missing) = node.input.iter().find(|name| !name.is_empty() && !known.contains(&***name)) {
            let problem = format!("reads `{missing}`, which no earlier node writes");
            return Err(node_error(node, index, problem));
        }
        if node.output.iter().all(String::is_empty) {
            return Err(node_error(node, index, "has no output"));
        }
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if !known.insert(output) {
                return Err(node_error(node, index, format!("writes `{output}`, which is there already")));
            }
        }
    }
    if graph.output.is_empty() {
        return Err(unreadable("it has no outputs"));
    }
    let mut outputs = HashSet::new();
    for output in &graph.output {
        if !known.contains(&*output.name) {
            return Err(unreadable(format!("no node writes its output `{}`", output.name)));
        }
        if !outputs.insert(&*output.name) {
            return Err(unreadable(format!("output `{}` is there twice", output.name)));
        }
    }
    Ok(())
}
