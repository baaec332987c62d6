//! Files that are damaged, made to harm, or ask for what is not there: an error each, and which.

#![cfg(feature = "onnx")]

mod support;

use std::time::{Duration, Instant};

use edgepkg_quantize::import::ImportError;
use edgepkg_quantize::simplify::simplify;
use support::Random;
use support::onnx_file::{OnnxFile, float, float_tensor, int, int_tensor, ints, tensor, word};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto};

/// A file with one node on `x: [1, 2, 6, 6]`.
fn single(op: &str, constants: Vec<TensorProto>, attributes: Vec<AttributeProto>) -> OnnxFile {
    let mut file = OnnxFile::new(13);
    file.input("x", &[1, 2, 6, 6]);
    let constants: Vec<String> = constants.into_iter().map(|constant| file.tensor(constant)).collect();
    let inputs: Vec<&str> = ["x"].into_iter().chain(constants.iter().map(|name| &**name)).collect();
    let y = file.node(op, &inputs, attributes);
    file.output(&y);
    file
}

fn kernel() -> Vec<TensorProto> {
    vec![float_tensor(&[3, 2, 3, 3], vec![0.5; 54])]
}

/// A node without operands that vary, its result added to `x`.
fn constant_node(op: &str, inputs: Vec<TensorProto>, attributes: Vec<AttributeProto>) -> OnnxFile {
    let mut file = OnnxFile::new(13);
    file.input("x", &[1, 2, 6, 6]);
    let inputs: Vec<String> = inputs.into_iter().map(|constant| file.tensor(constant)).collect();
    let inputs: Vec<&str> = inputs.iter().map(|name| &**name).collect();
    let constant = file.node(op, &inputs, attributes);
    let y = file.node("Add", &["x", &constant], vec![]);
    file.output(&y);
    file
}

fn refusal(file: &OnnxFile) -> ImportError {
    let started = Instant::now();
    let error = support::read_onnx(&file.bytes()).expect_err("it is refused");
    assert!(started.elapsed() < Duration::from_secs(5), "{error}");
    error
}

/// Asserts that `file` is refused with a message that contains `part`.
#[track_caller]
fn refused(file: &OnnxFile, part: &str) {
    let message = refusal(file).to_string();
    assert!(message.contains(part), "{message}\ndoes not say {part}");
    assert!(!message.contains("contradict each other"), "tract panicked: {part}");
}

#[test]
fn data_that_does_not_fit_its_shape() {
    let mut text = float_tensor(&[3, 2, 3, 3], vec![]);
    text.data_type = DataType::String as i32;
    text.raw_data = vec![b'a'; 7];
    refused(&single("Conv", vec![text], vec![]), "type string");
    let mut short = float_tensor(&[3, 2, 3, 3], vec![]);
    short.raw_data = vec![0; 53 * 4];
    refused(&single("Conv", vec![short], vec![]), "has 212 bytes, where its shape says 216");
    let few = float_tensor(&[3, 2, 3, 3], vec![0.5; 2]);
    refused(&single("Conv", vec![few], vec![]), "has 2 elements, where its shape says 54");
    let mut negative = float_tensor(&[3], vec![0.5; 3]);
    negative.dims = vec![-3];
    refused(&single("Add", vec![negative], vec![]), "shape [-3]");
    let mut huge = float_tensor(&[3], vec![0.5; 3]);
    huge.dims = vec![1 << 40, 1 << 40];
    refused(&single("Add", vec![huge], vec![]), "has shape");
    let mut external = float_tensor(&[3], vec![]);
    external.data_location = Some(1);
    refused(&single("Add", vec![external], vec![]), "lies in another file");
}

#[test]
fn windows_that_are_none() {
    let conv = |attributes| single("Conv", kernel(), attributes);
    refused(&conv(vec![ints("strides", &[0, 1])]), "`strides` of 0");
    refused(&conv(vec![ints("dilations", &[1, -2])]), "`dilations` of -2");
    refused(&conv(vec![ints("pads", &[1, 1])]), "`pads` [1, 1], where 4 values are needed");
    refused(&conv(vec![ints("pads", &[-1, 0, 0, 0])]), "`pads` of -1");
    refused(&conv(vec![ints("pads", &[1 << 40; 4])]), "`pads` of 1099511627776");
    refused(&conv(vec![ints("kernel_shape", &[0, 0])]), "`kernel_shape` of 0");
    refused(&conv(vec![ints("kernel_shape", &[2, 3])]), "`kernel_shape` says");
    refused(&conv(vec![int("group", 0)]), "`group` of 0");
    refused(&conv(vec![int("group", 2)]), "in 2 groups for 2 channels");
    refused(&conv(vec![word("auto_pad", "SOME")]), "one of");
    refused(&conv(vec![ints("strides", &[1, 1]), ints("strides", &[1, 1])]), "twice");
    refused(&conv(vec![int("strides", 1)]), "of another type");
    refused(&conv(vec![int("speed", 1)]), "which it does not take");
    let empty = float_tensor(&[3, 2, 0, 3], vec![]);
    refused(&single("Conv", vec![empty], vec![]), "weights of shape [3, 2, 0, 3]");
    let large = float_tensor(&[1, 2, 9, 9], vec![0.5; 162]);
    refused(&single("Conv", vec![large], vec![]), "a window of 9 over 0 + 6 + 0 elements");
    refused(&single("MaxPool", vec![], vec![]), "no `kernel_shape`");
    let pool = vec![ints("kernel_shape", &[2, 2]), ints("pads", &[2, 0, 0, 0])];
    refused(&single("AveragePool", vec![], pool), "padding 2 and 0 around a window of 2");
}

#[test]
fn axes_and_orders_that_are_none() {
    refused(&single("Flatten", vec![], vec![int("axis", -99)]), "`axis` of -99");
    refused(&single("Flatten", vec![], vec![int("axis", 5)]), "axis 5 on 4 dimensions");
    refused(&single("Softmax", vec![], vec![int("axis", 4)]), "axis 4 on a tensor of 4 dimensions");
    refused(&single("Transpose", vec![], vec![ints("perm", &[0, 0, 0, 0])]), "`perm` [0, 0, 0, 0]");
    refused(&single("Transpose", vec![], vec![ints("perm", &[0, 1, 2, 9])]), "`perm` of 9");
    refused(&single("Transpose", vec![], vec![ints("perm", &[0, 1, 2, 5])]), "`perm` [0, 1, 2, 5]");
    refused(&single("Transpose", vec![], vec![ints("perm", &[1, 0])]), "`perm` [1, 0]");
    refused(&single("Concat", vec![], vec![]), "has no `axis`");
    refused(&single("Squeeze", vec![int_tensor(&[1])], vec![]), "takes axes [1] out of shape [1, 2, 6, 6]");
    refused(&single("Unsqueeze", vec![int_tensor(&[1, 1])], vec![]), "the same axis twice");
    refused(&single("ReduceMean", vec![], vec![ints("axes", &[2, -2])]), "ReduceMean");
    refused(&single("Pad", vec![int_tensor(&[0, 0, 0])], vec![]), "3 pads for 4 axes");
    refused(&single("Pad", vec![int_tensor(&[0, 0, -1, 0, 0, 0, 0, 0])], vec![]), "pads by [0, 0, -1");
    refused(&single("Reshape", vec![int_tensor(&[5, -1])], vec![]), "reshapes [1, 2, 6, 6] to [5, -1]");
    refused(&single("Reshape", vec![int_tensor(&[-1, -1])], vec![]), "to [-1, -1]");
    refused(&single("Reshape", vec![int_tensor(&[i64::MAX, i64::MAX])], vec![]), "reshapes");
    refused(&single("Slice", vec![int_tensor(&[3]), int_tensor(&[3, 4])], vec![]), "1 starts");
    refused(
        &single("Slice", vec![int_tensor(&[3]), int_tensor(&[2]), int_tensor(&[2])], vec![]),
        "no element",
    );
}

#[test]
fn tensors_too_large_to_make() {
    let huge = int_tensor(&[1 << 20, 1 << 17]);
    refused(&constant_node("ConstantOfShape", vec![huge.clone()], vec![]), "makes a tensor of shape");
    let one = float_tensor(&[1, 1], vec![1.0]);
    refused(&constant_node("Expand", vec![one.clone(), huge], vec![]), "makes a tensor of shape");
    let negative = int_tensor(&[-4]);
    refused(&constant_node("ConstantOfShape", vec![negative], vec![]), "makes a tensor of shape [-4]");
    let column = float_tensor(&[1 << 14, 1], vec![1.0; 1 << 14]);
    let row = float_tensor(&[1, 1 << 14], vec![1.0; 1 << 14]);
    refused(&constant_node("Add", vec![column.clone(), row.clone()], vec![]), "makes a tensor of shape");
    refused(&constant_node("MatMul", vec![column, row], vec![]), "makes a tensor of shape");
    let wide = int_tensor(&[0, 0, 30000, 30000, 0, 0, 30000, 30000]);
    refused(&single("Pad", vec![wide], vec![]), "makes a tensor of shape");
}

#[test]
fn graphs_that_are_none() {
    let relu = || single("Relu", vec![], vec![]);
    assert!(support::read_onnx(&[]).expect_err("empty").to_string().contains("no graph"));
    assert!(support::read_onnx(b"not a model").is_err());
    let bytes = relu().bytes();
    for end in 0..bytes.len() {
        assert!(support::read_onnx(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut file = relu();
    file.output("nowhere");
    refused(&file, "no node writes its output `nowhere`");
    file = relu();
    file.graph.output.clear();
    refused(&file, "has no outputs");
    file = relu();
    file.graph.node[0].input[0] = "later".into();
    refused(&file, "reads `later`, which no earlier node writes");
    file = relu();
    file.graph.node[0].output[0] = "x".into();
    refused(&file, "writes `x`, which is there already");
    file = relu();
    file.graph.node[0].input.clear();
    refused(&file, "has 0 inputs");
    file = relu();
    file.graph.input.clear();
    file.graph.node[0].input[0] = file.floats(&[1], vec![1.0]);
    refused(&file, "has no inputs");
    file = relu();
    file.opset = 27;
    refused(&file, "operator set is version 27");
    file = single("Add", vec![float_tensor(&[1], vec![1.0])], vec![]);
    file.opset = 6;
    refused(&file, "it is read from version 7 of the operator set on");
    file = single("Add", vec![float_tensor(&[5], vec![1.0; 5])], vec![]);
    refused(&file, "which do not fit");
    file = constant_node("Constant", vec![], vec![tensor("value", float_tensor(&[2], vec![1.0]))]);
    refused(&file, "has 1 elements, where its shape says 2");
    file = relu();
    let constant = file.floats(&[1], vec![1.0]);
    file.output(&constant);
    refused(&file, "does not depend on its input");
}

#[test]
fn everything_unsupported_is_named_at_once() {
    let mut file = OnnxFile::new(13);
    file.input("x", &[1, 2, 6, 6]);
    let a = file.node("LRN", &["x"], vec![]);
    let b = file.node("Relu", &[&a], vec![]);
    let _ = file.node("Hardmax", &[&b], vec![]);
    let c = file.node("MaxPool", &["x"], vec![ints("kernel_shape", &[2, 2]), ints("dilations", &[2, 2])]);
    let d = file.node("MatMul", &[&c, &c], vec![]);
    file.graph.node.push(NodeProto {
        op_type: "Fused".into(),
        domain: "com.example".into(),
        input: vec![d],
        output: vec!["y".into()],
        ..NodeProto::default()
    });
    file.output("y");
    let ImportError::UnsupportedOperators(found) = refusal(&file) else { panic!("another error") };
    let found: Vec<(&str, &str, &str)> =
        found.iter().map(|op| (&*op.operator, &*op.node, &*op.reason)).collect();
    assert_eq!(
        found,
        [
            ("LRN", "LRN_0", ""),
            ("Hardmax", "Hardmax_2", ""),
            ("MaxPool", "MaxPool_3", "dilations"),
            ("com.example.Fused", "y", ""),
        ]
    );
    let message = refusal(&file).to_string();
    assert!(
        message.contains("MaxPool `MaxPool_3` [1, 2, 6, 6] -> [1, 2, 4, 4], version 13: dilations"),
        "{message}"
    );
}

#[test]
fn open_shapes_are_named_and_the_batch_is_one() {
    let mut file = OnnxFile::new(13);
    file.open_input("x", &[None, Some(3)], "N");
    let y = file.node("Relu", &["x"], vec![]);
    file.output(&y);
    let graph = support::read_onnx(&file.bytes()).expect("an open batch is 1");
    assert_eq!(graph.tensor(graph.outputs[0]).shape, [1, 3]);
    let mut file = OnnxFile::new(13);
    file.open_input("x", &[None, Some(3), None], "length");
    let y = file.node("Relu", &["x"], vec![]);
    file.output(&y);
    let message = refusal(&file).to_string();
    assert!(message.contains("input `x` [length, 3, length] leaves open length"), "{message}");
}

/// A network with operators of every kind.
fn network() -> OnnxFile {
    let mut file = OnnxFile::new(13);
    file.input("x", &[1, 2, 6, 6]);
    let weights = file.floats(&[4, 2, 3, 3], vec![0.5; 72]);
    let window = |kernel| vec![ints("kernel_shape", &[kernel; 2]), ints("strides", &[1, 1])];
    let padded =
        [window(3), vec![ints("pads", &[1; 4]), ints("dilations", &[1, 1]), int("group", 1)]].concat();
    let y = file.node("Conv", &["x", &weights], padded);
    let parameters = file.floats(&[4], vec![0.5; 4]);
    let y =
        file.node("BatchNormalization", &[&y, &parameters, &parameters, &parameters, &parameters], vec![]);
    let first = y.clone();
    let y =
        file.node("MaxPool", &[&y], [window(2), vec![ints("pads", &[0; 4]), int("ceil_mode", 0)]].concat());
    let y = file.node("AveragePool", &[&y], [window(2), vec![int("count_include_pad", 1)]].concat());
    let pads = file.ints(&[0, 0, 1, 1, 0, 0, 1, 1]);
    let y = file.node("Pad", &[&y, &pads], vec![]);
    let lists = [[1], [5], [3], [1]].map(|list| file.ints(&list));
    let y = file.node("Slice", &[&y, &lists[0], &lists[1], &lists[2], &lists[3]], vec![]);
    let y = file.node("Concat", &[&y, &y], vec![int("axis", -1)]);
    let y = file.node("Transpose", &[&y], vec![ints("perm", &[0, 2, 3, 1])]);
    let y = file.node("ReduceMean", &[&y], vec![ints("axes", &[1, -2]), int("keepdims", 1)]);
    let axes = file.ints(&[1, 2]);
    let y = file.node("Squeeze", &[&y, &axes], vec![]);
    let axes = file.ints(&[1]);
    let y = file.node("Unsqueeze", &[&y, &axes], vec![]);
    let shape = file.node("Shape", &[&y], vec![]);
    let filled =
        file.node("ConstantOfShape", &[&shape], vec![tensor("value", float_tensor(&[1], vec![2.0]))]);
    let y = file.node("Mul", &[&y, &filled], vec![]);
    let y = file.node("Flatten", &[&y], vec![int("axis", 1)]);
    let shape = file.ints(&[1, -1]);
    let y = file.node("Reshape", &[&y, &shape], vec![]);
    let weights = file.floats(&[4, 3], vec![0.25; 12]);
    let y = file.node("Gemm", &[&y, &weights], vec![int("transB", 0), int("transA", 0)]);
    let y = file.node("Softmax", &[&y], vec![int("axis", -1)]);
    file.output(&y);
    let slope = file.floats(&[4, 1, 1], vec![0.25; 4]);
    let z = file.node("PRelu", &[&first, &slope], vec![]);
    let z = file.node("DepthToSpace", &[&z], vec![int("blocksize", 2)]);
    let z = file.node("SpaceToDepth", &[&z], vec![int("blocksize", 3)]);
    let axes = file.ints(&[1, -1]);
    let greatest = file.node("ReduceMax", &[&z], vec![ints("axes", &[1, -1]), int("keepdims", 1)]);
    let sum = file.node("ReduceSum", &[&z, &axes], vec![int("keepdims", 1)]);
    let z = file.node("Max", &[&sum, &greatest], vec![]);
    let repeats = file.ints(&[1, 2, 1, 3]);
    let z = file.node("Tile", &[&z, &repeats], vec![]);
    let [factors, addends] = [0.5, -1.0].map(|value| file.floats(&[2], vec![value; 2]));
    let z = file.node("InstanceNormalization", &[&z, &factors, &addends], vec![]);
    let factors = file.floats(&[3], vec![0.5; 3]);
    let z = file.node("LayerNormalization", &[&z, &factors], vec![int("axis", -1)]);
    let indices = file.ints(&[1, 0, -1]);
    let weights = file.floats(&[2, 2, 2, 1], vec![0.5; 8]);
    let spread =
        [vec![ints("strides", &[2, 1]), ints("pads", &[0; 4])], vec![ints("output_padding", &[1, 0])]];
    let z = file.node("ConvTranspose", &[&z, &weights], spread.concat());
    let scales = file.floats(&[4], vec![1.0, 1.0, 1.5, 2.0]);
    let resized = vec![word("mode", "cubic"), float("cubic_coeff_a", -0.5), int("antialias", 1)];
    let z = file.node("Resize", &[&z, "", &scales], resized);
    let z = file.node("Gather", &[&z, &indices], vec![int("axis", 1)]);
    let sizes = file.ints(&[1, 2]);
    let z = file.node("Split", &[&z, &sizes], vec![int("axis", 1)]);
    file.graph.node.last_mut().expect("the split").output.push("second".into());
    file.output("second");
    let exponent = file.floats(&[1], vec![2.0]);
    let z = file.node("Pow", &[&z, &exponent], vec![]);
    let z = file.node("Elu", &[&z], vec![float("alpha", 0.5)]);
    let z = file.node("LogSoftmax", &[&z], vec![int("axis", -1)]);
    file.output(&z);
    file
}

/// Reads a file that may be damaged: it ends soon, with a graph or an error, and without a panic in tract.
fn read_any(bytes: &[u8]) {
    let started = Instant::now();
    match support::read_onnx(bytes) {
        Ok(graph) => drop(simplify(graph)),
        Err(error) => assert!(!error.to_string().contains("contradict each other"), "a panic: {bytes:?}"),
    }
    assert!(started.elapsed() < Duration::from_secs(5), "too long: {bytes:?}");
}

#[test]
fn files_with_changed_bytes_are_read_or_refused() {
    let bytes = network().bytes();
    support::read_onnx(&bytes).expect("unchanged it is read");
    let mut random = Random::new(7);
    for _ in 0..2000 {
        let mut changed = bytes.clone();
        for _ in 0..random.within(1..=4) {
            let at = random.within(0..=changed.len() - 1);
            changed[at] = *random.pick(&[0, 1, 2, 3, 8, 127, 128, 255, 40, 200]);
        }
        read_any(&changed);
    }
}

#[test]
fn files_with_changed_structure_are_read_or_refused() {
    const INTS: [i64; 14] = [0, 1, -1, 2, 3, 4, 7, -2, -99, 64, 40_000, 1 << 31, 1 << 40, i64::MIN];
    const OPERATORS: [&str; 30] = [
        "Add",
        "MatMul",
        "Expand",
        "Gather",
        "Conv",
        "MaxPool",
        "Clip",
        "Concat",
        "Softmax",
        "Cast",
        "Dropout",
        "Div",
        "Split",
        "Tile",
        "PRelu",
        "Pow",
        "Max",
        "Mean",
        "ReduceMax",
        "ReduceSum",
        "LogSoftmax",
        "Log",
        "HardSigmoid",
        "LayerNormalization",
        "InstanceNormalization",
        "DepthToSpace",
        "SpaceToDepth",
        "Resize",
        "Upsample",
        "ConvTranspose",
    ];
    let mut random = Random::new(11);
    for _ in 0..4000 {
        let mut file = network();
        file.opset = *random.pick(&[8, 10, 11, 12, 13, 13, 13, 18, 21]);
        for _ in 0..random.within(1..=3) {
            let tensors = file.graph.initializer.len();
            let names: Vec<String> = file.graph.node.iter().map(|node| node.output[0].clone()).collect();
            let at = random.within(0..=file.graph.node.len() - 1);
            let constant = random.within(0..=tensors - 1);
            let node = &mut file.graph.node[at];
            let value = *random.pick(&INTS);
            match random.within(0..=9) {
                0 | 1 => {
                    for attribute in &mut node.attribute {
                        attribute.i = value;
                        if !attribute.ints.is_empty() {
                            let position = random.within(0..=attribute.ints.len() - 1);
                            attribute.ints[position] = value;
                        }
                    }
                }
                2 => node.attribute.iter_mut().for_each(|attribute| attribute.ints.push(value)),
                3 => node.attribute.clear(),
                4 => node.op_type = (*random.pick(&OPERATORS)).into(),
                5 | 6 if node.input.is_empty() => {}
                5 => {
                    let position = random.within(0..=node.input.len() - 1);
                    node.input[position] = format!("constant_{constant}");
                }
                6 => {
                    let position = random.within(0..=node.input.len() - 1);
                    node.input[position].clone_from(random.pick(&names));
                }
                7 => node.input.truncate(random.within(0..=2)),
                8 => {
                    let tensor = &mut file.graph.initializer[constant];
                    let position = random.within(0..=tensor.dims.len() - 1);
                    tensor.dims[position] = value;
                }
                _ => {
                    let tensor = &mut file.graph.initializer[constant];
                    tensor.int64_data.iter_mut().for_each(|element| *element = value);
                }
            }
        }
        read_any(&file.bytes());
    }
}
