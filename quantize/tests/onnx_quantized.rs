//! Random small quantized ONNX files: with QuantizeLinear and DequantizeLinear against tract, and written with
//! the operators on integers against the same with those. And what is refused of such files.

#![cfg(feature = "onnx")]

mod support;

use edgepkg_quantize::graph::{QuantizedGraph, Tensor};
use edgepkg_quantize::import::{ImportError, ImportOptions, onnx};
use edgepkg_quantize::simulate::{Simulator, dequantize_int8, quantize_int8};
use support::Random;
use support::onnx_file::{OnnxFile, float, int, ints};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, TensorProto};

const FILES: u64 = 400;

/// How an operator on quantized tensors is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// A float operator between DequantizeLinear and QuantizeLinear.
    Float,
    /// An operator on integers.
    Integer,
}

/// A tensor of integers, and the names of its parameters.
#[derive(Clone, Debug)]
struct Integers {
    value: String,
    scale: String,
    zero_point: String,
}

impl Integers {
    fn operands(&self) -> [&str; 3] {
        [&self.value, &self.scale, &self.zero_point]
    }
}

/// A file with one operator on quantized tensors, in the making.
struct Writer {
    random: Random,
    file: OnnxFile,
    style: Style,
    /// Of the activations: uint8 or int8.
    stored: DataType,
}

const DOMAIN: &str = "com.microsoft";

impl Writer {
    fn new(seed: u64, style: Style) -> Self {
        let mut random = Random::new(seed);
        let stored = if random.flip() { DataType::Uint8 } else { DataType::Int8 };
        Self { random, file: OnnxFile::new(13), style, stored }
    }

    fn integers(&mut self, shape: &[usize], stored: DataType, values: Vec<i32>) -> String {
        let dims = shape.iter().map(|&extent| extent as i64).collect();
        self.file.tensor(TensorProto {
            dims,
            data_type: stored as i32,
            int32_data: values,
            ..TensorProto::default()
        })
    }

    /// A scale near `scale` and a zero point near the middle, for an activation.
    fn parameters(&mut self, scale: f32) -> [String; 2] {
        let scale = scale * (1.0 + self.random.within(0..=100) as f32 / 200.0);
        let middle = if self.stored == DataType::Uint8 { 128 } else { 0 };
        let zero_point = middle + self.random.within(0..=40) as i32 - 20;
        [self.file.floats(&[], vec![scale]), self.integers(&[], self.stored, vec![zero_point])]
    }

    /// A model input that is quantized at once.
    fn input(&mut self, name: &str, shape: &[usize]) -> Integers {
        self.file.input(name, shape);
        let [scale, zero_point] = self.parameters(1.0 / 100.0);
        let value = self.file.node("QuantizeLinear", &[name, &scale, &zero_point], vec![]);
        Integers { value, scale, zero_point }
    }

    /// Constant weights, with a scale for each index of `axis` or one for all.
    fn weights(&mut self, shape: &[usize], axis: Option<usize>) -> Integers {
        let count = shape.iter().product();
        let values = (0..count).map(|_| self.random.within(0..=254) as i32 - 127).collect();
        let value = self.integers(shape, DataType::Int8, values);
        let scales: Vec<f32> = (0..axis.map_or(1, |axis| shape[axis]))
            .map(|_| (1 + self.random.within(0..=100)) as f32 / 5_000.0)
            .collect();
        let dims: Vec<usize> = axis.map(|axis| shape[axis]).into_iter().collect();
        let zero_point = self.integers(&dims, DataType::Int8, vec![0; scales.len()]);
        Integers { value, scale: self.file.floats(&dims, scales), zero_point }
    }

    fn dequantized(&mut self, of: &Integers, axis: i64) -> String {
        self.file.node("DequantizeLinear", &of.operands(), vec![int("axis", axis)])
    }

    /// Adds the operator that `float` and `integer` name, and what makes its result the model's output.
    /// `operands` come with the axes of their scales; `bias` is 32-bit, in the scale of the sums.
    fn finish(
        &mut self,
        [float, integer]: [&str; 2],
        operands: &[(&Integers, i64)],
        bias: Option<Vec<i32>>,
        attributes: &[AttributeProto],
        scale: f32,
    ) {
        let [scale, zero_point] = self.parameters(scale);
        let bias = bias.map(|bias| self.integers(&[bias.len()], DataType::Int32, bias));
        let value = if self.style == Style::Float {
            let mut inputs: Vec<String> =
                operands.iter().map(|(operand, axis)| self.dequantized(operand, *axis)).collect();
            if let Some(bias) = bias {
                let scales = [&*operands[0].0.scale, &operands[1].0.scale];
                let product = self.file.node("Mul", &scales, vec![]);
                inputs.push(self.file.node("DequantizeLinear", &[&bias, &product], vec![int("axis", 0)]));
            }
            let inputs: Vec<&str> = inputs.iter().map(|input| &**input).collect();
            let result = self.file.node(float, &inputs, attributes.to_vec());
            self.file.node("QuantizeLinear", &[&result, &scale, &zero_point], vec![])
        } else {
            let mut inputs: Vec<&str> = operands.iter().flat_map(|(operand, _)| operand.operands()).collect();
            let result = [&*scale, &zero_point];
            match integer {
                "QLinearConcat" => inputs = [&result[..], &inputs].concat(),
                "QGemm" => {
                    inputs.push(bias.as_deref().unwrap_or_default());
                    inputs.extend(result);
                }
                _ => {
                    inputs.extend(result);
                    inputs.extend(bias.as_deref());
                }
            }
            let value = self.file.node(integer, &inputs, attributes.to_vec());
            if !matches!(integer, "QLinearConv" | "QLinearMatMul") {
                let node = self.file.graph.node.last_mut().expect("it was added");
                node.domain = DOMAIN.into();
            }
            value
        };
        let result = Integers { value, scale, zero_point };
        let y = self.dequantized(&result, 0);
        self.file.output(&y);
    }

    fn bias(&mut self, outputs: usize) -> Option<Vec<i32>> {
        let values = (0..outputs).map(|_| self.random.within(0..=4_000) as i32 - 2_000).collect();
        self.random.flip().then_some(values)
    }

    /// One of the operators on random shapes; the shapes of the inputs.
    fn any(&mut self) -> Vec<Vec<usize>> {
        match self.random.within(0..=9) {
            0..=2 => self.convolution(),
            3 => self.product(),
            4 => self.general_product(),
            5 => self.of_two(),
            6 => {
                let shape = self.image();
                let x = self.input("x", &shape);
                self.finish(["GlobalAveragePool", "QLinearGlobalAveragePool"], &[(&x, 0)], None, &[], 0.01);
                vec![shape]
            }
            7 => self.joined(),
            8 => {
                let shape = self.image();
                let x = self.input("x", &shape);
                let alpha = [float("alpha", self.random.within(1..=9) as f32 / 10.0)];
                self.finish(["LeakyRelu", "QLinearLeakyRelu"], &[(&x, 0)], None, &alpha, 0.01);
                vec![shape]
            }
            _ => {
                let shape = self.image();
                let x = self.input("x", &shape);
                self.finish(["Sigmoid", "QLinearSigmoid"], &[(&x, 0)], None, &[], 0.005);
                vec![shape]
            }
        }
    }

    fn image(&mut self) -> Vec<usize> {
        let random = &mut self.random;
        vec![1, random.within(1..=4), random.within(3..=7), random.within(3..=7)]
    }

    fn convolution(&mut self) -> Vec<Vec<usize>> {
        let shape = self.image();
        let channels = shape[1];
        let group = if self.random.flip() { channels } else { 1 };
        let out = group * self.random.within(1..=3);
        let kernel = self.random.within(1..=3);
        let axis = self.random.flip().then_some(0);
        let x = self.input("x", &shape);
        let weights = self.weights(&[out, channels / group, kernel, kernel], axis);
        let pad = self.random.within(0..=kernel - 1) as i64;
        let stride = self.random.within(1..=2) as i64;
        let attributes =
            [int("group", group as i64), ints("pads", &[pad; 4]), ints("strides", &[stride, stride])];
        let bias = self.bias(out);
        self.finish(["Conv", "QLinearConv"], &[(&x, 0), (&weights, 0)], bias, &attributes, 0.08);
        vec![shape]
    }

    fn product(&mut self) -> Vec<Vec<usize>> {
        let [rows, depth, columns] = [1, 2, 3].map(|least| self.random.within(least..=8));
        let axis = self.random.flip().then_some(1);
        let x = self.input("x", &[rows, depth]);
        let weights = self.weights(&[depth, columns], axis);
        self.finish(["MatMul", "QLinearMatMul"], &[(&x, 0), (&weights, 1)], None, &[], 0.08);
        vec![vec![rows, depth]]
    }

    fn general_product(&mut self) -> Vec<Vec<usize>> {
        let [rows, depth, columns] = [1, 2, 3].map(|least| self.random.within(least..=8));
        let transposed = self.random.flip();
        let (shape, outputs) = if transposed { ([columns, depth], 0) } else { ([depth, columns], 1) };
        let axis = self.random.flip().then_some(outputs);
        let x = self.input("x", &[rows, depth]);
        let weights = self.weights(&shape, axis);
        let bias = self.bias(columns);
        let attributes = [int("transB", i64::from(transposed))];
        let operands = [(&x, 0), (&weights, outputs as i64)];
        self.finish(["Gemm", "QGemm"], &operands, bias, &attributes, 0.08);
        vec![vec![rows, depth]]
    }

    fn of_two(&mut self) -> Vec<Vec<usize>> {
        let shape = self.image();
        let (a, b) = (self.input("a", &shape), self.input("b", &shape));
        let operator = if self.random.flip() { ["Add", "QLinearAdd"] } else { ["Mul", "QLinearMul"] };
        self.finish(operator, &[(&a, 0), (&b, 0)], None, &[], 0.015);
        vec![shape.clone(), shape]
    }

    fn joined(&mut self) -> Vec<Vec<usize>> {
        let shape = self.image();
        let (a, b) = (self.input("a", &shape), self.input("b", &shape));
        self.finish(["Concat", "QLinearConcat"], &[(&a, 0), (&b, 0)], None, &[int("axis", 1)], 0.01);
        vec![shape.clone(), shape]
    }
}

fn read(file: &OnnxFile) -> Result<QuantizedGraph, ImportError> {
    let imported = onnx::read(&file.bytes(), &ImportOptions::default())?;
    Ok(imported.into_quantized().expect("a quantized model"))
}

/// The graph without its names.
fn nameless(mut graph: QuantizedGraph) -> QuantizedGraph {
    graph.tensors.iter_mut().for_each(|tensor| tensor.name.clear());
    graph.nodes.iter_mut().for_each(|node| node.name.clear());
    graph
}

/// The most that a result may be off: a step, and where it is scaled after it was rounded, another.
fn most_steps(graph: &QuantizedGraph) -> f32 {
    let rounds_twice = |name: &str| ["Requantize", "Softmax", "Logistic"].contains(&name);
    if graph.nodes.iter().any(|node| rounds_twice(node.op.name())) { 2.01 } else { 1.01 }
}

#[test]
fn quantized_operators_give_the_outputs_of_tract_to_a_step() {
    for seed in 0..FILES {
        let mut writer = Writer::new(seed, Style::Float);
        let shapes = writer.any();
        let graph = read(&writer.file).unwrap_or_else(|error| panic!("{seed}: {error}"));
        let inputs: Vec<Vec<f32>> =
            shapes.iter().map(|shape| writer.random.floats(shape.iter().product())).collect();
        let mut simulator = Simulator::new(&graph).unwrap_or_else(|error| panic!("{seed}: {error}"));
        let ports = graph.inputs.iter().map(|&id| &graph.tensor(id).quantization);
        let quantized: Vec<Vec<i8>> =
            inputs.iter().zip(ports).map(|(input, port)| quantize_int8(input, port)).collect();
        simulator.run(&quantized);
        let output = &graph.tensor(graph.outputs[0]).quantization;
        let found = dequantize_int8(&simulator.outputs()[0], output);
        let shaped: Vec<(Vec<usize>, Vec<f32>)> = shapes.into_iter().zip(inputs).collect();
        let expected = support::run_tract(&writer.file.bytes(), &shaped).expect("tract runs it").remove(0);
        assert_eq!(found.len(), expected.len(), "{seed}");
        let most = most_steps(&graph) * output.scale();
        for (found, expected) in found.iter().zip(&expected) {
            let operators: Vec<&str> = graph.nodes.iter().map(|node| node.op.name()).collect();
            assert!((found - expected).abs() <= most, "{seed} {operators:?}: {found}, tract has {expected}");
        }
    }
}

#[test]
fn operators_on_integers_are_what_they_mean() {
    for seed in 0..FILES {
        let [float, integer] = [Style::Float, Style::Integer].map(|style| {
            let mut writer = Writer::new(seed, style);
            writer.any();
            nameless(read(&writer.file).unwrap_or_else(|error| panic!("{seed} {style:?}: {error}")))
        });
        assert_eq!(float, integer, "{seed}");
    }
}

/// A convolution of a quantized input, whose parameters `change` may change.
fn convolution(weights: &Integers, writer: &mut Writer) {
    let x = writer.input("x", &[1, 2, 5, 5]);
    writer.finish(["Conv", "QLinearConv"], &[(&x, 0), (weights, 0)], None, &[], 0.05);
}

fn weights_of(stored: DataType, zero_point: i32, values: Vec<i32>) -> (Writer, Integers) {
    let mut writer = Writer::new(1, Style::Float);
    let value = writer.integers(&[1, 2, 1, 1], stored, values);
    let scale = writer.file.floats(&[], vec![0.01]);
    let zero_point = writer.integers(&[], stored, vec![zero_point]);
    (writer, Integers { value, scale, zero_point })
}

fn weights_read(stored: DataType, zero_point: i32, values: Vec<i32>) -> Result<Vec<i8>, String> {
    let (mut writer, weights) = weights_of(stored, zero_point, values);
    convolution(&weights, &mut writer);
    let graph = read(&writer.file).map_err(|error| error.to_string())?;
    let weighted = graph.nodes.iter().find(|node| node.op.is_weighted()).expect("a convolution");
    Ok(graph.tensor(weighted.inputs[1]).int8().to_vec())
}

#[test]
fn weights_of_uint8_are_kept_where_int8_holds_them() {
    assert_eq!(weights_read(DataType::Uint8, 128, vec![0, 255]), Ok(vec![-128, 127]));
    assert_eq!(weights_read(DataType::Uint8, 130, vec![2, 255]), Ok(vec![-128, 125]));
    assert_eq!(weights_read(DataType::Int8, 3, vec![-125, 127]), Ok(vec![-128, 124]));
    let error = weights_read(DataType::Uint8, 130, vec![0, 255]).expect_err("-130 is no int8");
    assert!(error.contains("weights with a zero point (2 as int8)"), "{error}");
}

#[test]
fn what_cannot_be_int8_is_refused_by_name() {
    let refused = |file: &OnnxFile, part: &str| {
        let message = read(file).expect_err("it is refused").to_string();
        assert!(message.contains(part), "{message}\ndoes not say {part}");
    };
    let mut dynamic = OnnxFile::new(13);
    dynamic.input("x", &[1, 4]);
    let y = dynamic.node("DynamicQuantizeLinear", &["x"], vec![]);
    dynamic.output(&y);
    refused(&dynamic, "scales that are computed while the model runs");

    let mut open = Writer::new(3, Style::Float);
    let x = open.input("x", &[1, 4]);
    let weights = open.weights(&[4, 2], None);
    let (x, weights) = (open.dequantized(&x, 0), open.dequantized(&weights, 0));
    let y = open.file.node("MatMul", &[&x, &weights], vec![]);
    open.file.output(&y);
    refused(&open.file, "no scale for its output");

    let mut wide = Writer::new(3, Style::Float);
    wide.stored = DataType::Uint16;
    wide.file.input("x", &[1, 4]);
    let (scale, zero) = (wide.file.floats(&[], vec![0.1]), wide.integers(&[], DataType::Uint16, vec![7]));
    let x = wide.file.node("QuantizeLinear", &["x", &scale, &zero], vec![]);
    let y = wide.file.node("DequantizeLinear", &[&x, &scale, &zero], vec![]);
    wide.file.output(&y);
    refused(&wide.file, "int8 and uint8 are read");

    let mut other = Writer::new(3, Style::Float);
    let x = other.input("x", &[1, 4]);
    let scale = other.file.floats(&[], vec![77.0]);
    let y = other.file.node("DequantizeLinear", &[&x.value, &scale, &x.zero_point], vec![]);
    other.file.output(&y);
    refused(&other.file, "another scale or zero point");

    let mut zero = Writer::new(3, Style::Float);
    zero.file.input("x", &[1, 4]);
    let scale = zero.file.floats(&[], vec![0.0]);
    let y = zero.file.node("QuantizeLinear", &["x", &scale], vec![]);
    zero.file.output(&y);
    refused(&zero.file, "has a scale of 0");
}

#[test]
fn integer_inputs_take_the_scale_that_they_are_dequantized_with() {
    let mut writer = Writer::new(5, Style::Float);
    writer.stored = DataType::Uint8;
    let x = writer.input("x", &[1, 2, 5, 5]);
    let weights = writer.weights(&[3, 2, 1, 1], Some(0));
    writer.finish(["Conv", "QLinearConv"], &[(&x, 0), (&weights, 0)], None, &[], 0.05);
    let float = read(&writer.file).expect("it is read");
    // The same file without its first node, whose result becomes the input.
    let mut file = writer.file.clone();
    file.graph.node.remove(0);
    file.graph.input.clear();
    file.input(&x.value, &[1, 2, 5, 5]);
    let kind = file.graph.input[0].r#type.as_mut().and_then(|kind| kind.value.as_mut());
    let Some(tract_onnx::pb::type_proto::Value::TensorType(tensor)) = kind else { panic!("it has a type") };
    tensor.elem_type = DataType::Uint8 as i32;
    assert_eq!(nameless(read(&file).expect("it is read")), nameless(float));
}

#[test]
fn a_float_bias_is_rounded_to_the_scale_of_the_sums() {
    let mut writer = Writer::new(5, Style::Float);
    let x = writer.input("x", &[1, 4]);
    let weights = writer.weights(&[4, 2], None);
    let (x, weights) = (writer.dequantized(&x, 0), writer.dequantized(&weights, 0));
    let bias = writer.file.floats(&[2], vec![0.5, -0.25]);
    let y = writer.file.node("Gemm", &[&x, &weights, &bias], vec![]);
    let [scale, zero_point] = writer.parameters(0.05);
    let y = writer.file.node("QuantizeLinear", &[&y, &scale, &zero_point], vec![]);
    writer.file.output(&y);
    let imported = onnx::read(&writer.file.bytes(), &ImportOptions::default()).expect("it is read");
    assert_eq!(imported.notes.len(), 1, "{:?}", imported.notes);
    assert!(imported.notes[0].contains("`Gemm_"), "{:?}", imported.notes);
    let graph = imported.into_quantized().expect("a quantized model");
    let bias = graph.tensor(graph.nodes[0].inputs[2]);
    let real = bias.int32()[0] as f32 * bias.quantization.scales[0];
    assert!((real - 0.5).abs() < 1e-3, "{real}");
    assert_eq!(bias.len(), 2);
}
