//! The operators that are read: how many operands each has, and which attributes with which values.

use std::ops::RangeInclusive;

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto};

use super::protobuf::node_error;
use super::{constants, geometry::MAX_RANK, quantized};
use crate::import::ImportError;
use crate::validate::MAX_IMAGE_EXTENT;

/// One operator of ONNX.
pub(super) struct Operator {
    name: &'static str,
    /// Fewest and most operands.
    inputs: RangeInclusive<usize>,
    attributes: &'static [(&'static str, Values)],
}

/// The values an attribute may have.
enum Values {
    Int(i64, i64),
    Ints(i64, i64),
    Float,
    Floats,
    Word(&'static [&'static str]),
    Text,
    Words,
    Tensor,
}

use Values::{Float, Floats, Int, Ints, Tensor, Text, Word, Words};

const ANY: usize = usize::MAX;
const EXTENT: i64 = MAX_IMAGE_EXTENT as i64;
const RANK: i64 = MAX_RANK as i64;
const FLAG: Values = Int(0, 1);
const AXIS: Values = Int(-RANK, RANK);
const AXES: Values = Ints(-RANK, RANK);
const AUTO_PAD: Values = Word(&["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]);
const PADS: Values = Ints(0, EXTENT);
/// The greatest number of an element type.
const MAX_TYPE: i64 = 64;
const BLOCK: Values = Int(0, i64::MAX);
const STEPS: Values = Ints(1, EXTENT);
const STEP: Values = Int(1, EXTENT);

const COORDINATES: Values = Word(&[
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
]);

const fn operator(
    name: &'static str,
    inputs: RangeInclusive<usize>,
    attributes: &'static [(&'static str, Values)],
) -> Operator {
    Operator { name, inputs, attributes }
}

/// Sorted by name. Some are read only where their result is constant: Cast, ConstantOfShape and Shape, of
/// which exporters make the shapes that others take.
static OPERATORS: &[Operator] = &[
    operator("Abs", 1..=1, &[]),
    operator("Add", 2..=2, &[]),
    operator("And", 2..=2, &[]),
    operator("ArgMax", 1..=1, &[("axis", AXIS), ("keepdims", FLAG), ("select_last_index", FLAG)]),
    operator("ArgMin", 1..=1, &[("axis", AXIS), ("keepdims", FLAG), ("select_last_index", FLAG)]),
    operator(
        "AveragePool",
        1..=1,
        &[
            ("auto_pad", AUTO_PAD),
            ("ceil_mode", FLAG),
            ("count_include_pad", FLAG),
            ("dilations", STEPS),
            ("kernel_shape", STEPS),
            ("pads", PADS),
            ("strides", STEPS),
        ],
    ),
    operator(
        "BatchNormalization",
        5..=5,
        &[("epsilon", Float), ("momentum", Float), ("spatial", FLAG), ("training_mode", FLAG)],
    ),
    operator(
        "Cast",
        1..=1,
        &[("round_mode", Word(&["up", "down", "nearest"])), ("saturate", FLAG), ("to", Int(1, 13))],
    ),
    operator("Ceil", 1..=1, &[]),
    operator("Celu", 1..=1, &[("alpha", Float)]),
    operator("Clip", 1..=3, &[("max", Float), ("min", Float)]),
    operator("Concat", 1..=ANY, &[("axis", AXIS)]),
    operator(
        "Constant",
        0..=0,
        &[
            ("value", Tensor),
            ("value_float", Float),
            ("value_floats", Floats),
            ("value_int", Int(i64::MIN, i64::MAX)),
            ("value_ints", Ints(i64::MIN, i64::MAX)),
        ],
    ),
    operator("ConstantOfShape", 1..=1, &[("value", Tensor)]),
    operator(
        "Conv",
        2..=3,
        &[
            ("auto_pad", AUTO_PAD),
            ("dilations", STEPS),
            ("group", Int(1, 1 << 20)),
            ("kernel_shape", STEPS),
            ("pads", PADS),
            ("strides", STEPS),
        ],
    ),
    operator(
        "ConvTranspose",
        2..=3,
        &[
            ("auto_pad", AUTO_PAD),
            ("dilations", STEPS),
            ("group", Int(1, 1 << 20)),
            ("kernel_shape", STEPS),
            ("output_padding", PADS),
            ("output_shape", STEPS),
            ("pads", PADS),
            ("strides", STEPS),
        ],
    ),
    operator("Cos", 1..=1, &[]),
    operator("CumSum", 2..=2, &[("exclusive", FLAG), ("reverse", FLAG)]),
    operator("DepthToSpace", 1..=1, &[("blocksize", STEP), ("mode", Word(&["DCR", "CRD"]))]),
    operator(
        "DequantizeLinear",
        2..=3,
        &[("axis", AXIS), ("block_size", BLOCK), ("output_dtype", Int(0, MAX_TYPE))],
    ),
    operator("Div", 2..=2, &[]),
    operator("Dropout", 1..=3, &[("ratio", Float), ("seed", Int(i64::MIN, i64::MAX))]),
    operator("Einsum", 1..=ANY, &[("equation", Text)]),
    operator("Elu", 1..=1, &[("alpha", Float)]),
    operator("Equal", 2..=2, &[]),
    operator("Erf", 1..=1, &[]),
    operator("Exp", 1..=1, &[]),
    operator("Expand", 2..=2, &[]),
    operator("Flatten", 1..=1, &[("axis", AXIS)]),
    operator("Floor", 1..=1, &[]),
    operator(
        "GRU",
        3..=6,
        &[
            ("activation_alpha", Floats),
            ("activation_beta", Floats),
            ("activations", Words),
            ("clip", Float),
            ("direction", Word(&["forward", "reverse", "bidirectional"])),
            ("hidden_size", STEP),
            ("layout", FLAG),
            ("linear_before_reset", FLAG),
        ],
    ),
    operator("Gather", 2..=2, &[("axis", AXIS)]),
    operator("Gelu", 1..=1, &[("approximate", Word(&["none", "tanh"]))]),
    operator("Gemm", 2..=3, &[("alpha", Float), ("beta", Float), ("transA", FLAG), ("transB", FLAG)]),
    operator("GlobalAveragePool", 1..=1, &[]),
    operator("GlobalMaxPool", 1..=1, &[]),
    operator("Greater", 2..=2, &[]),
    operator("GreaterOrEqual", 2..=2, &[]),
    operator(
        "GroupNormalization",
        3..=3,
        &[("epsilon", Float), ("num_groups", STEP), ("stash_type", Int(1, 1))],
    ),
    operator("HardSigmoid", 1..=1, &[("alpha", Float), ("beta", Float)]),
    operator("HardSwish", 1..=1, &[]),
    operator("Identity", 1..=1, &[]),
    operator("InstanceNormalization", 3..=3, &[("epsilon", Float)]),
    operator(
        "LSTM",
        3..=8,
        &[
            ("activation_alpha", Floats),
            ("activation_beta", Floats),
            ("activations", Words),
            ("clip", Float),
            ("direction", Word(&["forward", "reverse", "bidirectional"])),
            ("hidden_size", STEP),
            ("input_forget", FLAG),
            ("layout", FLAG),
        ],
    ),
    operator("LayerNormalization", 2..=3, &[("axis", AXIS), ("epsilon", Float), ("stash_type", Int(1, 1))]),
    operator("LeakyRelu", 1..=1, &[("alpha", Float)]),
    operator("Less", 2..=2, &[]),
    operator("LessOrEqual", 2..=2, &[]),
    operator("Log", 1..=1, &[]),
    operator("LogSoftmax", 1..=1, &[("axis", AXIS)]),
    operator("LpNormalization", 1..=1, &[("axis", AXIS), ("p", Int(1, 2))]),
    operator("MatMul", 2..=2, &[]),
    operator("Max", 1..=ANY, &[]),
    operator(
        "MaxPool",
        1..=1,
        &[
            ("auto_pad", AUTO_PAD),
            ("ceil_mode", FLAG),
            ("dilations", STEPS),
            ("kernel_shape", STEPS),
            ("pads", PADS),
            ("storage_order", FLAG),
            ("strides", STEPS),
        ],
    ),
    operator("Mean", 1..=ANY, &[]),
    operator("Min", 1..=ANY, &[]),
    operator("Mish", 1..=1, &[]),
    operator("Mul", 2..=2, &[]),
    operator("Neg", 1..=1, &[]),
    operator("NonMaxSuppression", 2..=5, &[("center_point_box", FLAG)]),
    operator("Not", 1..=1, &[]),
    operator("OneHot", 3..=3, &[("axis", AXIS)]),
    operator("Or", 2..=2, &[]),
    operator("PRelu", 2..=2, &[]),
    operator(
        "Pad",
        1..=4,
        &[("mode", Word(&["constant", "edge", "reflect", "wrap"])), ("pads", PADS), ("value", Float)],
    ),
    operator("Pow", 2..=2, &[]),
    operator(
        "QuantizeLinear",
        2..=3,
        &[
            ("axis", AXIS),
            ("block_size", BLOCK),
            ("output_dtype", Int(0, MAX_TYPE)),
            ("precision", Int(0, MAX_TYPE)),
            ("saturate", FLAG),
        ],
    ),
    operator("RMSNormalization", 2..=2, &[("axis", AXIS), ("epsilon", Float), ("stash_type", Int(1, 1))]),
    operator(
        "RNN",
        3..=6,
        &[
            ("activation_alpha", Floats),
            ("activation_beta", Floats),
            ("activations", Words),
            ("clip", Float),
            ("direction", Word(&["forward", "reverse", "bidirectional"])),
            ("hidden_size", STEP),
            ("layout", FLAG),
        ],
    ),
    operator("Range", 3..=3, &[]),
    operator("Reciprocal", 1..=1, &[]),
    operator("ReduceL1", 1..=2, &[("axes", AXES), ("keepdims", FLAG), ("noop_with_empty_axes", FLAG)]),
    operator("ReduceL2", 1..=2, &[("axes", AXES), ("keepdims", FLAG), ("noop_with_empty_axes", FLAG)]),
    operator("ReduceLogSum", 1..=2, &[("axes", AXES), ("keepdims", FLAG), ("noop_with_empty_axes", FLAG)]),
    operator("ReduceLogSumExp", 1..=2, &[("axes", AXES), ("keepdims", FLAG), ("noop_with_empty_axes", FLAG)]),
    operator("ReduceMax", 1..=2, &[("axes", AXES), ("keepdims", FLAG), ("noop_with_empty_axes", FLAG)]),
    operator("ReduceMean", 1..=2, &[("axes", AXES), ("keepdims", FLAG), ("noop_with_empty_axes", FLAG)]),
    operator("ReduceMin", 1..=2, &[("axes", AXES), ("keepdims", FLAG), ("noop_with_empty_axes", FLAG)]),
    operator("ReduceProd", 1..=2, &[("axes", AXES), ("keepdims", FLAG), ("noop_with_empty_axes", FLAG)]),
    operator("ReduceSum", 1..=2, &[("axes", AXES), ("keepdims", FLAG), ("noop_with_empty_axes", FLAG)]),
    operator("ReduceSumSquare", 1..=2, &[("axes", AXES), ("keepdims", FLAG), ("noop_with_empty_axes", FLAG)]),
    operator("Relu", 1..=1, &[]),
    operator("Reshape", 2..=2, &[("allowzero", FLAG)]),
    operator(
        "Resize",
        1..=4,
        &[
            ("antialias", FLAG),
            ("axes", AXES),
            ("coordinate_transformation_mode", COORDINATES),
            ("cubic_coeff_a", Float),
            ("exclude_outside", FLAG),
            ("extrapolation_value", Float),
            ("keep_aspect_ratio_policy", Word(&["stretch", "not_larger", "not_smaller"])),
            ("mode", Word(&["nearest", "linear", "cubic"])),
            ("nearest_mode", Word(&["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])),
        ],
    ),
    operator("Round", 1..=1, &[]),
    operator("Selu", 1..=1, &[("alpha", Float), ("gamma", Float)]),
    operator("Shape", 1..=1, &[("end", Int(i64::MIN, i64::MAX)), ("start", Int(i64::MIN, i64::MAX))]),
    operator("Sigmoid", 1..=1, &[]),
    operator("Sign", 1..=1, &[]),
    operator("Sin", 1..=1, &[]),
    operator(
        "Slice",
        1..=5,
        &[("axes", AXES), ("ends", Ints(i64::MIN, i64::MAX)), ("starts", Ints(i64::MIN, i64::MAX))],
    ),
    operator("Softmax", 1..=1, &[("axis", AXIS)]),
    operator("Softplus", 1..=1, &[]),
    operator("Softsign", 1..=1, &[]),
    operator("SpaceToDepth", 1..=1, &[("blocksize", STEP)]),
    operator("Split", 1..=2, &[("axis", AXIS), ("num_outputs", STEP), ("split", Ints(0, i64::MAX))]),
    operator("Sqrt", 1..=1, &[]),
    operator("Squeeze", 1..=2, &[("axes", AXES)]),
    operator("Sub", 2..=2, &[]),
    operator("Sum", 1..=ANY, &[]),
    operator("Tanh", 1..=1, &[]),
    operator("ThresholdedRelu", 1..=1, &[("alpha", Float)]),
    operator("Tile", 2..=2, &[]),
    operator("TopK", 1..=2, &[("axis", AXIS), ("k", Int(0, i64::MAX)), ("largest", FLAG), ("sorted", FLAG)]),
    operator("Transpose", 1..=1, &[("perm", Ints(0, RANK))]),
    operator("Trilu", 1..=2, &[("upper", FLAG)]),
    operator("Unsqueeze", 1..=2, &[("axes", AXES)]),
    operator("Upsample", 1..=2, &[("mode", Word(&["nearest", "linear"])), ("scales", Floats)]),
    operator("Where", 3..=3, &[]),
    operator("Xor", 2..=2, &[]),
];

/// The version of the operator set from which on most operators are read: before it, broadcasting meant
/// something else.
const SINCE: i64 = 7;

/// Operators that an earlier version means alike.
static SINCE_EARLIER: &[(&str, i64)] = &[
    ("Abs", 6),
    ("ArgMax", 1),
    ("ArgMin", 1),
    ("AveragePool", 1),
    ("Ceil", 6),
    ("Clip", 6),
    ("Concat", 4),
    ("Constant", 1),
    ("Conv", 1),
    ("ConvTranspose", 1),
    ("DepthToSpace", 1),
    ("Elu", 6),
    ("Exp", 6),
    ("Flatten", 1),
    ("Floor", 6),
    ("Gather", 1),
    ("GlobalAveragePool", 1),
    ("GlobalMaxPool", 1),
    ("HardSigmoid", 6),
    ("Identity", 1),
    ("InstanceNormalization", 6),
    ("LeakyRelu", 6),
    ("Log", 6),
    ("LogSoftmax", 1),
    ("LpNormalization", 1),
    ("MatMul", 1),
    ("MaxPool", 1),
    ("Neg", 6),
    ("Pad", 2),
    ("Reciprocal", 6),
    ("ReduceL1", 1),
    ("ReduceL2", 1),
    ("ReduceLogSum", 1),
    ("ReduceLogSumExp", 1),
    ("ReduceMax", 1),
    ("ReduceMean", 1),
    ("ReduceMin", 1),
    ("ReduceProd", 1),
    ("ReduceSum", 1),
    ("ReduceSumSquare", 1),
    ("Relu", 6),
    ("Reshape", 5),
    ("Selu", 6),
    ("Shape", 1),
    ("Sigmoid", 6),
    ("Slice", 1),
    ("Softmax", 1),
    ("Softplus", 1),
    ("Softsign", 1),
    ("SpaceToDepth", 1),
    ("Split", 2),
    ("Sqrt", 6),
    ("Squeeze", 1),
    ("Tanh", 6),
    ("Tile", 6),
    ("Transpose", 1),
    ("Unsqueeze", 1),
];

/// Attributes that an operator cannot do without.
static REQUIRED: &[(&str, &str)] = &[
    ("AveragePool", "kernel_shape"),
    ("Cast", "to"),
    ("Concat", "axis"),
    ("DepthToSpace", "blocksize"),
    ("Einsum", "equation"),
    ("GroupNormalization", "num_groups"),
    ("MaxPool", "kernel_shape"),
    ("SpaceToDepth", "blocksize"),
];

/// Every operator that is read, by name, and the version of the operator set from which on it is.
pub(super) fn all() -> impl Iterator<Item = (&'static str, i64)> {
    OPERATORS.iter().map(|operator| (operator.name, operator.since()))
}

impl Operator {
    fn since(&self) -> i64 {
        let earlier = SINCE_EARLIER.iter().find(|(name, _)| *name == self.name);
        earlier.map_or(SINCE, |(_, since)| *since)
    }
}

/// The operator of `node`; `None` when it is not there.
pub(super) fn find(node: &NodeProto) -> Option<&'static Operator> {
    if !matches!(&*node.domain, "" | "ai.onnx") {
        return None;
    }
    OPERATORS.iter().find(|operator| operator.name == node.op_type)
}

/// Whether `node` goes through sequences step by step. Such nodes may leave out any of their outputs.
pub(super) fn is_recurrent(node: &NodeProto) -> bool {
    matches!(&*node.op_type, "GRU" | "LSTM" | "RNN")
}

/// Why `node` is not read in version `opset` of the operator set, though the file may be right; empty where
/// the operator is not there at all.
pub(super) fn refusal(node: &NodeProto, opset: i64) -> Option<String> {
    let Some(operator) = find(node) else { return Some(quantized::reason(node)) };
    let since = operator.since();
    (opset < since).then(|| format!("it is read from version {since} of the operator set on"))
}

/// The version of the operator set of `domain`.
pub(super) fn version(model: &ModelProto, domain: &str) -> Option<i64> {
    let same = |other: &str| other == domain || (other == "ai.onnx" && domain.is_empty());
    model.opset_import.iter().find(|set| same(&set.domain)).map(|set| set.version)
}

/// Checks the number of operands and the attributes of `node`, when its operator is known.
pub(super) fn check(node: &NodeProto, index: usize) -> Result<(), ImportError> {
    let Some(operator) = find(node) else { return Ok(()) };
    let fail = |problem: String| Err(node_error(node, index, problem));
    let given = node.input.len();
    if !operator.inputs.contains(&given) {
        let (least, most) = (operator.inputs.start(), operator.inputs.end());
        return fail(format!("has {given} inputs, where it takes {least} to {most}"));
    }
    if node.output[0].is_empty() && !is_recurrent(node) {
        return fail("does not write its first output".into());
    }
    if node.input.iter().take(*operator.inputs.start()).any(String::is_empty) {
        return fail("lacks an input that it needs".into());
    }
    let given = |name: &str| node.attribute.iter().any(|attribute| attribute.name == name);
    let mut required = REQUIRED.iter().filter(|(of, _)| *of == node.op_type).map(|(_, name)| name);
    if let Some(missing) = required.find(|name| !given(name)) {
        return fail(format!("has no `{missing}`"));
    }
    for (position, attribute) in node.attribute.iter().enumerate() {
        let name = &attribute.name;
        if node.attribute[..position].iter().any(|other| other.name == *name) {
            return fail(format!("has attribute `{name}` twice"));
        }
        let Some((_, values)) = operator.attributes.iter().find(|(known, _)| known == name) else {
            return fail(format!("has an attribute `{name}`, which it does not take"));
        };
        values.check(attribute).or_else(|problem| fail(format!("has an attribute `{name}` {problem}")))?;
    }
    Ok(())
}

impl Values {
    fn check(&self, attribute: &AttributeProto) -> Result<(), String> {
        let kind = match self {
            Int(..) => AttributeType::Int,
            Ints(..) => AttributeType::Ints,
            Float => AttributeType::Float,
            Floats => AttributeType::Floats,
            Word(_) | Text => AttributeType::String,
            Words => AttributeType::Strings,
            Tensor => AttributeType::Tensor,
        };
        if attribute.r#type != kind as i32 || !attribute.ref_attr_name.is_empty() {
            return Err("of another type than the operator takes".into());
        }
        let outside = |value: i64, least: i64, most: i64| match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(format!("of {value}, where {least} to {most} are possible")),
        };
        match self {
            Int(least, most) => outside(attribute.i, *least, *most),
            Ints(least, most) => attribute.ints.iter().try_for_each(|&value| outside(value, *least, *most)),
            Float | Floats | Text | Words => Ok(()),
            Word(words) => {
                let given = String::from_utf8_lossy(&attribute.s);
                let known = words.contains(&&*given);
                if known { Ok(()) } else { Err(format!("of `{given}`, where one of {words:?} is possible")) }
            }
            Tensor => {
                let tensor = attribute.t.as_ref().ok_or("without its tensor")?;
                constants::check(tensor).map(|_| ()).map_err(|error| format!("that is wrong: {error}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_and_attributes_are_sorted() {
        assert!(OPERATORS.is_sorted_by_key(|operator| operator.name));
        for operator in OPERATORS {
            assert!(operator.attributes.is_sorted_by_key(|(name, _)| name), "{}", operator.name);
        }
    }
}
