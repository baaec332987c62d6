//! TensorFlow Lite files whose tensors are int8, floats at the model's edge apart.
//!
//! The file's operators are the graph's. What the file gives in tensors of indices (axes, paddings,
//! shapes) is moved into the operators; paddings that the file only names are computed.

mod boundary;
mod flatbuffer;
mod names;
mod operator;
mod schema;
mod tensor;

use std::collections::HashMap;

use flatbuffers::InvalidFlatbuffer;

use self::boundary::Boundary;
use self::schema::{Model, Operator, OperatorCode, SubGraph};
use super::{ImportError, Imported, ImportedGraph, UnsupportedOperator};
use crate::graph::{Graph, Node, QuantizedGraph, TensorId};
use crate::tflite_schema::{ABSENT, Builtin, IDENTIFIER, VERSION};
use crate::validate::validate;

const FORMAT: &str = "TensorFlow Lite";

/// Reads a TensorFlow Lite file.
///
/// # Errors
///
/// When `bytes` are no such file, when it uses operators that are not there (all are named), when it
/// computes with floats or other types than int8, or when its graph is not sound.
pub fn read(bytes: &[u8]) -> Result<Imported, ImportError> {
    if bytes.get(4..8) != Some(IDENTIFIER.as_bytes()) {
        return Err(unreadable("it does not have the identifier TFL3"));
    }
    let model: Model<'_> = flatbuffer::root(bytes).map_err(|error| unreadable(damage(bytes, &error)))?;
    if model.version != VERSION {
        return Err(unreadable(format!("its schema version is {}, not {VERSION}", model.version)));
    }
    let Some(subgraph) = model.subgraphs.first() else {
        return Err(unreadable("it has no graph"));
    };
    let boundary = Boundary::of(&model, subgraph);
    let builtins = builtins(&model, subgraph, &boundary)?;
    let mut importer = Importer::new(bytes, &model, subgraph);
    for &input in &subgraph.inputs {
        let id = importer.tensor(boundary.inside(input))?;
        importer.graph.inputs.push(id);
    }
    for (index, builtin) in builtins {
        let node = importer.node(index, builtin)?;
        importer.graph.nodes.push(node);
    }
    for &output in &subgraph.outputs {
        let id = importer.tensor(boundary.inside(output))?;
        importer.graph.outputs.push(id);
    }
    validate(&importer.graph)?;
    Ok(ImportedGraph::Quantized(importer.graph).into())
}

fn unreadable(reason: impl Into<String>) -> ImportError {
    ImportError::Unreadable { format: FORMAT.into(), reason: reason.into() }
}

/// What the verifier found, without the trace of where it was.
fn damage(bytes: &[u8], error: &InvalidFlatbuffer) -> String {
    match error {
        InvalidFlatbuffer::RangeOutOfBounds { range, .. } if range.end > bytes.len() => {
            format!("it refers to byte {} and has {}: it is cut short or damaged", range.start, bytes.len())
        }
        _ => {
            let first_line = error.to_string().lines().next().unwrap_or_default().to_lowercase();
            format!("it is damaged: {}", first_line.trim_end_matches('.'))
        }
    }
}

/// The operators of `subgraph` that become nodes, by their places.
fn builtins(
    model: &Model<'_>,
    subgraph: &SubGraph,
    boundary: &Boundary,
) -> Result<Vec<(usize, Builtin)>, ImportError> {
    let mut builtins = Vec::new();
    let mut unsupported = Vec::new();
    for (index, operator) in subgraph.operators.iter().enumerate() {
        let Some(code) = model.operator_codes.get(operator.code as usize) else {
            return Err(unreadable(format!("operator {index} has a code that is not there")));
        };
        if boundary.replaces(index) {
            continue;
        }
        match Builtin::of(code, &operator.options) {
            Ok(builtin) => builtins.push((index, builtin)),
            Err(reason) => unsupported.push(UnsupportedOperator {
                operator: operator_name(code),
                node: node_name(subgraph, index, operator),
                inputs: shapes(subgraph, &operator.inputs),
                outputs: shapes(subgraph, &operator.outputs),
                version: Some(i64::from(code.version)),
                reason: reason.to_owned(),
            }),
        }
    }
    if unsupported.is_empty() { Ok(builtins) } else { Err(ImportError::UnsupportedOperators(unsupported)) }
}

fn operator_name(code: &OperatorCode) -> String {
    if code.custom.is_empty() { names::operator(code.builtin) } else { code.custom.clone() }
}

/// Operators have no names: a node is called after its first output.
fn node_name(subgraph: &SubGraph, index: usize, operator: &Operator) -> String {
    let output = operator.outputs.first().and_then(|&output| find(subgraph, output));
    match output {
        Some(tensor) if !tensor.name.is_empty() => tensor.name.clone(),
        _ => format!("operator {index}"),
    }
}

fn find(subgraph: &SubGraph, index: i32) -> Option<&schema::Tensor> {
    usize::try_from(index).ok().and_then(|index| subgraph.tensors.get(index))
}

fn shapes(subgraph: &SubGraph, indices: &[i32]) -> Vec<Vec<usize>> {
    let shape = |tensor: &schema::Tensor| tensor.shape.iter().map(|&extent| extent.max(0) as usize).collect();
    indices.iter().filter_map(|&index| find(subgraph, index)).map(shape).collect()
}

struct Importer<'b> {
    bytes: &'b [u8],
    model: &'b Model<'b>,
    subgraph: &'b SubGraph,
    graph: QuantizedGraph,
    /// The graph's tensors by the file's; those that hold indices are in no graph.
    ids: HashMap<i32, TensorId>,
}

impl<'b> Importer<'b> {
    fn new(bytes: &'b [u8], model: &'b Model<'b>, subgraph: &'b SubGraph) -> Self {
        let graph = Graph {
            name: subgraph.name.clone(),
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        Self { bytes, model, subgraph, graph, ids: HashMap::new() }
    }

    fn node(&mut self, index: usize, builtin: Builtin) -> Result<Node, ImportError> {
        let operator = &self.subgraph.operators[index];
        let name = node_name(self.subgraph, index, operator);
        let code = &self.model.operator_codes[operator.code as usize];
        let problem = |problem: &'static str| ImportError::Node {
            node: name.clone(),
            operator: operator_name(code),
            problem: problem.to_owned(),
        };
        let [output] = operator.outputs[..] else {
            return Err(problem("has not one output"));
        };
        if find(self.subgraph, output).is_none() {
            return Err(problem("has an output that is not there"));
        }
        let op = operator::convert(self, operator, builtin).map_err(problem)?;
        let read = &operator.inputs[..operator.inputs.len().min(builtin.operands())];
        let inputs = read
            .iter()
            .filter(|&&input| input != ABSENT)
            .map(|&input| self.tensor(input))
            .collect::<Result<_, _>>()?;
        Ok(Node { outputs: vec![self.tensor(output)?], name, op, inputs })
    }
}
