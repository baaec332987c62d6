//! Tables of functions that are computed in floats.

use crate::graph::{Op, Quantization, Rounding};
use crate::interpret::logistic;

/// `function` for int8 inputs -128 to 127: the input as float32, the function in float32, in steps of the
/// output's scale, rounded and clamped.
///
/// Rounded twice it is as TensorFlow Lite fills its tables: times the reciprocal of the scale, halves away from
/// 0. Rounded once it is as ONNX Runtime quantizes: divided by the scale, halves to even.
///
/// Inputs outside of the domain have the output of its nearest end; infinities are clamped.
pub(super) fn tabulate(
    function: impl Fn(f32) -> f32,
    x: &Quantization,
    y: &Quantization,
    rounding: Rounding,
) -> [i8; 256] {
    let steps_per_unit = 1.0 / y.scale();
    let mut table = [0; 256];
    for (q, entry) in (i8::MIN..=i8::MAX).zip(&mut table) {
        let real = x.scale() * (i32::from(q) - x.zero_point()) as f32;
        // NaN, which infinite products of 0 give, becomes 0.
        let steps = match rounding {
            Rounding::Twice => (function(real) * steps_per_unit).round(),
            Rounding::Once => (function(real) / y.scale()).round_ties_even(),
        } as i32;
        *entry = steps.saturating_add(y.zero_point()).clamp(i8::MIN.into(), i8::MAX.into()) as i8;
    }
    table
}

/// What `op` makes of one element, in floats; `None` where it is no such function, or knows raw values only.
pub(super) fn function_of(op: &Op) -> Option<Box<dyn Fn(f32) -> f32>> {
    Some(match *op {
        Op::Logistic => Box::new(logistic),
        Op::Tanh => Box::new(libm::tanhf),
        Op::Relu => Box::new(|x| x.max(0.0)),
        Op::Clamp(range) => Box::new(move |x| range.apply(x)),
        Op::LeakyRelu { alpha } => Box::new(move |x| if x < 0.0 { alpha * x } else { x }),
        Op::Unary(function) => Box::new(move |x| function.apply_to_any(x)),
        Op::Requantize => Box::new(|x| x),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use edgepkg_format::DType;

    use crate::graph::{
        Node, Op, Quantization, QuantizedGraph, QuantizedTensor, Rounding, TensorId, UnaryFunction,
    };
    use crate::simulate::Simulator;

    /// Every function, with the inputs it is used on.
    const FUNCTIONS: [(UnaryFunction, [f32; 2]); 28] = [
        (UnaryFunction::Abs, [-4.0, 5.0]),
        (UnaryFunction::Neg, [-4.0, 5.0]),
        (UnaryFunction::Exp, [-8.0, 3.0]),
        (UnaryFunction::Log, [0.0, 9.0]),
        (UnaryFunction::Sqrt, [0.0, 9.0]),
        (UnaryFunction::Rsqrt, [0.0, 9.0]),
        (UnaryFunction::Reciprocal, [-3.0, 9.0]),
        (UnaryFunction::Elu { alpha: 1.0 }, [-6.0, 4.0]),
        (UnaryFunction::Selu { alpha: 1.673_263_2, gamma: 1.050_701 }, [-6.0, 4.0]),
        (UnaryFunction::Celu { alpha: 2.0 }, [-6.0, 4.0]),
        (UnaryFunction::HardSigmoid { alpha: 0.2, beta: 0.5 }, [-4.0, 4.0]),
        (UnaryFunction::HardSwish, [-5.0, 5.0]),
        (UnaryFunction::HardSwish, [-3.0, 0.0]),
        (UnaryFunction::Gelu, [-5.0, 5.0]),
        (UnaryFunction::GeluTanh, [-5.0, 5.0]),
        (UnaryFunction::Silu, [-9.0, 5.0]),
        (UnaryFunction::Mish, [-9.0, 5.0]),
        (UnaryFunction::Softplus, [-9.0, 5.0]),
        (UnaryFunction::Softsign, [-9.0, 9.0]),
        (UnaryFunction::Erf, [-3.0, 3.0]),
        (UnaryFunction::Sin, [-6.0, 6.0]),
        (UnaryFunction::Cos, [-6.0, 6.0]),
        (UnaryFunction::Floor, [-9.0, 9.0]),
        (UnaryFunction::Ceil, [-9.0, 9.0]),
        (UnaryFunction::Round, [-9.0, 9.0]),
        (UnaryFunction::Sign, [-1.0, 1.0]),
        (UnaryFunction::Power { exponent: 2.5 }, [0.0, 3.0]),
        (UnaryFunction::ThresholdedRelu { alpha: 0.5 }, [-3.0, 3.0]),
    ];

    fn quantization([min, max]: [f32; 2]) -> Quantization {
        let scale = (max - min) / 255.0;
        Quantization::per_tensor(scale, (-128.0 - min / scale).round() as i32)
    }

    /// What the runtime makes of -128 to 127.
    fn run(function: UnaryFunction, x: &Quantization, y: &Quantization) -> Vec<i8> {
        let tensor = |quantization: &Quantization| QuantizedTensor {
            name: String::new(),
            shape: vec![256],
            dtype: DType::Int8,
            quantization: quantization.clone(),
            data: None,
        };
        let (input, output) = (TensorId(0), TensorId(1));
        let op = Op::Unary(function);
        let node = Node { name: "f".into(), op, inputs: vec![input], outputs: vec![output] };
        let graph = QuantizedGraph {
            name: String::new(),
            tensors: vec![tensor(x), tensor(y)],
            nodes: vec![node],
            inputs: vec![input],
            outputs: vec![output],
            rounding: Rounding::Twice,
        };
        let mut simulator = Simulator::new(&graph).expect("the graph is sound");
        simulator.run(&[(i8::MIN..=i8::MAX).collect()]);
        simulator.outputs()[0].to_vec()
    }

    #[test]
    fn outputs_are_within_a_step_of_the_function() {
        let mut seed = 1u32;
        let mut share = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            0.05 + (seed >> 8) as f32 / (1 << 24) as f32
        };
        for (function, [least, greatest]) in FUNCTIONS {
            for _ in 0..40 {
                let x = quantization([least * share(), greatest * share()]);
                let real = |q: i8| x.scale() * (i32::from(q) - x.zero_point()) as f32;
                let values = (i8::MIN..=i8::MAX).map(|q| function.apply_to_any(real(q)));
                let finite = values.filter(|value| value.is_finite());
                let range = finite.fold([-0.01f32, 0.01], |range, y| [range[0].min(y), range[1].max(y)]);
                let y = quantization(range.map(|end| end * share()));
                for (q, found) in (i8::MIN..=i8::MAX).zip(run(function, &x, &y)) {
                    let exact = function.apply_to_any(real(q)) / y.scale() + y.zero_point() as f32;
                    let error = f32::from(found) - exact.clamp(-128.0, 127.0);
                    assert!(error.abs() <= 1.0, "{function:?} of {}: {found}, not {exact}", real(q));
                }
            }
        }
    }

    #[test]
    fn ends_of_domains_saturate() {
        let x = Quantization::per_tensor(0.5, 0);
        let y = Quantization::per_tensor(0.25, 3);
        let at = |function, q: i32| run(function, &x, &y)[(q + 128) as usize];
        assert_eq!([-128, 0].map(|q| at(UnaryFunction::Log, q)), [-128; 2]);
        assert_eq!([-128, 0].map(|q| at(UnaryFunction::Sqrt, q)), [3; 2]);
        assert_eq!([-128, 0].map(|q| at(UnaryFunction::Rsqrt, q)), [127; 2]);
        assert_eq!(at(UnaryFunction::Reciprocal, 0), 127);
        assert_eq!(at(UnaryFunction::Power { exponent: 1.5 }, -128), 3);
        assert_eq!(at(UnaryFunction::Power { exponent: 3.0 }, -128), -128);
        assert_eq!(at(UnaryFunction::Exp, 127), 127);
    }
}
