//! The model's inputs: every extent a number, from the file or from what the user adds.
//!
//! A file may leave extents open under a name, which stands for the same number wherever it is written.

use std::collections::{BTreeMap, HashSet};

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, ValueInfoProto};
use tract_onnx::tract_core::internal::DatumType;

use super::{constants, unreadable};
use crate::import::{DynamicInput, ImportError, ImportOptions};
use crate::validate::{MAX_ELEMENTS, elements};

/// An extent as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Extent {
    Fixed(usize),
    /// Open under a name.
    Symbol(String),
    /// Open without one: what the file has in its place.
    Open(String),
}

/// An input as the file has it; no extents where even the rank is open.
struct Declared<'a> {
    name: &'a str,
    extents: Option<Vec<Extent>>,
    datum_type: DatumType,
}

/// What the symbols stand for, each with the input that says so.
type Bound<'a> = BTreeMap<&'a str, (usize, &'a str)>;

/// The type of an input's elements; `None` where it has none that is known.
pub(super) fn element_type(input: &ValueInfoProto) -> Option<DataType> {
    let Type::TensorType(tensor) = input.r#type.as_ref()?.value.as_ref()?;
    DataType::try_from(tensor.elem_type).ok()
}

/// An input that is no constant.
pub(super) struct Input {
    /// Its name in the file.
    pub name: String,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Type of its elements as operators see them: floats where they are dequantized.
    pub datum_type: DatumType,
}

/// The inputs that are no initializers, with concrete shapes.
pub(super) fn inputs(graph: &GraphProto, options: &ImportOptions) -> Result<Vec<Input>, ImportError> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| &*tensor.name).collect();
    let inputs = graph.input.iter().filter(|input| !constants.contains(&*input.name));
    let inputs = inputs.map(Declared::of).collect::<Result<Vec<_>, _>>()?;
    if inputs.is_empty() {
        return Err(unreadable("it has no inputs"));
    }
    check_options(&inputs, options)?;
    let bound = bind(&inputs, options)?;
    let shapes: Vec<Option<Vec<usize>>> =
        inputs.iter().map(|input| input.shape(options, &bound, &inputs)).collect();
    if shapes.contains(&None) {
        let inputs = inputs.iter().zip(&shapes).map(|(input, shape)| input.dynamic(shape.is_none(), &bound));
        return Err(ImportError::DynamicShapes(inputs.collect()));
    }
    let named = inputs.iter().zip(shapes.into_iter().flatten());
    named
        .map(|(input, shape)| match elements(&shape) {
            Some(_) => Ok(Input { name: input.name.to_owned(), shape, datum_type: input.datum_type }),
            None => Err(input.error(format!("has more than {MAX_ELEMENTS} elements"))),
        })
        .collect()
}

impl<'a> Declared<'a> {
    fn of(input: &'a ValueInfoProto) -> Result<Self, ImportError> {
        let Some(Type::TensorType(tensor)) = input.r#type.as_ref().and_then(|kind| kind.value.as_ref())
        else {
            return Err(unreadable(format!("input `{}` has no tensor type", input.name)));
        };
        let datum_type = match element_type(input) {
            Some(DataType::Float | DataType::Int8 | DataType::Uint8) => DatumType::F32,
            Some(DataType::Int32) => DatumType::I32,
            Some(DataType::Int64) => DatumType::I64,
            Some(DataType::Bool) => DatumType::Bool,
            _ => {
                return Err(ImportError::TensorType {
                    tensor: input.name.clone(),
                    found: constants::type_name(tensor.elem_type),
                    expected: "inputs must be float32 or bool, or int32 or int64 where they are indices"
                        .into(),
                });
            }
        };
        let extent = |value: &Option<Dimension>| match value {
            Some(Dimension::DimValue(extent)) => match usize::try_from(*extent) {
                Ok(extent) if extent > 0 => Extent::Fixed(extent),
                _ => Extent::Open(extent.to_string()),
            },
            Some(Dimension::DimParam(symbol)) if !symbol.is_empty() => Extent::Symbol(symbol.clone()),
            _ => Extent::Open("?".into()),
        };
        let extents = |dims: &[_]| {
            dims.iter()
                .map(|dim: &tract_onnx::pb::tensor_shape_proto::Dimension| extent(&dim.value))
                .collect()
        };
        let extents = tensor.shape.as_ref().map(|shape| extents(&shape.dim));
        Ok(Self { name: &input.name, extents, datum_type })
    }

    fn error(&self, problem: String) -> ImportError {
        ImportError::Input { input: self.name.to_owned(), problem }
    }

    /// The extents in words; `...` for an open rank.
    fn words(&self) -> Vec<String> {
        let word = |extent: &Extent| match extent {
            Extent::Fixed(extent) => extent.to_string(),
            Extent::Symbol(word) | Extent::Open(word) => word.clone(),
        };
        self.extents.as_ref().map_or_else(|| vec!["...".into()], |extents| extents.iter().map(word).collect())
    }

    /// Whether the first extent is the batch: open, and the same name nowhere stands for anything else.
    fn has_open_batch(&self, inputs: &[Self]) -> bool {
        match self.extents.as_deref().and_then(<[_]>::first) {
            None | Some(Extent::Fixed(_)) => false,
            Some(Extent::Open(_)) => true,
            Some(symbol) => {
                let others = |input: &Self| {
                    input
                        .extents
                        .as_ref()
                        .is_some_and(|all| all.iter().skip(1).any(|extent| extent == symbol))
                };
                !inputs.iter().any(others)
            }
        }
    }

    /// The shape, where every extent is known.
    fn shape(&self, options: &ImportOptions, bound: &Bound<'_>, inputs: &[Self]) -> Option<Vec<usize>> {
        if let Some(shape) = options.shapes.get(self.name) {
            return Some(shape.clone());
        }
        let extent = |(axis, extent): (usize, &Extent)| match extent {
            Extent::Fixed(extent) => Some(*extent),
            Extent::Symbol(symbol) if bound.contains_key(&**symbol) => Some(bound[&**symbol].0),
            _ if axis == 0 && self.has_open_batch(inputs) => Some(options.batch.unwrap_or(1)),
            _ => None,
        };
        self.extents.as_ref()?.iter().enumerate().map(extent).collect()
    }

    fn dynamic(&self, is_open: bool, bound: &Bound<'_>) -> DynamicInput {
        let mut open: Vec<String> = match &self.extents {
            _ if !is_open => Vec::new(),
            None => vec!["its rank".into()],
            Some(extents) => extents
                .iter()
                .enumerate()
                .filter_map(|(axis, extent)| match extent {
                    Extent::Symbol(symbol) if !bound.contains_key(&**symbol) => Some((axis, symbol)),
                    Extent::Open(word) => Some((axis, word)),
                    _ => None,
                })
                .filter(|(axis, _)| *axis > 0)
                .map(|(_, word)| word.clone())
                .collect(),
        };
        open.dedup();
        if is_open && open.is_empty() {
            open = self.words()[..1].to_vec();
        }
        DynamicInput { input: self.name.to_owned(), shape: self.words(), open }
    }
}

/// Checks that what the user adds is about this model.
fn check_options(inputs: &[Declared<'_>], options: &ImportOptions) -> Result<(), ImportError> {
    let absent = options.shapes.keys().find(|name| !inputs.iter().any(|input| input.name == **name));
    if let Some(input) = absent {
        let names: Vec<String> = inputs.iter().map(|input| format!("`{}`", input.name)).collect();
        let problem = format!("is not there; the model has {}", names.join(", "));
        return Err(ImportError::Input { input: input.clone(), problem });
    }
    if let Some(batch) = options.batch {
        let other =
            options.shapes.iter().find(|(_, shape)| shape.first().is_some_and(|&first| first != batch));
        if let Some((input, shape)) = other {
            let problem = format!("is given the shape {shape:?}, and the batch {batch}");
            return Err(ImportError::Input { input: input.clone(), problem });
        }
        let first = |input: &Declared<'_>| input.extents.as_deref().and_then(<[_]>::first).cloned();
        if let Some(input) =
            inputs.iter().find(|input| matches!(first(input), Some(Extent::Fixed(extent)) if extent != batch))
        {
            let problem =
                format!("has shape [{}], which leaves no batch of {batch}", input.words().join(", "));
            return Err(input.error(problem));
        }
    }
    Ok(())
}

/// The numbers that symbols have by the shapes and the batch that the user gives.
fn bind<'a>(inputs: &'a [Declared<'a>], options: &ImportOptions) -> Result<Bound<'a>, ImportError> {
    let mut bound = Bound::new();
    for input in inputs {
        let (Some(extents), given) = (&input.extents, options.shapes.get(input.name)) else { continue };
        let given: Vec<Option<usize>> = match given {
            Some(shape) if shape.len() != extents.len() || shape.contains(&0) => {
                let problem =
                    format!("has shape [{}], which {shape:?} does not fit", input.words().join(", "));
                return Err(input.error(problem));
            }
            Some(shape) => shape.iter().copied().map(Some).collect(),
            None => (0..extents.len()).map(|axis| options.batch.filter(|_| axis == 0)).collect(),
        };
        for (axis, (extent, given)) in extents.iter().zip(given).enumerate() {
            let Some(given) = given else { continue };
            match extent {
                Extent::Fixed(fixed) if *fixed != given => {
                    let problem = format!("has extent {fixed} at axis {axis}, where {given} is given");
                    return Err(input.error(problem));
                }
                Extent::Symbol(symbol) => {
                    let (before, by) = *bound.entry(symbol).or_insert((given, input.name));
                    if before != given {
                        let problem =
                            format!("makes `{symbol}` {given}, where input `{by}` makes it {before}");
                        return Err(input.error(problem));
                    }
                }
                Extent::Fixed(_) | Extent::Open(_) => {}
            }
        }
    }
    Ok(bound)
}
