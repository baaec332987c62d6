//! TensorFlow Lite files: int8 ones become the graph they are, float ones are to be quantized.
//!
//! The file's operators are the graph's. What the file gives in tensors of indices (axes, paddings,
//! shapes) is moved into the operators; paddings that the file only names are computed. Operators that
//! nothing but such tensors come from are left out.
//!
//! A file whose operators all write floats is a float model, whatever its weights are stored as; one whose
//! operators all write integers is an int8 model, floats at its edge apart. A file with both is refused:
//! what its integer part saturates to is known to its integers only.

mod arithmetic;
mod boundary;
mod circular_buffer;
mod detection;
mod file;
mod flatbuffer;
mod flexbuffer;
mod float;
mod functions;
mod int8;
mod lower;
mod metadata;
mod movement;
mod names;
mod needed;
mod notes;
mod number;
mod operator;
mod recurrent;
mod schema;
mod state;
mod steps;
mod truths;

use std::collections::HashMap;

use flatbuffers::InvalidFlatbuffer;

use self::arithmetic::Arithmetic;
use self::boundary::Boundary;
use self::file::File;
use self::schema::{Model, Operator, OperatorCode};
use super::{ImportError, Imported, ImportedGraph, MAX_CONSTANT_BYTES};
use crate::graph::{FloatTensor, Graph, Precision, QuantizedTensor, TensorId};
use crate::tflite_schema::{Builtin, IDENTIFIER, VERSION};
use crate::validate::{Operand, validate};

const FORMAT: &str = "TensorFlow Lite";

/// An operator that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOperator {
    /// Its name in the schema.
    pub name: &'static str,
    /// Whether models of floats may have it.
    pub in_floats: bool,
    /// Whether models of integers may have it.
    pub in_integers: bool,
}

/// The operators that are read, by their numbers.
pub fn operators() -> impl Iterator<Item = ReadOperator> {
    let builtins = Builtin::ALL.iter().filter_map(|builtin| {
        Some(ReadOperator {
            name: builtin.custom_name().or_else(|| names::known_operator(*builtin as i32))?,
            in_floats: builtin.is_read(Arithmetic::Float).is_ok(),
            in_integers: builtin.is_read(Arithmetic::Integer).is_ok(),
        })
    });
    let dequantize = names::known_operator(boundary::DEQUANTIZE);
    let at_the_edge = dequantize.map(|name| ReadOperator { name, in_floats: true, in_integers: true });
    builtins.chain(at_the_edge)
}

/// Reads a TensorFlow Lite file.
///
/// # Errors
///
/// When `bytes` are no such file, when it uses operators that are not there (all are named), when it
/// computes with floats in one part and integers in another or with types that are not read, or when its
/// graph is not sound.
pub fn read(bytes: &[u8]) -> Result<Imported, ImportError> {
    if bytes.get(4..8) != Some(IDENTIFIER.as_bytes()) {
        return Err(unreadable("it does not have the identifier TFL3"));
    }
    let model: Model<'_> = flatbuffer::root(bytes).map_err(|error| unreadable(damage(bytes, &error)))?;
    if model.version != VERSION {
        return Err(unreadable(format!("its schema version is {}, not {VERSION}", model.version)));
    }
    let file = File::new(bytes, &model)?;
    let boundary = Boundary::of(&file);
    let operators = needed::operators(&file, &boundary);
    let arithmetic = Arithmetic::of(&file, &boundary, &operators);
    let operators = arithmetic.supported(&file, &operators)?;
    let (graph, read) = match arithmetic {
        Arithmetic::Float => {
            let importer = Importer::<FloatTensor>::read(&file, &boundary, &operators)?;
            (ImportedGraph::Float(importer.graph), importer.ids)
        }
        Arithmetic::Integer => {
            let importer = Importer::<QuantizedTensor>::read(&file, &boundary, &operators)?;
            (ImportedGraph::Quantized(importer.graph), importer.ids)
        }
    };
    let mut notes = notes::of(&file, &graph, &read);
    let metadata = metadata::of(&file, &graph.output_shapes(), &mut notes);
    Ok(Imported { graph, metadata, notes })
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

fn operator_name(code: &OperatorCode) -> String {
    if code.custom.is_empty() { names::operator(code.builtin) } else { code.custom.clone() }
}

/// A tensor of the graph that is read.
trait Element: Operand + Sized {
    /// How finely its elements are compared.
    const COMPARED: Precision;

    /// The file's tensor `index`.
    fn convert(file: &File<'_>, index: i32) -> Result<Self, ImportError>;

    /// The file's tensor `index`, as weights.
    fn convert_weights(file: &File<'_>, index: i32) -> Result<Self, ImportError> {
        Self::convert(file, index)
    }

    /// A tensor of another name and shape that is computed, with the same meaning of its elements.
    fn like(&self, name: String, shape: Vec<usize>) -> Self;

    /// A tensor of another name that holds this one's negatives, with as many steps above 0 as this has below it.
    fn negative(&self, name: String) -> Self;

    /// A constant that says of something that it is not.
    fn no_truth(name: String) -> Self;

    /// Zeros that a layer reading it with `weights` needs as a bias of this type; `None` where it computes the
    /// same without.
    fn zero_bias(&self, _name: String, _weights: &Self, _bias_type: i8) -> Option<Self> {
        None
    }

    /// Bytes of its data; 0 for what is computed.
    fn constant_bytes(&self) -> usize;

    /// Adds the nodes that compute `operator`.
    fn lower(
        importer: &mut Importer<'_, Self>,
        operator: &Operator,
        builtin: Builtin,
    ) -> Result<(), ImportError> {
        importer.lower(operator, builtin)
    }
}

struct Importer<'f, T: Element> {
    file: &'f File<'f>,
    graph: Graph<T>,
    /// The graph's tensors by the file's; those that hold indices are in no graph.
    ids: HashMap<i32, TensorId>,
    /// The graph's tensors for resource variables.
    variables: HashMap<state::VariableName, TensorId>,
    /// Bytes of the constants read so far, and of the results of operators on constants.
    constant_bytes: usize,
}

impl<'f, T: Element> Importer<'f, T> {
    /// Reads the graph of `operators`.
    fn read(
        file: &'f File<'f>,
        boundary: &Boundary,
        operators: &[(usize, Builtin)],
    ) -> Result<Self, ImportError> {
        let graph = Graph {
            name: file.graph.name.clone(),
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            rounding: T::Rounding::default(),
        };
        let mut importer =
            Self { file, graph, ids: HashMap::new(), variables: HashMap::new(), constant_bytes: 0 };
        for &input in &file.graph.inputs {
            let id = importer.tensor(boundary.inside(input))?;
            importer.graph.inputs.push(id);
        }
        for &(index, builtin) in operators {
            T::lower(&mut importer, &file.graph.operators[index], builtin)?;
        }
        for &output in &file.graph.outputs {
            let id = importer.tensor(boundary.inside(output))?;
            importer.graph.outputs.push(id);
        }
        validate(&importer.graph)?;
        Ok(importer)
    }

    /// The graph's tensor for the file's tensor `index`.
    fn tensor(&mut self, index: i32) -> Result<TensorId, ImportError> {
        self.converted(index, T::convert)
    }

    /// The graph's tensor for the file's tensor `index`, which an operator reads as its weights.
    fn weights(&mut self, index: i32) -> Result<TensorId, ImportError> {
        self.converted(index, T::convert_weights)
    }

    fn converted(
        &mut self,
        index: i32,
        convert: impl FnOnce(&File<'_>, i32) -> Result<T, ImportError>,
    ) -> Result<TensorId, ImportError> {
        if let Some(&id) = self.ids.get(&index) {
            return Ok(id);
        }
        let converted = convert(self.file, index)?;
        self.count_constant(converted.constant_bytes())?;
        let id = self.graph.add_tensor(converted);
        self.ids.insert(index, id);
        Ok(id)
    }

    /// Many tensors may share one buffer, so that a small file has large constants.
    fn count_constant(&mut self, bytes: usize) -> Result<(), ImportError> {
        self.constant_bytes = self.constant_bytes.saturating_add(bytes);
        if self.constant_bytes <= MAX_CONSTANT_BYTES {
            Ok(())
        } else {
            Err(unreadable(format!("its constants have more than {MAX_CONSTANT_BYTES} bytes")))
        }
    }
}
