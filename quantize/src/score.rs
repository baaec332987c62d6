//! How much of the float model is left in the quantized one.

use crate::graph::{FloatGraph, QuantizedGraph, TensorId};
use crate::interpret::Interpreter;
use crate::lower::LowerError;
use crate::samples::Samples;
use crate::simulate::{Simulator, dequantize_int8, quantize_int8};

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

/// The float model and the int8 model, compared over samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Of each output of the model.
    pub outputs: Vec<SignalToNoise>,
    /// Of each tensor of the float graph; zeros for those that are not compared.
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

/// Runs `samples` through both models and compares them.
///
/// `activations` names, for each tensor of `float`, the same in `quantized`; it may be empty. `labels` are
/// the right answers of the first samples; it may be empty. `progress` is called after every sample with
/// those done and those to do.
///
/// # Errors
///
/// When `quantized` cannot be lowered.
pub fn score(
    float: &FloatGraph,
    quantized: &QuantizedGraph,
    activations: &[Option<TensorId>],
    samples: &Samples,
    labels: &[usize],
    mut progress: impl FnMut(usize, usize),
) -> Result<Score, LowerError> {
    let interpreter = Interpreter::new(float);
    let mut simulator = Simulator::new(quantized)?;
    let mut score = Score {
        outputs: vec![SignalToNoise::default(); float.outputs.len()],
        activations: vec![SignalToNoise::default(); float.tensors.len()],
        answers: Answers::default(),
    };
    let quantization = |id: TensorId| &quantized.tensor(id).quantization;
    for (index, inputs) in samples.iter().enumerate() {
        let raw: Vec<Vec<i8>> = inputs
            .iter()
            .zip(&quantized.inputs)
            .map(|(values, &id)| quantize_int8(values, quantization(id)))
            .collect();
        simulator.run(&raw);
        let outputs = interpreter.run(&inputs, |id, reference| {
            if let Some(&Some(same)) = activations.get(id.0)
                && let Some(values) = simulator.activation(same)
            {
                score.activations[id.0].add(reference, &dequantize_int8(values, quantization(same)));
            }
        });
        let int8_outputs: Vec<Vec<f32>> = simulator
            .outputs()
            .iter()
            .zip(&quantized.outputs)
            .map(|(values, &id)| dequantize_int8(values, quantization(id)))
            .collect();
        for ((sum, reference), values) in score.outputs.iter_mut().zip(&outputs).zip(&int8_outputs) {
            sum.add(reference, values);
        }
        let (float_answer, int8_answer) = (top_1(&outputs[0]), top_1(&int8_outputs[0]));
        let answers = &mut score.answers;
        answers.samples += 1;
        answers.agreeing += usize::from(float_answer == int8_answer);
        if let Some(&label) = labels.get(index) {
            answers.labelled += 1;
            answers.float_correct += usize::from(float_answer == label);
            answers.int8_correct += usize::from(int8_answer == label);
        }
        progress(index + 1, samples.count());
    }
    Ok(score)
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
