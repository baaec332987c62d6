//! The frozen bytes of a quantized graph, as packages hold it. `WIRE.md` is the specification.
//!
//! The structure (names, shapes, scales, operators) and the weights are separate: training a head anew
//! leaves the structure's neighbours and the base's weights as they are, byte for byte.
//!
//! Every version has a module with types of its own. The graph may change; they may not. Packages of
//! an older version are read by that version's module and converted to today's graph.

pub mod v1;

use edgepkg_format::artifact::Digest;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::graph::QuantizedGraph;
use crate::validate::{GraphError, validate};

/// The first bytes of every structure.
pub const MAGIC: [u8; 4] = *b"\x89EPG";
/// The version that is written.
pub const VERSION: u16 = 1;
/// Bytes of magic and version.
const TAG_BYTES: usize = 6;
/// The longest structure that is read.
pub const MAX_STRUCTURE_BYTES: usize = 16 << 20;

/// A graph's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Everything but the values of constants.
    pub structure: Vec<u8>,
    /// The constants' values: the base's, then the head's where one is declared.
    pub weights: Vec<Vec<u8>>,
}

/// How constants are spread over weight blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split<'a> {
    /// All in one blob.
    Whole,
    /// Constants read by these nodes alone in a second blob.
    Head(&'a [String]),
}

/// Why bytes are not a graph.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum WireError {
    /// The first bytes are not [`MAGIC`].
    #[error("these bytes are not a graph's structure")]
    NotAStructure,
    /// A version from the future.
    #[error("the graph has wire version {found}, this program reads up to {VERSION}")]
    Version {
        /// The structure's.
        found: u16,
    },
    /// A structure longer than any that is written.
    #[error("the graph's structure has {found_bytes} bytes, the limit is {MAX_STRUCTURE_BYTES}")]
    TooLong {
        /// Its length.
        found_bytes: usize,
    },
    /// Bytes that do not decode.
    #[error("the graph's structure cannot be decoded: {reason}")]
    Malformed {
        /// What the decoder says.
        reason: String,
    },
    /// Weight blobs that are not those the structure asks for.
    #[error("the graph asks for {needed_bytes} bytes in weight blob {blob}, which has {found_bytes}")]
    Weights {
        /// Which, counted from 0.
        blob: usize,
        /// Bytes the structure asks for.
        needed_bytes: usize,
        /// Bytes there are.
        found_bytes: usize,
    },
    /// A head's node that the graph does not have.
    #[error("the graph has no node `{name}` to be its head")]
    NoSuchNode {
        /// The name.
        name: String,
    },
    /// A graph that decodes and makes no sense.
    #[error("the graph is not sound: {0}")]
    Graph(#[from] GraphError),
}

/// The bytes of `graph` in the present version: a function of graph and split alone.
///
/// # Errors
///
/// [`WireError::NoSuchNode`] where the split names a node that is not there.
///
/// # Panics
///
/// When the graph is one that [`validate`] refuses for its ids or extents.
pub fn encode(graph: &QuantizedGraph, split: Split<'_>) -> Result<Encoded, WireError> {
    let blob_of_tensor = assign_blobs(graph, split)?;
    let (structure, weights) = v1::Structure::from_graph(graph, &blob_of_tensor);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    let structure = postcard::to_extend(&structure, bytes).expect("memory is the only limit");
    Ok(Encoded { structure, weights })
}

/// The graph that `structure` and `weights` hold, validated.
///
/// # Errors
///
/// On any bytes that are not a sound graph; it never panics.
pub fn decode(structure: &[u8], weights: &[&[u8]]) -> Result<QuantizedGraph, WireError> {
    let (version, body) = read_tag(structure)?;
    let graph = match version {
        1 => {
            let (decoded, rest) = postcard::take_from_bytes::<v1::Structure>(body).map_err(malformed)?;
            if !rest.is_empty() {
                return Err(WireError::Malformed { reason: format!("{} bytes are left over", rest.len()) });
            }
            decoded.into_graph(weights)?
        }
        found => return Err(WireError::Version { found }),
    };
    validate(&graph)?;
    Ok(graph)
}

fn read_tag(structure: &[u8]) -> Result<(u16, &[u8]), WireError> {
    if structure.len() > MAX_STRUCTURE_BYTES {
        return Err(WireError::TooLong { found_bytes: structure.len() });
    }
    let tag = structure.first_chunk::<TAG_BYTES>().filter(|tag| tag.starts_with(&MAGIC));
    let tag = tag.ok_or(WireError::NotAStructure)?;
    Ok((u16::from_le_bytes([tag[4], tag[5]]), &structure[TAG_BYTES..]))
}

fn malformed(error: postcard::Error) -> WireError {
    WireError::Malformed { reason: error.to_string() }
}

/// SHA-256 that names a graph whatever way its weights are split: of its structure as [`Split::Whole`]
/// encodes it, followed by the SHA-256 of its one weight blob.
pub fn graph_digest(graph: &QuantizedGraph) -> Digest {
    let encoded = encode(graph, Split::Whole).expect("no head is named");
    let mut hash = Sha256::new();
    hash.update(&encoded.structure);
    for blob in &encoded.weights {
        hash.update(Sha256::digest(blob));
    }
    hash.finalize().into()
}

/// For each tensor the blob its values go to: 0, or 1 for what only the head reads.
fn assign_blobs(graph: &QuantizedGraph, split: Split<'_>) -> Result<Vec<u8>, WireError> {
    let mut blobs = vec![0; graph.tensors.len()];
    let Split::Head(names) = split else { return Ok(blobs) };
    for name in names {
        if !graph.nodes.iter().any(|node| node.name == *name) {
            return Err(WireError::NoSuchNode { name: name.clone() });
        }
    }
    let is_head = |name: &String| names.contains(name);
    for node in graph.nodes.iter().filter(|node| is_head(&node.name)) {
        node.inputs.iter().for_each(|id| blobs[id.0] = 1);
    }
    for node in graph.nodes.iter().filter(|node| !is_head(&node.name)) {
        node.inputs.iter().for_each(|id| blobs[id.0] = 0);
    }
    Ok(blobs)
}

#[cfg(test)]
mod tests;
