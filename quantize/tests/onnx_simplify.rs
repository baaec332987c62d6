//! What is left of typical exports after simplification.

#![cfg(feature = "onnx")]

mod support;

use edgepkg_quantize::graph::{Activation, FloatGraph, Op};
use edgepkg_quantize::simplify::simplify;
use support::Random;
use support::onnx_file::{OnnxFile, float, int, ints};

/// A file in the making with constants of its own.
struct Export {
    file: OnnxFile,
    random: Random,
}

impl Export {
    fn new(input: &[usize]) -> Self {
        let mut file = OnnxFile::new(13);
        file.input("x", input);
        Self { file, random: Random::new(1) }
    }

    fn constant(&mut self, shape: &[usize]) -> String {
        let data = self.random.floats(shape.iter().product());
        self.file.floats(shape, data)
    }

    /// A 3x3 (or 3) convolution that keeps the extents.
    fn conv(&mut self, x: &str, out: usize, depth: usize, spatial: usize, group: i64) -> String {
        let weights = self.constant(&[&[out, depth][..], &vec![3; spatial]].concat());
        let attributes = vec![ints("pads", &vec![1; 2 * spatial]), int("group", group)];
        self.file.node("Conv", &[x, &weights], attributes)
    }

    fn batch_normalization(&mut self, x: &str, channels: usize) -> String {
        let [gamma, beta, mean] = [0; 3].map(|_| self.constant(&[channels]));
        let variance = self.file.floats(&[channels], vec![0.5; channels]);
        self.file.node("BatchNormalization", &[x, &gamma, &beta, &mean, &variance], vec![])
    }

    fn node(&mut self, op: &str, inputs: &[&str]) -> String {
        self.file.node(op, inputs, vec![])
    }

    fn dense(&mut self, x: &str, depth: usize, out: usize) -> String {
        let (weights, bias) = (self.constant(&[out, depth]), self.constant(&[out]));
        self.file.node("Gemm", &[x, &weights, &bias], vec![int("transB", 1)])
    }

    /// The simplified graph, after it was compared with tract.
    fn simplified(mut self, output: &str) -> FloatGraph {
        self.file.output(output);
        let bytes = self.file.bytes();
        let imported = support::read_onnx(&bytes).expect("it is read");
        let shape = imported.tensor(imported.inputs[0]).shape.clone();
        let input = self.random.floats(shape.iter().product());
        let expected = support::run_tract(&bytes, &[(shape, input.clone())]).expect("tract runs it");
        let simplified = simplify(imported);
        let found = support::interpret(&simplified, &[input]);
        support::assert_close(&found[0], &expected[0], 1e-4, output);
        simplified
    }
}

fn operators(graph: &FloatGraph) -> Vec<&'static str> {
    graph.nodes.iter().map(|node| node.op.name()).collect()
}

#[test]
fn a_residual_network_in_nchw_keeps_one_transpose() {
    let mut export = Export::new(&[1, 3, 8, 8]);
    let x = export.conv("x", 4, 3, 2, 1);
    let x = export.batch_normalization(&x, 4);
    let x = export.node("Relu", &[&x]);
    let y = export.conv(&x, 4, 1, 2, 4);
    let y = export.batch_normalization(&y, 4);
    let y = export.file.node("LeakyRelu", &[&y], vec![float("alpha", 0.5)]);
    let y = export.conv(&y, 4, 2, 2, 2);
    let y = export.batch_normalization(&y, 4);
    let sum = export.node("Add", &[&x, &y]);
    let sum = export.node("Relu", &[&sum]);
    let pooled = export.node("GlobalAveragePool", &[&sum]);
    let flat = export.node("Flatten", &[&pooled]);
    let y = export.dense(&flat, 4, 5);
    let graph = export.simplified(&y);
    assert_eq!(
        operators(&graph),
        [
            "Transpose",
            "Conv2D",
            "DepthwiseConv2D",
            "LeakyRelu",
            "Conv2D",
            "Add",
            "Mean",
            "Reshape",
            "FullyConnected"
        ]
    );
    assert_eq!(graph.nodes[1].name, "Conv_0", "the fused operator has the convolution's name");
    let Op::Add { activation } = graph.nodes[5].op else { panic!("an Add") };
    assert_eq!(activation, Activation::RELU);
    assert!(graph.nodes[1].inputs.len() == 3, "the normalization is in the bias");
}

#[test]
fn a_shortcut_from_the_input_shares_its_transpose() {
    let mut export = Export::new(&[1, 4, 6, 6]);
    let y = export.conv("x", 4, 4, 2, 1);
    let sum = export.node("Add", &[&y, "x"]);
    let y = export.conv(&sum, 2, 4, 2, 1);
    let graph = export.simplified(&y);
    assert_eq!(operators(&graph), ["Transpose", "Conv2D", "Add", "Conv2D", "Transpose"]);
}

#[test]
fn flattened_features_are_permuted_in_the_weights() {
    let mut export = Export::new(&[1, 1, 6, 5]);
    let y = export.conv("x", 3, 1, 2, 1);
    let y = export.file.node("MaxPool", &[&y], vec![ints("kernel_shape", &[2, 2])]);
    let y = export.node("Relu", &[&y]);
    let shape = export.file.ints(&[-1, 60]);
    let y = export.node("Reshape", &[&y, &shape]);
    let y = export.dense(&y, 60, 4);
    let graph = export.simplified(&y);
    assert_eq!(operators(&graph), ["Reshape", "Conv2D", "MaxPool2D", "Reshape", "FullyConnected"]);
}

#[test]
fn one_dimensional_networks_become_images_of_height_1() {
    let mut export = Export::new(&[1, 3, 16]);
    let y = export.conv("x", 4, 3, 1, 1);
    let y = export.batch_normalization(&y, 4);
    let y = export.node("Relu", &[&y]);
    let y = export.file.node("MaxPool", &[&y], vec![ints("kernel_shape", &[2]), ints("strides", &[2])]);
    let z = export.conv(&y, 4, 1, 1, 4);
    let y = export.node("Add", &[&y, &z]);
    let y = export.conv(&y, 4, 4, 1, 1);
    let y = export.node("GlobalAveragePool", &[&y]);
    let y = export.node("Flatten", &[&y]);
    let y = export.dense(&y, 4, 2);
    let graph = export.simplified(&y);
    assert_eq!(
        operators(&graph),
        [
            "Transpose",
            "Reshape",
            "Conv2D",
            "MaxPool2D",
            "DepthwiseConv2D",
            "Add",
            "Conv2D",
            "Mean",
            "Reshape",
            "FullyConnected"
        ]
    );
}

#[test]
fn pads_go_into_the_windows_behind_them() {
    let mut export = Export::new(&[1, 2, 7, 7]);
    let pads = export.file.ints(&[0, 0, 1, 0, 0, 0, 2, 1]);
    let x = export.node("Pad", &["x", &pads]);
    let y = export.conv(&x, 4, 2, 2, 1);
    let y = export.node("Relu", &[&y]);
    let pads = export.file.ints(&[0, 0, 1, 1, 0, 0, 0, 0]);
    let y = export.node("Pad", &[&y, &pads]);
    let y = export.file.node("MaxPool", &[&y], vec![ints("kernel_shape", &[2, 2])]);
    let graph = export.simplified(&y);
    assert_eq!(operators(&graph), ["Transpose", "Conv2D", "MaxPool2D", "Transpose"]);
    let Op::Conv2d(conv) = &graph.nodes[1].op else { panic!("a convolution") };
    let padding = conv.padding;
    assert_eq!([padding.top, padding.left, padding.bottom, padding.right], [2, 1, 3, 2]);
}

#[test]
fn shapes_computed_in_the_model_are_folded() {
    let mut export = Export::new(&[1, 2, 4, 4]);
    let y = export.conv("x", 3, 2, 2, 1);
    let shape = export.node("Shape", &[&y]);
    let zero = export.file.tensor(support::onnx_file::int_tensor(&[0]));
    let batch = export.node("Gather", &[&shape, &zero]);
    let rest = export.file.ints(&[-1]);
    let shape = export.file.node("Concat", &[&batch, &rest], vec![int("axis", 0)]);
    let y = export.node("Reshape", &[&y, &shape]);
    let y = export.dense(&y, 48, 2);
    let graph = export.simplified(&y);
    assert_eq!(operators(&graph), ["Transpose", "Conv2D", "Reshape", "FullyConnected"]);
}

#[test]
fn branches_in_nchw_are_joined_in_nhwc() {
    let mut export = Export::new(&[1, 2, 4, 4]);
    let a = export.conv("x", 3, 2, 2, 1);
    let b = export.conv("x", 2, 2, 2, 1);
    let b = export.node("Sigmoid", &[&b]);
    let joined = export.file.node("Concat", &[&a, &b], vec![int("axis", 1)]);
    let y = export.conv(&joined, 1, 5, 2, 1);
    let graph = export.simplified(&y);
    assert_eq!(
        operators(&graph),
        ["Transpose", "Conv2D", "Conv2D", "Logistic", "Concat", "Conv2D", "Reshape"]
    );
}

#[test]
fn products_have_their_constant_on_either_side() {
    let mut export = Export::new(&[1, 6, 3]);
    let left = export.constant(&[4, 6]);
    let y = export.node("MatMul", &[&left, "x"]);
    let graph = export.simplified(&y);
    assert_eq!(operators(&graph), ["Transpose", "FullyConnected", "Transpose"]);
    let mut export = Export::new(&[1, 2, 6]);
    let vector = export.constant(&[6]);
    let y = export.node("MatMul", &["x", &vector]);
    assert_eq!(operators(&export.simplified(&y)), ["FullyConnected", "Reshape"]);
    for (swapped, shape) in [(0, [6, 3]), (1, [3, 6])] {
        let mut export = Export::new(&shape);
        let (left, addend) = (export.constant(&[6, 4]), export.constant(&[4, 1]));
        let attributes =
            vec![int("transA", 1), int("transB", swapped), float("alpha", 0.5), float("beta", 2.0)];
        let y = export.file.node("Gemm", &[&left, "x", &addend], attributes);
        let graph = export.simplified(&y);
        assert!(operators(&graph).contains(&"FullyConnected"));
    }
    let mut export = Export::new(&[6, 3]);
    let (right, addend) = (export.constant(&[6, 4]), export.constant(&[3, 4]));
    let y = export.file.node("Gemm", &["x", &right, &addend], vec![int("transA", 1)]);
    assert_eq!(operators(&export.simplified(&y)), ["Transpose", "FullyConnected", "Add"]);
}

#[test]
fn windows_that_reach_beyond_the_image_count_what_is_there() {
    for op in ["MaxPool", "AveragePool"] {
        let mut export = Export::new(&[1, 1, 6, 7]);
        let window = vec![ints("kernel_shape", &[3, 2]), ints("strides", &[2, 2]), int("ceil_mode", 1)];
        let y = export.file.node(op, &["x"], window);
        assert_eq!(operators(&export.simplified(&y)).len(), 3);
    }
}

#[test]
fn functions_written_as_several_operators_become_one() {
    let written = |write: fn(&mut Export, &str) -> String, function: &str| {
        let mut export = Export::new(&[1, 3, 8]);
        let x = export.node("Neg", &["x"]);
        let y = write(&mut export, &x);
        assert_eq!(operators(&export.simplified(&y)), ["Neg", function]);
    };
    fn scalar(export: &mut Export, value: f32) -> String {
        export.file.floats(&[], vec![value])
    }
    fn gate(export: &mut Export, x: &str) -> String {
        let [three, zero, six] = [3.0, 0.0, 6.0].map(|value| scalar(export, value));
        let raised = export.node("Add", &[x, &three]);
        export.node("Clip", &[&raised, &zero, &six])
    }
    let silu = |export: &mut Export, x: &str| {
        let gate = export.node("Sigmoid", &[x]);
        export.node("Mul", &[x, &gate])
    };
    written(silu, "Silu");
    let hard_swish_by_six = |export: &mut Export, x: &str| {
        let (gate, six) = (gate(export, x), scalar(export, 6.0));
        let gate = export.node("Div", &[&gate, &six]);
        export.node("Mul", &[x, &gate])
    };
    written(hard_swish_by_six, "HardSwish");
    let hard_swish_of_product = |export: &mut Export, x: &str| {
        let (gate, sixth) = (gate(export, x), scalar(export, 1.0 / 6.0));
        let product = export.node("Mul", &[x, &gate]);
        export.node("Mul", &[&sixth, &product])
    };
    written(hard_swish_of_product, "HardSwish");
    let hard_swish_by_sigmoid = |export: &mut Export, x: &str| {
        let slope = vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)];
        let gate = export.file.node("HardSigmoid", &[x], slope);
        export.node("Mul", &[&gate, x])
    };
    written(hard_swish_by_sigmoid, "HardSwish");
    let mish = |export: &mut Export, x: &str| {
        let y = export.node("Softplus", &[x]);
        let y = export.node("Tanh", &[&y]);
        export.node("Mul", &[x, &y])
    };
    written(mish, "Mish");
    let gelu = |export: &mut Export, x: &str| {
        let [root, one, half] = [2.0_f32.sqrt(), 1.0, 0.5].map(|value| scalar(export, value));
        let y = export.node("Div", &[x, &root]);
        let y = export.node("Erf", &[&y]);
        let y = export.node("Add", &[&y, &one]);
        let y = export.node("Mul", &[x, &y]);
        export.node("Mul", &[&y, &half])
    };
    written(gelu, "Gelu");
    let gelu_by_tanh = |export: &mut Export, x: &str| {
        let constants = [3.0, 0.044_715, 0.797_884_6, 1.0, 0.5].map(|value| scalar(export, value));
        let [three, cubic, slope, one, half] = &constants;
        let y = export.node("Pow", &[x, three]);
        let y = export.node("Mul", &[&y, cubic]);
        let y = export.node("Add", &[x, &y]);
        let y = export.node("Mul", &[&y, slope]);
        let y = export.node("Tanh", &[&y]);
        let y = export.node("Add", &[&y, one]);
        let x = export.node("Mul", &[x, half]);
        export.node("Mul", &[&x, &y])
    };
    written(gelu_by_tanh, "GeluTanh");
}

#[test]
fn products_that_are_no_function_stay() {
    let mut export = Export::new(&[1, 3, 8]);
    let slower = export.file.floats(&[], vec![0.99]);
    let y = export.node("Mul", &["x", &slower]);
    let y = export.node("Sigmoid", &[&y]);
    let y = export.node("Mul", &["x", &y]);
    assert_eq!(operators(&export.simplified(&y)), ["Mul", "Logistic", "Mul"]);
}
