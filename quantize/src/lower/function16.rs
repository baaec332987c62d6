//! Unary functions and softmax of int16: by tables between whose points lines are drawn, or by slopes.

use edgepkg_format::DType;
use edgepkg_format::plan::{Clamp, Interpolate16, LeakyRelu16, Scale, Sigmoid, Sigmoid16, Softmax16};

use super::{Lowering, NodeResult, word};
use crate::graph::{Activation, Node, Tensor};
use crate::multiplier::{self, LeakyReluScales, activation_range, type_range};

/// Lines of a table.
const LINES: u16 = 512;
/// Steps of an output whose scale is `2^-15`, in 1.
const STEPS_OF_ONE: f32 = 32_768.0;

impl Lowering<'_> {
    pub(super) fn softmax16(&mut self, node: &Node, beta: f32) -> NodeResult {
        let x = self.tensor(node.inputs[0]);
        let depth = x.shape[x.shape.len() - 1];
        let exponential = |point: f32| libm::expf(point * (10.0 / f32::from(LINES)) - 10.0) * STEPS_OF_ONE;
        let reciprocal = |point: f32| STEPS_OF_ONE / (1.0 + point / f32::from(LINES));
        let tables = [interpolation_table(exponential), interpolation_table(reciprocal)].concat();
        let record = Softmax16 {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            tables: self.constant(&bytes(&tables), DType::Int16)?,
            rows: word(x.len() / depth),
            depth: word(depth),
            scale: multiplier::softmax_int16(beta, x.quantization.scale())?,
        };
        self.push(record);
        Ok(())
    }

    pub(super) fn sigmoid16(&mut self, node: &Node, function: Sigmoid) -> NodeResult {
        let x = self.tensor(node.inputs[0]);
        let scale = multiplier::wide_sigmoid(x.quantization.scale(), function);
        let record = Sigmoid16 {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            table: self.constant(&sigmoid_table(), DType::Int16)?,
            length: word(x.len()),
            function,
            multiplier: scale.multiplier,
            shift: scale.shift,
        };
        self.push(record);
        Ok(())
    }

    pub(super) fn relu16(&mut self, node: &Node) -> NodeResult {
        let (x, y) = self.unary(node);
        let scale = multiplier::relu(x.quantization.scale(), y.quantization.scale())?;
        let clamp = Clamp { min: y.quantization.zero_point(), ..type_range(y.dtype) };
        self.slopes(node, [scale; 2], clamp)
    }

    /// The references clamp raw values and take the output's scale to be the input's.
    pub(super) fn relu6_16(&mut self, node: &Node) -> NodeResult {
        let (x, _) = self.unary(node);
        let clamp = activation_range(&Activation::RELU6, &x.quantization, x.dtype);
        self.slopes(node, [multiplier::quantize_multiplier(1.0)?; 2], clamp)
    }

    pub(super) fn clamp16(&mut self, node: &Node, activation: &Activation) -> NodeResult {
        let (x, y) = self.unary(node);
        let scale = multiplier::requantize(x.quantization.scale(), y.quantization.scale())?;
        self.slopes(node, [scale; 2], activation_range(activation, &y.quantization, y.dtype))
    }

    pub(super) fn leaky_relu16(&mut self, node: &Node, alpha: f32) -> NodeResult {
        let (x, y) = self.unary(node);
        let LeakyReluScales { identity, alpha } =
            multiplier::leaky_relu(x.quantization.scale(), y.quantization.scale(), alpha)?;
        self.slopes(node, [identity, alpha], type_range(y.dtype))
    }

    fn slopes(&mut self, node: &Node, [identity, alpha]: [Scale; 2], clamp: Clamp) -> NodeResult {
        let (x, y) = self.unary(node);
        let record = LeakyRelu16 {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            length: word(x.len()),
            input_zero_point: x.quantization.zero_point(),
            identity,
            alpha,
            output_zero_point: y.quantization.zero_point(),
            clamp,
        };
        self.push(record);
        Ok(())
    }

    /// By a table of what `function` makes of 513 inputs.
    pub(super) fn interpolated(&mut self, node: &Node, function: impl Fn(f32) -> f32) -> NodeResult {
        let (x, y) = self.unary(node);
        let (from, to) = (&x.quantization, &y.quantization);
        let least = f32::from(i16::MIN) - from.zero_point() as f32;
        let inputs_of_line = (1 << 16) as f32 / f32::from(LINES);
        let table = interpolation_table(|point| {
            let real = from.scale() * (least + point * inputs_of_line);
            function(real) / to.scale() + to.zero_point() as f32
        });
        let record = Interpolate16 {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            table: self.constant(&bytes(&table), DType::Int16)?,
            length: word(x.len()),
        };
        self.push(record);
        Ok(())
    }
}

/// `function` of the points 0 to 512, each moved so that half of the error in the middle of the line that begins at
/// it is gone. Rounded half away from zero, in float32.
fn interpolation_table(function: impl Fn(f32) -> f32) -> Vec<i16> {
    let line = |point: u16| {
        let point = f32::from(point);
        let value = function(point).round();
        let on_line = ((function(point + 1.0) + value) / 2.0).round();
        let error = on_line - function(point + 0.5).round();
        value - (error / 2.0).round()
    };
    // Conversion saturates, and takes what is no number to 0.
    (0..LINES).map(line).chain([function(f32::from(LINES)).round()]).map(|value| value as i16).collect()
}

/// The logistic function of 0, 1/24 and so on, in steps of `2^-16`, each moved as in [`interpolation_table`].
pub(super) fn sigmoid_table() -> Vec<u8> {
    let logistic = |point: f64| 65_536.0 / (1.0 + libm::exp(-point / 24.0));
    let line = |point: u8| {
        let point = f64::from(point);
        let [left, middle, right] = [0.0, 0.5, 1.0].map(|part| logistic(point + part));
        let error = middle - (left + right) / 2.0;
        (left + error / 2.0).round() as u16
    };
    // The last line has no end.
    (0..u8::MAX).map(line).chain([u16::MAX]).flat_map(u16::to_le_bytes).collect()
}

fn bytes(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_moved_by_half_of_the_error_between_them() {
        let line = interpolation_table(|point| 3.0 * point - 700.0);
        assert!((0..).zip(&line).all(|(point, &value)| value == 3 * point - 700));
        let parabola = interpolation_table(|point| (point - 256.0) * (point - 256.0) / 2.0);
        assert_eq!((parabola.len(), parabola[0], parabola[256], parabola[512]), (513, 32_767, 0, 32_767));
        let steep = interpolation_table(|point| 40.0 * point * point);
        assert_eq!(steep[..2], [-5, 35], "a middle of 10 is 10 below the line of 0 and 40");
        assert_eq!(interpolation_table(|_| f32::NAN)[7], 0);
    }

    #[test]
    fn sigmoids_begin_at_a_half() {
        let bytes = sigmoid_table();
        let table: Vec<u16> = bytes.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
        assert_eq!((table.len(), table[0], table[1], table[255]), (256, 32_768, 33_451, u16::MAX));
        assert!(table.is_sorted());
    }
}
