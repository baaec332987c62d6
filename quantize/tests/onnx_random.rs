//! Random small ONNX graphs over every operator that is read: our interpreter, after import and after
//! simplification, against tract.

#![cfg(feature = "onnx")]

mod support;

use edgepkg_quantize::graph::Tensor;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::samples::{Array, Samples};
use edgepkg_quantize::simplify::simplify;
use support::Random;
use support::onnx_file::{OnnxFile, float, int, int_tensor, ints, word};
use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto};

const GRAPHS: u64 = 1500;
const TOLERANCE: f32 = 2e-4;

/// A tensor of the graph in the making.
#[derive(Clone)]
struct Value {
    name: String,
    shape: Vec<usize>,
}

/// A graph in the making.
struct Generator {
    random: Random,
    file: OnnxFile,
    values: Vec<Value>,
}

impl Generator {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let opset = *random.pick(&[8, 9, 10, 11, 12, 13, 15, 17, 18, 20]);
        let mut generator = Self { random, file: OnnxFile::new(opset), values: Vec::new() };
        let shape = generator.input_shape();
        generator.file.input("x", &shape);
        generator.values.push(Value { name: "x".into(), shape });
        generator
    }

    fn input_shape(&mut self) -> Vec<usize> {
        let random = &mut self.random;
        match random.within(0..=5) {
            0 => vec![1, random.within(1..=12)],
            1 => vec![1, random.within(1..=5), random.within(1..=9)],
            _ => vec![1, random.within(1..=5), random.within(1..=9), random.within(1..=9)],
        }
    }

    /// Adds `op` on `value` and constants.
    fn push(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>, shape: Vec<usize>) {
        let name = self.file.node(op, inputs, attributes);
        self.values.push(Value { name, shape });
    }

    fn constant(&mut self, shape: &[usize]) -> String {
        let data = self.random.floats(shape.iter().product());
        self.file.floats(shape, data)
    }

    /// A list of integers as an attribute, or as a constant operand in operator sets from `since`.
    fn list(&mut self, since: i64, name: &str, values: &[i64]) -> (Vec<String>, Vec<AttributeProto>) {
        if self.file.opset >= since {
            (vec![self.file.ints(values)], vec![])
        } else {
            (vec![], vec![ints(name, values)])
        }
    }

    fn step(&mut self) {
        // The newest value most of the time, so that chains get long.
        let newest = self.values.len() - 1;
        let at = if self.random.within(0..=3) > 0 { newest } else { self.random.within(0..=newest) };
        let x = self.values[at].clone();
        let rank = x.shape.len();
        let image = (3..=4).contains(&rank);
        match self.random.within(0..=33) {
            0..=2 if image => self.convolution(&x),
            3 if image => self.pool(&x),
            4 if image => self.global(&x),
            5 if image => self.batch_normalization(&x),
            0..=3 if rank == 2 => self.product(&x),
            6 | 7 => self.activation(&x),
            8 | 9 => self.arithmetic(&x),
            10 | 11 => self.arithmetic_of_two(&x),
            12 => self.transpose(&x),
            13 => self.pad(&x),
            14 => self.concat(&x),
            15 => self.slice(&x),
            16 => self.mean(&x),
            17 => self.softmax(&x),
            18 => self.reshape(&x),
            19 => self.squeeze(&x),
            20 => self.unsqueeze(&x),
            22 | 23 => self.function(&x),
            24 => self.reduction(&x),
            25 => self.extreme(&x),
            26 => self.split(&x),
            27 => self.tile_or_gather(&x),
            28 if rank == 4 => self.blocks(&x),
            31 if image => self.transposed_convolution(&x),
            32 if self.file.opset >= 11 => self.running_sum(&x),
            33 if self.file.opset >= 9 => self.selection(&x),
            29 | 30 if image && self.file.opset >= 11 => self.resize(&x),
            21 => {
                let op = if self.random.flip() { "Identity" } else { "Dropout" };
                self.push(op, &[&x.name], vec![], x.shape.clone());
            }
            _ => {}
        }
    }

    /// The greater of `x` and a constant, or the lesser, by logic: it has no jump, however `x` was rounded.
    fn selection(&mut self, x: &Value) {
        let bound = self.constant(&[]);
        let mut compared = |op: &str| self.file.node(op, &[&x.name, &bound], vec![]);
        let (greater, less) = (compared("Greater"), compared("Less"));
        let not_less = self.file.node("Not", &[&less], vec![]);
        let truth = match self.random.within(0..=4) {
            0 => greater,
            1 => self.file.node("And", &[&not_less, &greater], vec![]),
            2 => self.file.node("Or", &[&greater, &not_less], vec![]),
            3 if self.file.opset >= 12 => self.file.node("GreaterOrEqual", &[&x.name, &bound], vec![]),
            3 if self.file.opset >= 13 => self.file.node("LessOrEqual", &[&bound, &x.name], vec![]),
            _ => not_less,
        };
        let (taken, other) = if self.random.flip() { (&x.name, &bound) } else { (&bound, &x.name) };
        self.push("Where", &[&truth, taken, other], vec![], x.shape.clone());
    }

    fn convolution(&mut self, x: &Value) {
        let (channels, extents) = (x.shape[1], &x.shape[2..]);
        let groups: Vec<usize> = (1..=channels).filter(|groups| channels % groups == 0).collect();
        let group = *self.random.pick(&groups);
        let out = group * self.random.within(1..=3);
        let Some((attributes, kernel, to)) = self.window(extents, Dilation::Any) else { return };
        let weights = self.constant(&[&[out, channels / group], &*kernel].concat());
        let mut inputs = vec![x.name.clone(), weights];
        if self.random.flip() {
            inputs.push(self.constant(&[out]));
        }
        let inputs: Vec<&str> = inputs.iter().map(|input| &**input).collect();
        let attributes = [attributes, vec![int("group", group as i64)]].concat();
        self.push("Conv", &inputs, attributes, [&[x.shape[0], out], &*to].concat());
    }

    fn transposed_convolution(&mut self, x: &Value) {
        let (channels, extents) = (x.shape[1], &x.shape[2..]);
        let out = self.random.within(1..=3);
        let kernel: Vec<usize> = extents.iter().map(|_| self.random.within(1..=3)).collect();
        let strides: Vec<usize> = extents.iter().map(|_| self.random.within(1..=3)).collect();
        let cut: Vec<usize> = kernel.iter().map(|&reach| self.random.within(0..=reach - 1) / 2).collect();
        let window = strides.iter().zip(&kernel).zip(&cut);
        let to: Vec<usize> = extents
            .iter()
            .zip(window)
            .map(|(extent, ((stride, kernel), cut))| stride * (extent - 1) + kernel - 2 * cut)
            .collect();
        let shape = [&[x.shape[0], out], &*to].concat();
        if shape.iter().product::<usize>() > 4000 || to.contains(&0) {
            return;
        }
        let weights = self.constant(&[&[channels, out], &*kernel].concat());
        let as_ints = |values: &[usize]| values.iter().map(|&value| value as i64).collect::<Vec<_>>();
        let attributes = vec![
            ints("kernel_shape", &as_ints(&kernel)),
            ints("strides", &as_ints(&strides)),
            ints("pads", &as_ints(&[&*cut, &*cut].concat())),
        ];
        self.push("ConvTranspose", &[&x.name, &weights], attributes, shape);
    }

    /// Attributes, kernel and positions of a window over `extents`.
    #[allow(clippy::type_complexity)]
    fn window(
        &mut self,
        extents: &[usize],
        dilation: Dilation,
    ) -> Option<(Vec<AttributeProto>, Vec<usize>, Vec<usize>)> {
        let random = &mut self.random;
        let mut list = |most: usize| extents.iter().map(|_| random.within(1..=most)).collect::<Vec<_>>();
        let (kernel, strides) = (list(4), list(3));
        let dilations = if dilation == Dilation::Any { list(2) } else { vec![1; extents.len()] };
        let reach: Vec<usize> =
            kernel.iter().zip(&dilations).map(|(kernel, d)| (kernel - 1) * d + 1).collect();
        let as_ints = |values: &[usize]| values.iter().map(|&value| value as i64).collect::<Vec<_>>();
        let mut attributes =
            vec![ints("kernel_shape", &as_ints(&kernel)), ints("strides", &as_ints(&strides))];
        if dilations.iter().any(|&dilation| dilation > 1) {
            attributes.push(ints("dilations", &as_ints(&dilations)));
        }
        let mode = *random.pick(&["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]);
        let mut pads = vec![0; 2 * extents.len()];
        if mode == "NOTSET" && random.flip() {
            for (axis, &reach) in reach.iter().enumerate() {
                pads[axis] = random.within(0..=reach - 1);
                pads[axis + extents.len()] = random.within(0..=reach - 1);
            }
            attributes.push(ints("pads", &as_ints(&pads)));
        } else if mode != "NOTSET" {
            attributes.push(word("auto_pad", mode));
        }
        let to = extents.iter().enumerate().map(|(axis, &extent)| {
            if mode.starts_with("SAME") {
                return Some(extent.div_ceil(strides[axis]));
            }
            let padded = extent + pads[axis] + pads[axis + extents.len()];
            Some(padded.checked_sub(reach[axis])? / strides[axis] + 1)
        });
        let to = to.collect::<Option<Vec<_>>>()?;
        Some((attributes, kernel, to))
    }

    fn pool(&mut self, x: &Value) {
        let Some((mut attributes, _, to)) = self.window(&x.shape[2..], Dilation::None) else { return };
        let op = *self.random.pick(&["MaxPool", "AveragePool"]);
        if op == "AveragePool" && self.random.flip() {
            attributes.push(int("count_include_pad", 1));
        }
        self.push(op, &[&x.name], attributes, [&x.shape[..2], &to].concat());
    }

    fn global(&mut self, x: &Value) {
        let op = *self.random.pick(&["GlobalAveragePool", "GlobalMaxPool"]);
        let shape = [&x.shape[..2], &vec![1; x.shape.len() - 2]].concat();
        self.push(op, &[&x.name], vec![], shape);
    }

    fn batch_normalization(&mut self, x: &Value) {
        let channels = x.shape[1];
        let [gamma, beta, mean] = [0; 3].map(|_| self.constant(&[channels]));
        let variance = self.random.floats(channels).iter().map(|value| value.abs() + 0.5).collect();
        let variance = self.file.floats(&[channels], variance);
        let inputs = [&*x.name, &gamma, &beta, &mean, &variance];
        self.push("BatchNormalization", &inputs, vec![float("epsilon", 1e-3)], x.shape.clone());
    }

    fn product(&mut self, x: &Value) {
        let (depth, out) = (x.shape[1], self.random.within(1..=9));
        if self.random.flip() {
            let weights = self.constant(&[depth, out]);
            self.push("MatMul", &[&x.name, &weights], vec![], vec![x.shape[0], out]);
            return;
        }
        let swap = self.random.flip();
        let weights = self.constant(&if swap { [out, depth] } else { [depth, out] });
        let mut inputs = vec![x.name.clone(), weights];
        if self.file.opset < 11 || self.random.flip() {
            let shape: &[usize] = if self.random.flip() { &[out] } else { &[1, out] };
            inputs.push(self.constant(shape));
        }
        let inputs: Vec<&str> = inputs.iter().map(|input| &**input).collect();
        let attributes = vec![int("transB", i64::from(swap)), float("alpha", 0.5), float("beta", 1.5)];
        self.push("Gemm", &inputs, attributes, vec![x.shape[0], out]);
    }

    fn activation(&mut self, x: &Value) {
        let op = *self.random.pick(&["Relu", "Relu", "Clip", "Sigmoid", "Tanh", "LeakyRelu"]);
        let shape = x.shape.clone();
        match op {
            "Clip" if self.file.opset < 11 => {
                self.push(op, &[&x.name], vec![float("min", -0.25), float("max", 0.75)], shape);
            }
            "Clip" => {
                let (min, max) = (self.file.floats(&[], vec![0.0]), self.file.floats(&[], vec![6.0]));
                let inputs: &[&str] =
                    if self.random.flip() { &[&x.name, &min, &max] } else { &[&x.name, "", &max] };
                self.push(op, inputs, vec![], shape);
            }
            "LeakyRelu" => self.push(op, &[&x.name], vec![float("alpha", 0.125)], shape),
            _ => self.push(op, &[&x.name], vec![], shape),
        }
    }

    /// A function of single elements, far from where it is steep.
    fn function(&mut self, x: &Value) {
        const FUNCTIONS: [&str; 18] = [
            "Abs",
            "Neg",
            "Elu",
            "Selu",
            "Celu",
            "HardSigmoid",
            "HardSwish",
            "Mish",
            "Softplus",
            "Softsign",
            "Erf",
            "Sin",
            "Cos",
            "ThresholdedRelu",
            "Exp",
            "Sqrt",
            "Reciprocal",
            "Log",
        ];
        let op = *self.random.pick(&FUNCTIONS);
        let attributes = match op {
            "Elu" => vec![float("alpha", 0.5)],
            "HardSigmoid" => vec![float("alpha", 0.125), float("beta", 0.25)],
            "ThresholdedRelu" => vec![float("alpha", -100.0)],
            _ => vec![],
        };
        let mut input = x.name.clone();
        if matches!(op, "Exp" | "Sqrt" | "Reciprocal" | "Log") {
            let magnitude = self.file.node("Abs", &[&input], vec![]);
            let one = self.file.floats(&[], vec![1.0]);
            input = self.file.node("Add", &[&magnitude, &one], vec![]);
        }
        if op == "Exp" {
            input = self.file.node("Neg", &[&input], vec![]);
        }
        self.push(op, &[&input], attributes, x.shape.clone());
    }

    fn reduction(&mut self, x: &Value) {
        let axis = self.random.within(1..=x.shape.len() - 1);
        let op = *self.random.pick(&[
            "ReduceMax",
            "ReduceMin",
            "ReduceSum",
            "ReduceL1",
            "ReduceL2",
            "ReduceProd",
            "ReduceSumSquare",
        ]);
        let (inputs, mut attributes) =
            self.list(if op == "ReduceSum" { 13 } else { 18 }, "axes", &[axis as i64]);
        attributes.push(int("keepdims", 1));
        let mut shape = x.shape.clone();
        shape[axis] = 1;
        let inputs: Vec<&str> = [&x.name].into_iter().chain(&inputs).map(|input| &**input).collect();
        self.push(op, &inputs, attributes, shape);
    }

    fn extreme(&mut self, x: &Value) {
        let op = *self.random.pick(&["Max", "Min", "Sum"]);
        let others: Vec<Value> = self.values.iter().filter(|value| value.shape == x.shape).cloned().collect();
        let other = self.random.pick(&others).clone();
        let bound = self.constant(&[]);
        self.push(op, &[&x.name, &bound, &other.name], vec![], x.shape.clone());
    }

    fn split(&mut self, x: &Value) {
        let axis = self.random.within(1..=x.shape.len() - 1);
        if x.shape[axis] < 2 {
            return;
        }
        let first = self.random.within(1..=x.shape[axis] - 1);
        let sizes = [first, x.shape[axis] - first];
        let (inputs, mut attributes) = self.list(13, "split", &sizes.map(|size| size as i64));
        attributes.push(int("axis", axis as i64));
        let inputs: Vec<&str> = [&x.name].into_iter().chain(&inputs).map(|input| &**input).collect();
        let shape = |size| {
            let mut shape = x.shape.clone();
            shape[axis] = size;
            shape
        };
        self.push("Split", &inputs, attributes, shape(sizes[0]));
        let node = self.file.graph.node.last_mut().expect("the split");
        let name = format!("{}:1", node.name);
        node.output.push(name.clone());
        self.values.push(Value { name, shape: shape(sizes[1]) });
    }

    fn tile_or_gather(&mut self, x: &Value) {
        let axis = self.random.within(1..=x.shape.len() - 1);
        let mut shape = x.shape.clone();
        if shape.iter().product::<usize>() < 1000 && self.random.flip() {
            let mut repeats = vec![1; shape.len()];
            repeats[axis] = self.random.within(1..=3);
            shape[axis] *= repeats[axis];
            let repeats: Vec<i64> = repeats.into_iter().map(|count| count as i64).collect();
            let repeats = self.file.ints(&repeats);
            self.push("Tile", &[&x.name, &repeats], vec![], shape);
            return;
        }
        let count = self.random.within(1..=4);
        let indices: Vec<i64> = (0..count).map(|_| self.random.within(0..=shape[axis] - 1) as i64).collect();
        shape[axis] = count;
        let indices = self.file.ints(&indices);
        self.push("Gather", &[&x.name, &indices], vec![int("axis", axis as i64)], shape);
    }

    fn resize(&mut self, x: &Value) {
        let mut factors = vec![1.0; x.shape.len()];
        factors[2..].iter_mut().for_each(|factor| *factor = *self.random.pick(&[1.0, 2.0, 3.0]));
        let attributes = if self.random.flip() {
            vec![word("coordinate_transformation_mode", "asymmetric"), word("nearest_mode", "floor")]
        } else {
            vec![word("mode", "linear"), word("coordinate_transformation_mode", "half_pixel")]
        };
        let grown = x.shape.iter().zip(&factors).map(|(extent, &factor)| extent * factor as usize);
        let shape: Vec<usize> = grown.collect();
        if shape.iter().product::<usize>() > 4000 {
            return;
        }
        let factors = self.file.floats(&[factors.len()], factors);
        // tract takes the region for the factors where it is left out.
        let region = self.file.floats(&[0], vec![]);
        self.push("Resize", &[&x.name, &region, &factors], attributes, shape);
    }

    fn blocks(&mut self, x: &Value) {
        let [batches, channels, rows, columns] = x.shape[..] else { return };
        if channels.is_multiple_of(4) && self.random.flip() {
            let shape = vec![batches, channels / 4, rows * 2, columns * 2];
            self.push("DepthToSpace", &[&x.name], vec![int("blocksize", 2)], shape);
        } else if rows.is_multiple_of(2) && columns.is_multiple_of(2) {
            let shape = vec![batches, channels * 4, rows / 2, columns / 2];
            self.push("SpaceToDepth", &[&x.name], vec![int("blocksize", 2)], shape);
        }
    }

    fn arithmetic(&mut self, x: &Value) {
        let op = *self.random.pick(&["Add", "Add", "Sub", "Mul", "Mul", "Div"]);
        let rank = x.shape.len();
        let shape = match self.random.within(0..=3) {
            0 => vec![],
            1 => x.shape.clone(),
            2 => x.shape[rank - 1..].to_vec(),
            _ => [&x.shape[1..2], &vec![1; rank - 2]].concat(),
        };
        let mut data = self.random.floats(shape.iter().product());
        if op == "Div" {
            data.iter_mut().for_each(|value| *value = value.abs() + 0.5);
        }
        let constant = self.file.floats(&shape, data);
        let first = op != "Div" && self.random.within(0..=3) == 0;
        let inputs: [&str; 2] = if first { [&constant, &x.name] } else { [&x.name, &constant] };
        self.push(op, &inputs, vec![], x.shape.clone());
    }

    fn arithmetic_of_two(&mut self, x: &Value) {
        let others: Vec<Value> = self.values.iter().filter(|value| value.shape == x.shape).cloned().collect();
        let other = self.random.pick(&others).clone();
        let op = *self.random.pick(&["Add", "Add", "Sub", "Mul"]);
        self.push(op, &[&x.name, &other.name], vec![], x.shape.clone());
    }

    fn transpose(&mut self, x: &Value) {
        let mut perm: Vec<usize> = (0..x.shape.len()).collect();
        for axis in (2..perm.len()).rev() {
            let other = self.random.within(1..=axis);
            perm.swap(axis, other);
        }
        let shape = perm.iter().map(|&axis| x.shape[axis]).collect();
        let perm: Vec<i64> = perm.iter().map(|&axis| axis as i64).collect();
        self.push("Transpose", &[&x.name], vec![ints("perm", &perm)], shape);
    }

    fn pad(&mut self, x: &Value) {
        let rank = x.shape.len();
        let mut pads = vec![0; 2 * rank];
        for axis in 1..rank {
            pads[axis] = self.random.within(0..=2);
            pads[axis + rank] = self.random.within(0..=1);
        }
        // tract reflects at most once.
        let once = (1..rank).all(|axis| pads[axis].max(pads[axis + rank]) < x.shape[axis]);
        let mode = *self.random.pick(if once {
            &["constant", "edge", "reflect"][..]
        } else {
            &["constant", "edge"]
        });
        let shape = (0..rank).map(|axis| x.shape[axis] + pads[axis] + pads[axis + rank]).collect();
        let pads: Vec<i64> = pads.iter().map(|&pad| pad as i64).collect();
        let (inputs, mut attributes) = self.list(11, "pads", &pads);
        attributes.push(word("mode", mode));
        let inputs: Vec<&str> = [&x.name].into_iter().chain(&inputs).map(|input| &**input).collect();
        self.push("Pad", &inputs, attributes, shape);
    }

    fn concat(&mut self, x: &Value) {
        let axis = self.random.within(1..=x.shape.len() - 1);
        let fits = |value: &&Value| {
            value.shape.len() == x.shape.len()
                && (0..x.shape.len()).all(|other| other == axis || value.shape[other] == x.shape[other])
        };
        let others: Vec<Value> = self.values.iter().filter(fits).cloned().collect();
        let other = self.random.pick(&others).clone();
        let mut shape = x.shape.clone();
        shape[axis] += other.shape[axis];
        if shape.iter().product::<usize>() < 4000 {
            self.push("Concat", &[&x.name, &other.name], vec![int("axis", axis as i64)], shape);
        }
    }

    fn slice(&mut self, x: &Value) {
        let axis = self.random.within(1..=x.shape.len() - 1);
        let extent = x.shape[axis];
        let start = self.random.within(0..=extent - 1);
        let mut shape = x.shape.clone();
        if self.file.opset >= 10 && self.random.within(0..=2) == 0 {
            return self.stepped_slice(x, axis, start);
        }
        let end = self.random.within(start + 1..=extent);
        shape[axis] = end - start;
        let ends = if end == extent && self.random.flip() { i64::MAX } else { end as i64 };
        let lists = [("starts", start as i64), ("ends", ends), ("axes", axis as i64)];
        if self.file.opset >= 10 {
            let lists = lists.map(|(_, value)| self.file.ints(&[value]));
            let inputs = [&*x.name, &lists[0], &lists[1], &lists[2]];
            self.push("Slice", &inputs, vec![], shape);
        } else {
            let attributes = lists.map(|(name, value)| ints(name, &[value])).to_vec();
            self.push("Slice", &[&x.name], attributes, shape);
        }
    }

    /// Every second or third element from `start` on, forward or backward.
    fn stepped_slice(&mut self, x: &Value, axis: usize, start: usize) {
        let step = self.random.within(2..=3);
        let (end, step, taken) = match self.random.flip() {
            true => (i64::MAX, step as i64, (x.shape[axis] - start).div_ceil(step)),
            false => (i64::MIN + 1, -(step as i64), (start + 1).div_ceil(step)),
        };
        let mut shape = x.shape.clone();
        shape[axis] = taken;
        let lists = [start as i64, end, axis as i64, step].map(|value| self.file.ints(&[value]));
        let inputs = [&*x.name, &lists[0], &lists[1], &lists[2], &lists[3]];
        self.push("Slice", &inputs, vec![], shape);
    }

    fn running_sum(&mut self, x: &Value) {
        let axis = self.random.within(1..=x.shape.len() - 1);
        let axis = self.file.tensor(TensorProto { dims: vec![], ..int_tensor(&[axis as i64]) });
        let flags = [self.random.flip(), self.random.flip()];
        let attributes = vec![int("exclusive", flags[0].into()), int("reverse", flags[1].into())];
        self.push("CumSum", &[&x.name, &axis], attributes, x.shape.clone());
    }

    fn mean(&mut self, x: &Value) {
        let rank = x.shape.len();
        let axes: Vec<usize> = (1..rank).filter(|_| self.random.flip()).collect();
        if axes.is_empty() {
            return;
        }
        let keep = self.random.flip() || axes.len() + 1 == rank;
        let kept = |(axis, &extent): (usize, &usize)| match (axes.contains(&axis), keep) {
            (true, true) => Some(1),
            (true, false) => None,
            (false, _) => Some(extent),
        };
        let shape = x.shape.iter().enumerate().filter_map(kept).collect();
        let axes: Vec<i64> =
            axes.iter().map(|&axis| axis as i64 - if keep { 0 } else { rank as i64 }).collect();
        let (inputs, mut attributes) = self.list(18, "axes", &axes);
        attributes.push(int("keepdims", i64::from(keep)));
        let inputs: Vec<&str> = [&x.name].into_iter().chain(&inputs).map(|input| &**input).collect();
        self.push("ReduceMean", &inputs, attributes, shape);
    }

    fn softmax(&mut self, x: &Value) {
        let axis = self.random.within(1..=x.shape.len() - 1);
        self.push("Softmax", &[&x.name], vec![int("axis", axis as i64)], x.shape.clone());
    }

    fn reshape(&mut self, x: &Value) {
        if self.random.flip() {
            let axis = self.random.within(1..=x.shape.len() - 1);
            let shape = vec![x.shape[..axis].iter().product(), x.shape[axis..].iter().product()];
            self.push("Flatten", &[&x.name], vec![int("axis", axis as i64)], shape);
            return;
        }
        let elements: usize = x.shape.iter().product();
        let factors: Vec<usize> = (1..=elements).filter(|&factor| elements.is_multiple_of(factor)).collect();
        let first = *self.random.pick(&factors);
        let shape = match self.random.within(0..=2) {
            0 => vec![1, elements],
            1 => vec![1, first, elements / first],
            _ => vec![1, first, 1, elements / first],
        };
        let mut dims: Vec<i64> = shape.iter().map(|&extent| extent as i64).collect();
        *dims.last_mut().expect("it has dimensions") = -1;
        let dims = self.file.ints(&dims);
        self.push("Reshape", &[&x.name, &dims], vec![], shape);
    }

    fn squeeze(&mut self, x: &Value) {
        let ones: Vec<usize> = (1..x.shape.len()).filter(|&axis| x.shape[axis] == 1).collect();
        if ones.is_empty() || x.shape.len() < 3 {
            return;
        }
        let axis = *self.random.pick(&ones);
        let mut shape = x.shape.clone();
        shape.remove(axis);
        let (inputs, attributes) = self.list(13, "axes", &[axis as i64]);
        let inputs: Vec<&str> = [&x.name].into_iter().chain(&inputs).map(|input| &**input).collect();
        self.push("Squeeze", &inputs, attributes, shape);
    }

    fn unsqueeze(&mut self, x: &Value) {
        if x.shape.len() > 3 {
            return;
        }
        let axis = self.random.within(1..=x.shape.len());
        let mut shape = x.shape.clone();
        shape.insert(axis, 1);
        let (inputs, attributes) = self.list(13, "axes", &[axis as i64]);
        let inputs: Vec<&str> = [&x.name].into_iter().chain(&inputs).map(|input| &**input).collect();
        self.push("Unsqueeze", &inputs, attributes, shape);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Dilation {
    Any,
    None,
}

/// A random graph, with its output named.
fn random_graph(seed: u64) -> Generator {
    let mut generator = Generator::new(seed);
    let steps = generator.random.within(2..=14);
    while generator.values.len() <= steps {
        generator.step();
    }
    let Generator { random, file, values } = &mut generator;
    file.output(&values.last().expect("there are values").name);
    if random.flip() {
        let other = random.within(1..=values.len() - 1);
        if other + 1 < values.len() {
            file.output(&values[other].name);
        }
    }
    generator
}

#[test]
fn random_graphs_compute_what_tract_computes() {
    let mut compared = 0;
    for seed in 0..GRAPHS {
        let Generator { mut random, file, values } = random_graph(seed);
        let input = random.floats(values[0].shape.iter().product());
        let bytes = file.bytes();
        let Ok(expected) = support::run_tract(&bytes, &[(values[0].shape.clone(), input.clone())]) else {
            continue;
        };
        let context = format!("seed {seed}, {:#?}", summary(&file));
        let imported = support::read_onnx(&bytes).unwrap_or_else(|error| panic!("{context}: {error}"));
        let simplified = simplify(imported.clone());
        assert_eq!(simplify(simplified.clone()), simplified, "{context}: simplified twice");
        for (port, value) in imported.outputs.iter().zip(&file.graph.output) {
            let value = values.iter().find(|known| known.name == value.name).expect("it is known");
            assert_eq!(imported.tensor(*port).shape(), value.shape, "{context}");
        }
        for (graph, stage) in [(&imported, "imported"), (&simplified, "simplified")] {
            let found = support::interpret(graph, std::slice::from_ref(&input));
            for (found, expected) in found.iter().zip(&expected) {
                let stage = format!("{stage} {context}");
                support::assert_close(found, expected, TOLERANCE, &stage);
            }
        }
        compared += 1;
    }
    eprintln!("{compared} of {GRAPHS} graphs compared");
    assert!(compared * 10 >= GRAPHS * 9, "tract ran only {compared} of {GRAPHS} graphs");
}

/// What is read can be quantized, and the runtime runs it.
#[test]
fn random_graphs_quantize_and_run() {
    let mut quantized = 0;
    for seed in 0..GRAPHS / 5 {
        let Generator { mut random, file, .. } = random_graph(seed);
        let context = format!("seed {seed}, {:#?}", summary(&file));
        let graph = support::read_onnx(&file.bytes()).unwrap_or_else(|error| panic!("{context}: {error}"));
        let graph = simplify(graph);
        let shape = [&[8], graph.tensor(graph.inputs[0]).shape()].concat();
        let elements = random.floats(shape.iter().product());
        let samples =
            Samples::new(&graph, vec![Array { shape, elements }]).expect("the shape is the input's");
        let options = Options::default();
        match quantize(graph, &samples, None, &options, &mut |_| ()) {
            Ok(_) => quantized += 1,
            Err(error) => panic!("{context}: {error}"),
        }
    }
    eprintln!("{quantized} graphs quantized and run");
}

fn summary(file: &OnnxFile) -> Vec<String> {
    let node = |node: &NodeProto| {
        let attributes: Vec<String> = node
            .attribute
            .iter()
            .map(|a| format!("{}={:?}{:?}{}", a.name, a.ints, String::from_utf8_lossy(&a.s), a.i))
            .collect();
        format!("{} {:?} {}", node.name, node.input, attributes.join(" "))
    };
    let input = format!("{:?} opset {}", file.graph.input[0].r#type, file.opset);
    [input].into_iter().chain(file.graph.node.iter().map(node)).collect()
}
