//! What a user should know of how a file was read.

use std::collections::HashMap;

use super::file::File;
use super::number::is_quantized;
use crate::graph::TensorId;
use crate::import::ImportedGraph;
use crate::tflite_schema::tensor_type::UINT8;

/// Names that are told; of more, only their number is.
const MAX_NAMES: usize = 3;

/// The notes on `graph`, whose tensors are those of the file in `read`.
pub(super) fn of(file: &File<'_>, graph: &ImportedGraph, read: &HashMap<i32, TensorId>) -> Vec<String> {
    let mut notes = Vec::new();
    let graphs = file.model.subgraphs.len();
    if graphs > 1 {
        notes.push(format!("the file holds {graphs} graphs; the first, `{}`, is the model", file.graph.name));
    }
    let those = |is: &dyn Fn(i32) -> bool| {
        let mut indices: Vec<i32> = read.keys().copied().filter(|&index| is(index)).collect();
        indices.sort_unstable();
        indices
    };
    match graph {
        ImportedGraph::Float(_) => {
            let quantized = those(&|index| is_quantized(file, index));
            if !quantized.is_empty() {
                notes.push(format!(
                    "the file holds weights as integers between floats ({}): they are taken as the reals they \
                     stand for and rounded anew",
                    named(file, &quantized)
                ));
            }
        }
        ImportedGraph::Quantized(_) => {
            let uint8 = those(&|index| file.tensor(index).is_some_and(|tensor| tensor.kind == UINT8));
            if !uint8.is_empty() {
                notes.push(format!(
                    "the file's uint8 ({}) became int8, 128 less with their zero points: the same reals",
                    named(file, &uint8)
                ));
            }
        }
    }
    notes
}

fn named(file: &File<'_>, indices: &[i32]) -> String {
    let names: Vec<String> = indices
        .iter()
        .take(MAX_NAMES)
        .filter_map(|&index| file.tensor(index))
        .map(|tensor| format!("`{}`", tensor.name))
        .collect();
    match indices.len().saturating_sub(MAX_NAMES) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
