//! NonMaxSuppression of int8 and int16 chooses what the float operator chooses of the same reals, which is what ONNX says.

#[cfg(feature = "onnx")]
mod support;

use std::sync::Arc;

use edgepkg_format::DType;
use edgepkg_quantize::graph::{
    BoxForm, FloatGraph, FloatTensor, Graph, Node, Op, Quantization, QuantizedGraph, QuantizedTensor,
    Rounding, Suppression, Tensor, TensorId,
};
use edgepkg_quantize::interpret::Interpreter;
use edgepkg_quantize::simulate::{Simulator, dequantize_values};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn up_to(&mut self, greatest: usize) -> usize {
        1 + self.bits() as usize % greatest
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.bits() as usize % values.len()]
    }

    /// Elements that often are the same, and so tie.
    fn elements(&mut self, dtype: DType, count: usize) -> Vec<i8> {
        let spread = self.one_of(&[3, 20, 256]);
        let mut element = || (self.bits() % spread) as i32 - spread as i32 / 2;
        match dtype {
            DType::Int16 => {
                let wide = (0..count).map(|_| (element() * 97) as i16);
                wide.flat_map(|value| value.to_le_bytes().map(|byte| byte as i8)).collect()
            }
            _ => (0..count).map(|_| element() as i8).collect(),
        }
    }
}

fn graph<T: Tensor>(op: Suppression, [boxes, scores, chosen]: [T; 3]) -> Graph<T> {
    let node = Node {
        name: "suppression".into(),
        op: Op::NonMaxSuppression(op),
        inputs: vec![TensorId(0), TensorId(1)],
        outputs: vec![TensorId(2)],
    };
    Graph {
        name: String::new(),
        tensors: vec![boxes, scores, chosen],
        nodes: vec![node],
        inputs: vec![TensorId(0), TensorId(1)],
        outputs: vec![TensorId(2)],
        rounding: T::Rounding::default(),
    }
}

#[test]
fn the_same_boxes_are_chosen_as_of_floats() {
    let mut random = Random(30);
    for case in 0..600 {
        let [batches, classes, count] = [2, 3, 24].map(|greatest| random.up_to(greatest));
        let dtype = random.one_of(&[DType::Int8, DType::Int8, DType::Int16]);
        let form = random.one_of(&[BoxForm::Corners, BoxForm::Center]);
        let op = Suppression {
            form,
            most: random.up_to(count),
            overlap: random.one_of(&[0.0, 0.1, 0.3, 0.45, 0.5, 0.6, 0.75, 1.0]),
            score: random.one_of(&[None, Some(-10.0), Some(0.0), Some(0.5), Some(20.0)]),
        };
        let shapes =
            [vec![batches, count, 4], vec![batches, classes, count], vec![batches * classes * op.most, 3]];
        // A power of two, so that products of floats are exact as those of integers are.
        let zero_point = if dtype == DType::Int8 { (random.bits() % 40) as i32 - 20 } else { 0 };
        let quantizations =
            [Quantization::per_tensor(0.25, zero_point), Quantization::per_tensor(0.125, zero_point)];
        let indices = Quantization::per_tensor(1.0, 0);
        let dtypes = [dtype, dtype, DType::Int32];
        let mut quantized = [0, 1, 2].map(|index| QuantizedTensor {
            name: index.to_string(),
            shape: shapes[index].clone(),
            dtype: dtypes[index],
            quantization: quantizations.get(index).unwrap_or(&indices).clone(),
            data: None,
        });
        let float = shapes.clone().map(|shape| FloatTensor { name: String::new(), shape, data: None });
        let inputs = [0, 1].map(|index| random.elements(dtype, shapes[index].iter().product()));
        let reals = [0, 1].map(|index| dequantize_values(&inputs[index], &quantized[index]));
        let float: FloatGraph = graph(op, float);
        let expected = Interpreter::new(&float).run(&[&reals[0], &reals[1]], |_, _| ()).remove(0);
        let constant_boxes = random.one_of(&[true, false]);
        if constant_boxes {
            quantized[0].data = Some(Arc::from(bytemuck::cast_slice::<i8, u8>(&inputs[0])));
        }
        let mut graph: QuantizedGraph = graph(op, quantized);
        graph.rounding = Rounding::Twice;
        graph.inputs.drain(..usize::from(constant_boxes));
        let mut simulator = Simulator::new(&graph).expect("it can be lowered");
        simulator.run(&inputs[usize::from(constant_boxes)..]);
        let found = dequantize_values(&simulator.outputs()[0], graph.tensor(TensorId(2)));
        assert_eq!(found, expected, "case {case}: {op:?}");
    }
}

#[cfg(feature = "onnx")]
mod onnx {
    use super::support;
    use super::support::onnx_file::{OnnxFile, int};

    /// Two boxes that are all but the same, and one apart.
    const BOXES: [f32; 12] = [0.0, 0.0, 4.0, 4.0, 4.0, 4.0, 0.0, 0.5, 10.0, 10.0, 12.0, 12.0];
    const SCORES: [f32; 6] = [0.5, 0.75, 0.25, 0.9, 0.1, 0.2];

    fn file(most: Option<i64>, overlap: Option<f32>, score: Option<f32>, form: i64) -> OnnxFile {
        let mut file = OnnxFile::new(17);
        file.input("boxes", &[1, 3, 4]);
        file.input("scores", &[1, 2, 3]);
        let most = most.map(|most| file.ints(&[most])).unwrap_or_default();
        let mut number =
            |value: Option<f32>| value.map(|value| file.floats(&[1], vec![value])).unwrap_or_default();
        let (overlap, score) = (number(overlap), number(score));
        let operands = ["boxes", "scores", &most, &overlap, &score];
        let y = file.node("NonMaxSuppression", &operands, vec![int("center_point_box", form)]);
        file.output(&y);
        file
    }

    fn chosen(file: &OnnxFile) -> Vec<f32> {
        let graph = support::read_onnx(&file.bytes()).expect("a model");
        support::interpret(&graph, &[BOXES.to_vec(), SCORES.to_vec()]).remove(0)
    }

    fn refused(file: &OnnxFile) -> String {
        support::read_onnx(&file.bytes()).expect_err("it is refused").to_string()
    }

    #[test]
    fn operands_that_are_left_out_have_their_defaults() {
        // Class 0: box 1, and box 2, which no other overlaps; class 1: box 0, then 2.
        let both = [0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 1.0, 2.0];
        assert_eq!(chosen(&file(Some(2), Some(0.5), None, 0)), both);
        assert_eq!(chosen(&file(Some(2), None, None, 0)), both);
        // Of three that may be there are two; what remains is -1.
        assert_eq!(chosen(&file(Some(9), Some(0.5), None, 0)), [&both[..], &[-1.0; 6]].concat());
        let above = [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0];
        assert_eq!(chosen(&file(Some(2), Some(0.5), Some(0.25), 0)), above);
        assert_eq!(chosen(&file(Some(1), Some(0.5), Some(0.3), 1)), [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn what_chooses_nothing_or_contradicts_itself_is_refused() {
        let none = "1 operator is not supported:\n  NonMaxSuppression `NonMaxSuppression_0` [1, 3, 4], [1, 2, 3], [1], [1] -> , version 17: `max_output_boxes_per_class` is 0, so that it chooses no box";
        assert_eq!(refused(&file(Some(0), Some(0.5), None, 0)), none);
        let above_one = "NonMaxSuppression `NonMaxSuppression_0` has the threshold 1.5, not within 0 to 1";
        assert_eq!(refused(&file(Some(1), Some(1.5), None, 0)), above_one);
        let mut other = file(Some(1), Some(0.5), None, 0);
        other.graph.input.pop();
        other.input("scores", &[1, 2, 5]);
        let shapes = "NonMaxSuppression `NonMaxSuppression_0` has boxes of shape [1, 3, 4] and scores of shape [1, 2, 5]";
        assert_eq!(refused(&other), shapes);
    }
}
