//! By how much each channel is divided.

use super::groups::{Group, fused};
use crate::calibrate::Extremes;
use crate::graph::{FloatGraph, Op, Tensor, TensorId};

/// How much of the differences is made up for, in the exponent: 0 is nothing, 1 all.
const STRENGTHS: [f32; 5] = [1.0, 0.75, 0.5, 0.25, 0.0];
/// So few samples say nothing of how far channels differ.
const UNTRUSTED_SAMPLES: f32 = 4.0;

/// What the calibration samples do in each channel of an activation.
pub(super) struct ChannelStatistics {
    /// The activation.
    pub(super) id: TensorId,
    /// Greatest magnitudes.
    extremes: Vec<Extremes>,
    /// Sums of squares.
    squares: Vec<f64>,
    /// Values of one channel.
    count: usize,
    /// Samples added.
    samples: usize,
}

impl ChannelStatistics {
    /// Of `channels` channels, before any sample.
    pub(super) fn new(id: TensorId, channels: usize) -> Self {
        Self {
            id,
            extremes: vec![Extremes::default(); channels],
            squares: vec![0.0; channels],
            count: 0,
            samples: 0,
        }
    }

    /// Adds the values of one sample.
    pub(super) fn add(&mut self, values: &[f32]) {
        let channels = self.squares.len();
        let mut greatest = vec![0.0_f32; channels];
        for pixel in values.chunks_exact(channels) {
            for ((greatest, squares), &value) in greatest.iter_mut().zip(&mut self.squares).zip(pixel) {
                if value.abs() > *greatest {
                    *greatest = value.abs();
                }
                *squares += f64::from(value) * f64::from(value);
            }
        }
        self.count += values.len() / channels;
        self.samples += 1;
        for (extremes, &greatest) in self.extremes.iter_mut().zip(&greatest) {
            extremes.add(greatest);
        }
    }

    /// The range of each channel, at most `bound`.
    fn ranges(&self, bound: f32) -> Vec<f32> {
        self.extremes.iter().map(|extremes| extremes.expected().min(bound)).collect()
    }

    /// The mean square of each channel.
    fn energies(&self) -> Vec<f64> {
        self.squares.iter().map(|squares| squares / self.count as f64).collect()
    }
}

/// The factors of a group, at most 1.
///
/// A channel that looks small in `n` samples may fire in the next one. Less than `1 / sqrt(n)` of the greatest
/// range is not believed, and [`UNTRUSTED_SAMPLES`]` / n` of the difference, in the exponent, never made up for.
pub(super) fn factors(graph: &FloatGraph, group: &Group, statistics: &[ChannelStatistics]) -> Vec<f32> {
    let samples = statistics.first().map_or(1, |statistics| statistics.samples) as f32;
    let trust = (1.0 - UNTRUSTED_SAMPLES / samples).max(0.0);
    let mut shares = vec![1.0 / libm::sqrtf(samples); group.channels];
    for statistics in statistics {
        let writer = graph.producer(statistics.id).expect("groups hold what nodes write");
        let bound = fused(&graph.nodes[writer].op).max;
        let ranges = statistics.ranges(bound.unwrap_or(f32::INFINITY));
        let widest = bound.unwrap_or_else(|| greatest(&ranges));
        if widest > 0.0 {
            for (share, range) in shares.iter_mut().zip(&ranges) {
                *share = greatest(&[*share, range / widest]);
            }
        }
    }
    let mut best = (f64::INFINITY, Vec::new());
    for strength in STRENGTHS {
        let factors: Vec<f32> = shares.iter().map(|&share| libm::powf(share, strength * trust)).collect();
        let noise = group.consumers.iter().map(|&node| noise(graph, node, statistics, &factors)).sum();
        if noise < best.0 {
            best = (noise, factors);
        }
    }
    best.1
}

fn greatest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |greatest, &value| if value > greatest { value } else { greatest })
}

/// The noise in a layer's outputs as a share of their energy, channels taken to be independent: that of the
/// rounded activation it reads and that of its rounded weights. A step makes a noise of a twelfth of its
/// square.
fn noise(graph: &FloatGraph, node: usize, statistics: &[ChannelStatistics], factors: &[f32]) -> f64 {
    let node = &graph.nodes[node];
    let Some(statistics) = statistics.iter().find(|statistics| statistics.id == node.inputs[0]) else {
        return 0.0;
    };
    let weights = graph.tensor(node.inputs[1]);
    let values = weights.data.as_deref().expect("groups have constant weights");
    let channels = factors.len();
    let energies = statistics.energies();
    let scaled_ranges: Vec<f32> =
        statistics.ranges(f32::INFINITY).iter().zip(factors).map(|(range, factor)| range / factor).collect();
    let step = f64::from(greatest(&scaled_ranges)) / 255.0;
    // Weights of one output channel, as (input channel, weight).
    let rows: Vec<Vec<(usize, f32)>> = match node.op {
        Op::DepthwiseConv2d(_) => {
            let outputs = weights.shape()[3];
            let multiplier = outputs / channels;
            (0..outputs)
                .map(|output| {
                    values.iter().skip(output).step_by(outputs).map(|&w| (output / multiplier, w)).collect()
                })
                .collect()
        }
        _ => values
            .chunks_exact(values.len() / weights.shape()[0])
            .map(|row| row.iter().enumerate().map(|(index, &w)| (index % channels, w)).collect())
            .collect(),
    };
    let (mut noise, mut signal) = (0.0, 0.0);
    for row in &rows {
        let (mut largest, mut gain, mut energy) = (0.0_f64, 0.0, 0.0);
        for &(channel, weight) in row {
            let factor = f64::from(factors[channel]);
            let scaled = f64::from(weight) * factor;
            largest = largest.max(scaled.abs());
            gain += scaled * scaled;
            energy += energies[channel] / (factor * factor);
            signal += f64::from(weight) * f64::from(weight) * energies[channel];
        }
        let weight_step = largest / 127.0;
        noise += (gain * step * step + energy * weight_step * weight_step) / 12.0;
    }
    if signal > 0.0 { noise / signal } else { 0.0 }
}
