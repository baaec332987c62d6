//! Runs a quantized graph on the host: lowered, written and executed as on a board.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::{DType, Isa, Space, TensorRef};
use edgepkg_runtime::Model;

use crate::drop_dead_channels::DeadChannels;
use crate::emit::{self, Options};
use crate::graph::{Quantization, QuantizedGraph, QuantizedTensor, Tensor, TensorId};
use crate::lower::{LowerError, lower};
use crate::multiplier::{quantize, type_range};
use crate::optimize::Optimize;
use crate::plan_memory::MemoryPlan;

const SOUND: &str = "an emitted artifact is sound";
const ROOM: &str = "the arena has the size and alignment that the artifact states";

/// A quantized graph in the runtime, with memory of its own for every activation, so that each can be looked
/// at after a run.
pub struct Simulator<'g> {
    graph: &'g QuantizedGraph,
    artifact: AlignedBytes,
    arena: AlignedBytes,
    /// Where each tensor lies; `None` for packed weights and biases.
    places: Vec<Option<TensorRef>>,
}

impl<'g> Simulator<'g> {
    /// Lowers `graph` for the portable kernels.
    ///
    /// # Errors
    ///
    /// As [`lower`].
    pub fn new(graph: &'g QuantizedGraph) -> Result<Self, LowerError> {
        let lowered = lower(graph, Isa::Portable, Optimize::Speed)?;
        let memory = MemoryPlan::without_sharing(&lowered);
        let options = Options {
            isa: Isa::Portable,
            name: "",
            version: "",
            labels: &[],
            graph_digest: [0; 32],
            dead_channels: DeadChannels::Keep,
            optimize: Optimize::Speed,
        };
        let artifact = emit::write(graph, &lowered, &memory, &options);
        let place = |tensor: TensorRef| memory.place(&lowered, tensor);
        let artifact = AlignedBytes::from(&artifact[..]);
        let arena_bytes = Model::parse(&artifact).expect(SOUND).arena_bytes();
        let mut simulator = Self {
            graph,
            artifact,
            arena: AlignedBytes::from(&vec![0; arena_bytes][..]),
            places: lowered.tensors.iter().map(|tensor| tensor.map(place)).collect(),
        };
        simulator.reset_state();
        Ok(simulator)
    }

    /// Gives what the graph keeps between runs its initial value.
    pub fn reset_state(&mut self) {
        let model = Model::parse(&self.artifact).expect(SOUND);
        model.session(bytemuck::cast_slice_mut(&mut self.arena)).expect(ROOM);
    }

    /// The graph it runs.
    pub fn graph(&self) -> &'g QuantizedGraph {
        self.graph
    }

    /// Runs one inference, with what the one before it kept. `inputs` are the raw elements of the graph's inputs, in its order.
    ///
    /// # Panics
    ///
    /// When the number of inputs, or the bytes of one, are not the graph's.
    pub fn run(&mut self, inputs: &[Vec<i8>]) {
        assert_eq!(inputs.len(), self.graph.inputs.len(), "the graph has another number of inputs");
        let model = Model::parse(&self.artifact).expect(SOUND);
        let arena = bytemuck::cast_slice_mut(&mut self.arena);
        let mut session = model.resume_session(arena).expect(ROOM);
        for (index, input) in inputs.iter().enumerate() {
            let mut tensor = session.input(index).expect("as many as the graph has");
            tensor.copy_from_i8(input).expect("as long as the graph's input");
        }
        session.run().expect("every input is set");
    }

    /// The raw bytes that the last run left in `id`; `None` for weights and biases.
    pub fn activation(&self, id: TensorId) -> Option<&[i8]> {
        let place = self.places[id.0].filter(|place| place.space == Space::Arena)?;
        let bytes = place.dtype.bytes(self.graph.tensor(id).len() as u32)? as usize;
        Some(bytemuck::cast_slice(&self.arena[place.offset as usize..][..bytes]))
    }

    /// The raw outputs of the last run, in the graph's order.
    pub fn outputs(&self) -> Vec<Vec<i8>> {
        let output = |&id| self.activation(id).expect("outputs lie in the arena").to_vec();
        self.graph.outputs.iter().map(output).collect()
    }
}

/// Reals as the little-endian elements of `tensor`: `round(value / scale) + zero_point`, half away from zero,
/// saturated. What a model's inputs go through.
///
/// # Panics
///
/// When the tensor is neither int8 nor int16.
pub fn quantize_raw(values: &[f32], tensor: &QuantizedTensor) -> Vec<i8> {
    match tensor.dtype {
        DType::Int8 => quantize_int8(values, &tensor.quantization),
        DType::Int16 => {
            let range = type_range(DType::Int16);
            let element = |&value: &f32| quantize(value, &tensor.quantization).clamp(range.min, range.max);
            values.iter().map(element).flat_map(|q| (q as i16).to_le_bytes()).map(|byte| byte as i8).collect()
        }
        _ => panic!("{} is neither int8 nor int16", tensor.name),
    }
}

/// The little-endian elements of `tensor` as reals: `scale * (q - zero_point)`. What a model's outputs go through.
///
/// # Panics
///
/// When the tensor is neither int8 nor int16.
pub fn dequantize_raw(bytes: &[i8], tensor: &QuantizedTensor) -> Vec<f32> {
    let (scale, zero_point) = (tensor.quantization.scale(), tensor.quantization.zero_point());
    let real = |q: i16| scale * (i32::from(q) - zero_point) as f32;
    match tensor.dtype {
        DType::Int8 => dequantize_int8(bytes, &tensor.quantization),
        DType::Int16 => {
            let elements = bytes.as_chunks().0.iter();
            elements.map(|&[low, high]| real(i16::from_le_bytes([low as u8, high as u8]))).collect()
        }
        _ => panic!("{} is neither int8 nor int16", tensor.name),
    }
}

/// Reals as int8: `round(value / scale) + zero_point`, half away from zero, saturated. What a model's
/// inputs go through.
pub fn quantize_int8(values: &[f32], quantization: &Quantization) -> Vec<i8> {
    values.iter().map(|&value| quantize(value, quantization).clamp(-128, 127) as i8).collect()
}

/// Reals as the bytes of `tensor`'s elements: as [`quantize_int8`], in its type. What a model's inputs go
/// through.
pub fn quantize_values(values: &[f32], tensor: &QuantizedTensor) -> Vec<i8> {
    let range = type_range(tensor.dtype);
    let width = tensor.dtype.bytes(1).unwrap_or(1) as usize;
    let raw = |&value: &f32| quantize(value, &tensor.quantization).clamp(range.min, range.max);
    let bytes = values.iter().map(raw).flat_map(|raw| raw.to_le_bytes().into_iter().take(width));
    bytes.map(|byte| byte as i8).collect()
}

/// The reals that the bytes of `tensor`'s elements stand for: `scale * (q - zero_point)`. What a model's
/// outputs go through.
pub fn dequantize_values(bytes: &[i8], tensor: &QuantizedTensor) -> Vec<f32> {
    let (scale, zero_point) = (tensor.quantization.scale(), tensor.quantization.zero_point());
    let real = |raw: i32| scale * raw.wrapping_sub(zero_point) as f32;
    let unsigned: &[u8] = bytemuck::cast_slice(bytes);
    match tensor.dtype {
        DType::Int16 => {
            unsigned.as_chunks().0.iter().map(|raw| real(i16::from_le_bytes(*raw).into())).collect()
        }
        DType::Int32 | DType::Int64 => {
            unsigned.as_chunks().0.iter().map(|raw| real(i32::from_le_bytes(*raw))).collect()
        }
        DType::Int8 | DType::Int4 => bytes.iter().map(|&raw| real(raw.into())).collect(),
    }
}

/// int8 as reals: `scale * (q - zero_point)`. What a model's outputs go through.
pub fn dequantize_int8(values: &[i8], quantization: &Quantization) -> Vec<f32> {
    let (scale, zero_point) = (quantization.scale(), quantization.zero_point());
    values.iter().map(|&q| scale * (i32::from(q) - zero_point) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::{dequantize_int8, quantize_int8};
    use crate::graph::Quantization;

    #[test]
    fn values_round_half_away_from_zero_and_saturate() {
        let quantization = Quantization::per_tensor(2.0, 1);
        let quantized = quantize_int8(&[1.0, -1.0, 2.9, 1e9, -1e9], &quantization);
        assert_eq!(quantized, [2, 0, 2, 127, -128]);
        assert_eq!(dequantize_int8(&quantized[..2], &quantization), [2.0, -2.0]);
    }
}
