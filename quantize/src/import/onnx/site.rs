//! One node as the checks and the lowering see it: its attributes and what is known of its operands.

use std::borrow::Cow;
use std::sync::Arc;

use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto};
use tract_onnx::tract_core::internal::{Datum, DatumType, Tensor};

use super::infer::Facts;
use super::protobuf::{node_error, node_name};
use crate::import::ImportError;

/// What is known of a tensor before anything runs.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    /// Extents.
    pub shape: Vec<usize>,
    /// Type of the elements.
    pub datum_type: DatumType,
    /// Its values, when it is constant.
    pub value: Option<Arc<Tensor>>,
}

impl Fact {
    /// Elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Whether elements of this type can be indices.
pub(super) fn is_integer(datum_type: DatumType) -> bool {
    matches!(datum_type, DatumType::I32 | DatumType::I64)
}

/// Why a node is not read.
pub(super) enum Refusal {
    /// It contradicts itself: the file is wrong.
    Invalid(ImportError),
    /// The file is right, but this is not there.
    Unsupported(String),
}

/// A node that cannot be read for `reason`, though it makes sense.
pub(super) fn unsupported<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Unsupported(reason.into()))
}

/// A node and what is known of its operands.
pub(super) struct Site<'a> {
    /// The node.
    pub node: &'a NodeProto,
    /// Its place in the file.
    index: usize,
    /// The version of the operator set.
    pub opset: i64,
    facts: &'a Facts,
}

impl<'a> Site<'a> {
    /// The node at `index`, whose operands are all in `facts`.
    pub fn new(node: &'a NodeProto, index: usize, opset: i64, facts: &'a Facts) -> Self {
        Self { node, index, opset, facts }
    }

    /// Its place in the file.
    pub fn index(&self) -> usize {
        self.index
    }

    /// What it is called.
    pub fn name(&self) -> String {
        node_name(self.node, self.index)
    }

    /// The refusal that says this node contradicts itself.
    pub fn invalid(&self, problem: impl Into<String>) -> Refusal {
        Refusal::Invalid(node_error(self.node, self.index, problem))
    }

    /// [`Self::invalid`], unless `condition` holds.
    pub fn ensure(&self, condition: bool, problem: impl Into<String>) -> Result<(), Refusal> {
        if condition { Ok(()) } else { Err(self.invalid(problem)) }
    }

    /// Operands that are given.
    pub fn inputs(&self) -> impl Iterator<Item = &'a Fact> + '_ {
        (0..self.node.input.len()).filter_map(|position| self.input(position))
    }

    /// An operand; `None` when it is left out.
    pub fn input(&self, position: usize) -> Option<&'a Fact> {
        self.node.input.get(position).filter(|name| !name.is_empty()).map(|name| &self.facts[name])
    }

    /// The name of an operand that is there.
    pub fn input_name(&self, position: usize) -> &'a str {
        &self.node.input[position]
    }

    /// The first operand.
    pub fn x(&self) -> &'a Fact {
        &self.facts[&self.node.input[0]]
    }

    /// Its rank.
    pub fn rank(&self) -> usize {
        self.x().shape.len()
    }

    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// An integer attribute.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.attribute(name).map(|attribute| attribute.i)
    }

    /// Whether a flag is set.
    pub fn flag(&self, name: &str) -> bool {
        self.int(name) == Some(1)
    }

    /// A list attribute.
    pub fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|attribute| &*attribute.ints)
    }

    /// A list attribute of values that are not negative.
    pub fn sizes(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.ints(name)?.iter().map(|&value| value as usize).collect())
    }

    /// A list attribute of floats.
    pub fn floats(&self, name: &str) -> Option<&'a [f32]> {
        self.attribute(name).map(|attribute| &*attribute.floats)
    }

    /// A float attribute.
    pub fn float(&self, name: &str) -> Option<f32> {
        self.attribute(name).map(|attribute| attribute.f)
    }

    /// A text attribute.
    pub fn word(&self, name: &str) -> Option<Cow<'a, str>> {
        self.attribute(name).map(|attribute| String::from_utf8_lossy(&attribute.s))
    }

    /// A list attribute of texts, in lower case.
    pub fn words(&self, name: &str) -> Option<Vec<String>> {
        let word = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).to_lowercase();
        Some(self.attribute(name)?.strings.iter().map(word).collect())
    }

    /// A tensor attribute.
    pub fn tensor(&self, name: &str) -> Option<&'a TensorProto> {
        self.attribute(name)?.t.as_ref()
    }

    /// The integers in an operand, which must be constant; `None` when it is left out.
    pub fn constant_ints(&self, position: usize) -> Result<Option<Vec<i64>>, Refusal> {
        let Some(fact) = self.input(position) else { return Ok(None) };
        self.ensure(fact.shape.len() <= 1, format!("has an operand {position} of more than one dimension"))?;
        self.ensure(
            matches!(fact.datum_type, DatumType::I64 | DatumType::I32),
            format!("has an operand {position} that is not of integers"),
        )?;
        let Some(value) = &fact.value else {
            return unsupported(format!("operand {position} is not constant"));
        };
        let Ok(value) = value.cast_to::<i64>() else {
            return Err(self.invalid(format!("has an operand {position} that is not of integers")));
        };
        Ok(Some(elements(&value)))
    }

    /// The integers in a constant operand of any shape; `None` when it is not there, or of other numbers.
    pub fn all_ints(&self, position: usize) -> Option<Vec<i64>> {
        let value = self.input(position)?.value.as_ref()?;
        value.cast_to::<i64>().ok().map(|value| elements(&value))
    }

    /// The floats in an operand, which must be constant; `None` when it is left out.
    pub fn constant_floats(&self, position: usize) -> Result<Option<Vec<f32>>, Refusal> {
        let Some(fact) = self.input(position) else { return Ok(None) };
        match &fact.value {
            Some(value) => floats(value)
                .map(Some)
                .ok_or_else(|| self.invalid(format!("has an operand {position} that is not of numbers"))),
            None => unsupported(format!("operand {position} is not constant")),
        }
    }

    /// Axes, from the attribute, or from the operand in operator sets that have one, brought to
    /// `0..rank`; `None` when they are left out.
    pub fn axes(&self, operand_since: i64, rank: usize) -> Result<Option<Vec<usize>>, Refusal> {
        let axes = match self.opset >= operand_since {
            true => self.constant_ints(1)?,
            false => self.ints("axes").map(<[i64]>::to_vec),
        };
        let Some(axes) = axes else { return Ok(None) };
        let axes: Vec<usize> = axes.iter().map(|&axis| self.axis(axis, rank)).collect::<Result<_, _>>()?;
        let twice = axes.iter().enumerate().any(|(index, axis)| axes[..index].contains(axis));
        self.ensure(!twice, "has the same axis twice")?;
        Ok(Some(axes))
    }

    /// An axis of a tensor of `rank`; negative ones count from the end.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, Refusal> {
        let from_start = if axis < 0 { axis + rank as i64 } else { axis };
        usize::try_from(from_start)
            .ok()
            .filter(|&axis| axis < rank)
            .ok_or_else(|| self.invalid(format!("has axis {axis} on a tensor of {rank} dimensions")))
    }
}

/// The elements of a tensor as floats; `None` when they are no numbers.
pub(super) fn floats(tensor: &Tensor) -> Option<Vec<f32>> {
    numbers(tensor)
}

/// The elements of a tensor of numbers as this type; `None` when they are none.
pub(super) fn numbers<T: Datum + Copy>(tensor: &Tensor) -> Option<Vec<T>> {
    tensor.cast_to::<T>().ok().map(|tensor| elements(&tensor))
}

/// The elements of a tensor of this very type.
fn elements<T: Datum + Copy>(tensor: &Tensor) -> Vec<T> {
    tensor.to_plain_array_view::<T>().map(|view| view.iter().copied().collect()).unwrap_or_default()
}
