//! How much of the float model is left in the quantized one.

use edgepkg_format::DType;

use crate::graph::{FloatGraph, QuantizedGraph, QuantizedTensor, TensorId};
use crate::interpret::Interpreter;
use crate::lower::LowerError;
use crate::samples::Samples;
use crate::simulate::{Simulator, dequantize_values, quantize_values};

/// Energy of a signal and of what quantization does to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SignalToNoise {
    /// `sum reference^2`.
    pub signal: f64,
    /// `sum (reference - value)^2`.
    pub noise: f64,
}

impl SignalToNoise {
    /// Adds elements in their order.
    pub fn add(&mut self, reference: &[f32], values: &[f32]) {
        for (&reference, &value) in reference.iter().zip(values) {
            let (reference, value) = (f64::from(reference), f64::from(value));
            self.signal += reference * reference;
            self.noise += (reference - value) * (reference - value);
        }
    }

    /// `10 log10(signal / noise)`; infinite when there is no noise.
    pub fn decibels(&self) -> f64 {
        if self.noise == 0.0 { f64::INFINITY } else { 10.0 * libm::log10(self.signal / self.noise) }
    }
}

/// Top-1 answers, taken from the first output; the first of equal scores counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Samples that were run.
    pub samples: usize,
    /// Samples on which both models agree.
    pub agreeing: usize,
    /// Samples with a label.
    pub labelled: usize,
    /// Labelled samples that the float model answers as labelled.
    pub float_correct: usize,
    /// Labelled samples that the int8 model answers as labelled.
    pub int8_correct: usize,
}

impl Answers {
    fn add(&mut self, float: usize, int8: usize, label: Option<usize>) {
        self.samples += 1;
        self.agreeing += usize::from(float == int8);
        if let Some(label) = label {
            self.labelled += 1;
            self.float_correct += usize::from(float == label);
            self.int8_correct += usize::from(int8 == label);
        }
    }
}

/// The float model and the int8 model, compared over samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Of each output of the model; zeros for those that are indices.
    pub outputs: Vec<SignalToNoise>,
    /// Of each tensor of [`Layers::graph`]; zeros for those that are not compared.
    pub activations: Vec<SignalToNoise>,
    /// Top-1.
    pub answers: Answers,
}

impl Score {
    /// Signal to noise of the worst output, in dB.
    pub fn worst_output_decibels(&self) -> f64 {
        self.outputs.iter().map(SignalToNoise::decibels).fold(f64::INFINITY, f64::min)
    }
}

/// What the activations of a quantized model are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    /// The graph that was quantized: it computes what the float model does, in channels of other sizes.
    pub graph: &'a FloatGraph,
    /// For each of its tensors, the same in the quantized graph.
    pub activations: &'a [Option<TensorId>],
}

/// Runs `samples` through both models and compares their outputs, and their activations where `layers` says
/// which to compare.
///
/// `labels` are the right answers of the first samples; it may be empty. `progress` is called after every
/// sample with those done and those to do.
///
/// # Errors
///
/// When `quantized` cannot be lowered.
pub fn score(
    float: &FloatGraph,
    quantized: &QuantizedGraph,
    layers: Option<Layers<'_>>,
    samples: &Samples,
    labels: &[usize],
    mut progress: impl FnMut(usize, usize),
) -> Result<Score, LowerError> {
    let interpreter = Interpreter::new(float);
    let layers = layers.map(|layers| (Interpreter::new(layers.graph), layers.activations));
    let mut simulator = Simulator::new(quantized)?;
    let mut score = Score {
        outputs: vec![SignalToNoise::default(); float.outputs.len()],
        activations: vec![SignalToNoise::default(); layers.as_ref().map_or(0, |(_, same)| same.len())],
        answers: Answers::default(),
    };
    let mut kept = interpreter.initial();
    let mut kept_by_layers = layers.as_ref().map(|(layers, _)| layers.initial());
    for (index, inputs) in samples.iter().enumerate() {
        if samples.starts_anew(index) {
            simulator.reset_state();
            kept = interpreter.initial();
            kept_by_layers = layers.as_ref().map(|(layers, _)| layers.initial());
        }
        let raw: Vec<Vec<i8>> = inputs
            .iter()
            .zip(&quantized.inputs)
            .map(|(values, &id)| quantize_values(values, quantized.tensor(id)))
            .collect();
        simulator.run(&raw);
        if let (Some((layers, same)), Some(kept)) = (&layers, &mut kept_by_layers) {
            let compare = |id: TensorId, reference: &[f32]| {
                if let Some(same) = same.get(id.0).copied().flatten()
                    && let Some(values) = simulator.activation(same)
                    && is_signal(quantized.tensor(same))
                {
                    score.activations[id.0]
                        .add(reference, &dequantize_values(values, quantized.tensor(same)));
                }
            };
            layers.run_after(kept, &inputs, compare, |_, _| {});
        }
        let outputs = interpreter.run_after(&mut kept, &inputs, |_, _| {}, |_, _| {});
        let int8_outputs: Vec<Vec<f32>> = simulator
            .outputs()
            .iter()
            .zip(&quantized.outputs)
            .map(|(values, &id)| dequantize_values(values, quantized.tensor(id)))
            .collect();
        let sums = score.outputs.iter_mut().zip(&quantized.outputs);
        for ((sum, &id), (reference, values)) in sums.zip(outputs.iter().zip(&int8_outputs)) {
            if is_signal(quantized.tensor(id)) {
                sum.add(reference, values);
            }
        }
        score.answers.add(top_1(&outputs[0]), top_1(&int8_outputs[0]), labels.get(index).copied());
        progress(index + 1, samples.count());
    }
    Ok(score)
}

/// Whether noise in it means something: not where indices are.
fn is_signal(tensor: &QuantizedTensor) -> bool {
    tensor.dtype != DType::Int32
}

/// The index of the greatest value, the first of equals; 0 without any.
pub fn top_1(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, &value) in values.iter().enumerate() {
        if value > values[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::{SignalToNoise, top_1};

    #[test]
    fn decibels_of_a_tenth_of_the_amplitude() {
        let mut sum = SignalToNoise::default();
        sum.add(&[10.0, -10.0], &[9.0, -9.0]);
        assert_eq!(sum.decibels(), 20.0);
        assert_eq!(SignalToNoise::default().decibels(), f64::INFINITY);
    }

    #[test]
    fn the_first_of_equals_is_the_answer() {
        assert_eq!(top_1(&[1.0, 3.0, 3.0, 2.0]), 1);
        assert_eq!(top_1(&[]), 0);
    }
}
