//! A model for each operator that ONNX has no conformance test of among those here.

use super::Random;
use super::onnx_file::{OnnxFile, float, int, word};

/// A model of `operator` and its input; `None` where it has none.
pub fn example(operator: &str) -> Option<(OnnxFile, Vec<f32>)> {
    let mut file = OnnxFile::new(23);
    let mut shape = vec![2, 4, 3, 5];
    let mut range = (-1.0, 1.0);
    let mut operands = Vec::new();
    let mut attributes = Vec::new();
    match operator {
        "Ceil" | "Celu" | "Cos" | "Erf" | "Floor" | "Mish" | "Round" | "Selu" | "Sign" | "Sin"
        | "Softsign" => {
            range = (-3.0, 3.0);
        }
        "ThresholdedRelu" => attributes.push(float("alpha", 0.25)),
        "Cast" => attributes.push(int("to", 1)),
        "CumSum" => operands.push(file.ints(&[2])),
        "Trilu" => attributes.push(int("upper", 1)),
        "LpNormalization" => attributes.push(int("p", 2)),
        "ReduceL1" | "ReduceL2" | "ReduceLogSumExp" | "ReduceMin" | "ReduceSumSquare" => {
            operands.push(file.ints(&[1]));
        }
        "ReduceLogSum" | "ReduceProd" => {
            range = (0.5, 1.5);
            operands.push(file.ints(&[1]));
        }
        "Upsample" => {
            file = OnnxFile::new(9);
            operands.push(file.floats(&[4], vec![1.0, 1.0, 2.0, 2.0]));
            attributes.push(word("mode", "linear"));
        }
        "RMSNormalization" => operands.push(file.floats(&[5], vec![0.5, 1.0, -1.0, 2.0, 0.25])),
        "GroupNormalization" => {
            operands.push(file.floats(&[4], vec![0.5, 1.0, -1.0, 2.0]));
            operands.push(file.floats(&[4], vec![0.0, 0.5, 0.25, -0.5]));
            attributes.push(int("num_groups", 2));
        }
        "OneHot" => {
            shape = vec![3, 4];
            operands.push(file.ints(&[5]));
            operands.push(file.floats(&[2], vec![0.0, 1.0]));
        }
        "Einsum" => {
            shape = vec![4, 6];
            let weights = Random::new(3).floats(18);
            operands.push(file.floats(&[6, 3], weights));
            attributes.push(word("equation", "ij,jk->ik"));
        }
        _ => return None,
    }
    let is_index = operator == "OneHot";
    if is_index {
        file.index_input("x", &shape);
    } else {
        file.input("x", &shape);
    }
    let inputs: Vec<&str> = std::iter::once("x").chain(operands.iter().map(|name| &**name)).collect();
    let y = file.node(operator, &inputs, attributes);
    file.output(&y);
    let values = Random::new(7).floats(shape.iter().product());
    if is_index {
        return Some((file, (0..values.len()).map(|at| (at % 5) as f32).collect()));
    }
    let (low, high) = range;
    Some((file, values.into_iter().map(|value| low + (value + 1.0) / 2.0 * (high - low)).collect()))
}
