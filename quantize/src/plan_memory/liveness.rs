//! From records to the times at which buffers are in use, and to what may share bytes.

use edgepkg_format::plan::{Operand, Operands};
use edgepkg_kernels::{Distances, safe_distances};

use super::Lifetime;
use crate::lower::Lowered;

/// What a record touches, and how its output may share bytes with its inputs.
pub(super) struct Step {
    pub(super) operands: Operands,
    /// Of each operand but the output.
    pub(super) distances: Vec<Distances>,
}

/// A buffer that dies where another one is born, in a record that may write the one over the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handover {
    /// The buffer that dies.
    pub(super) input: usize,
    /// The buffer that is born.
    pub(super) output: usize,
    /// Least and greatest distance from the input's first byte to the output's.
    pub(super) distances: (i64, i64),
}

/// The steps of `lowered`'s plan.
pub(super) fn steps(lowered: &Lowered) -> Vec<Step> {
    let step_of = |record: &edgepkg_format::Record| {
        let operands = record.operands().expect("lowering has checked every record");
        let inputs = 0..operands.len().saturating_sub(1);
        Step { operands, distances: inputs.map(|input| safe_distances(record, input)).collect() }
    };
    lowered.plan.iter().map(|entry| step_of(&entry.record)).collect()
}

/// When each buffer is in use; `None` for one that nothing touches.
pub(super) fn lifetimes(lowered: &Lowered, steps: &[Step]) -> Vec<Option<Lifetime>> {
    let mut lifetimes: Vec<Option<Lifetime>> = vec![None; lowered.buffers.len()];
    let mut touch = |buffer: Option<usize>, time: usize| {
        if let Some(buffer) = buffer {
            let first = lifetimes[buffer].map_or(time, |lifetime| lifetime.first);
            lifetimes[buffer] = Some(Lifetime { first, last: time });
        }
    };
    for &input in &lowered.inputs {
        touch(lowered.buffer_of(input), 0);
    }
    for (index, step) in steps.iter().enumerate() {
        for operand in step.operands.iter().filter(|operand| operand.bytes != 0) {
            touch(lowered.buffer_of(operand.tensor), index + 1);
        }
    }
    for &output in &lowered.outputs {
        touch(lowered.buffer_of(output), steps.len() + 1);
    }
    lifetimes
}

/// Every pair of buffers that may share bytes though both are in use when one record runs.
pub(super) fn handovers(lowered: &Lowered, steps: &[Step], lifetimes: &[Option<Lifetime>]) -> Vec<Handover> {
    let mut handovers = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let time = index + 1;
        let Some((result, inputs)) = step.operands.split_last() else { continue };
        let Some(output) = lowered.buffer_of(result.tensor) else { continue };
        if lifetimes[output].is_none_or(|lifetime| lifetime.first != time) {
            continue;
        }
        let buffers: Vec<_> = inputs.iter().map(|input| lowered.buffer_of(input.tensor)).collect();
        for (position, &input) in buffers.iter().enumerate() {
            let Some(input) = input else { continue };
            let dies = lifetimes[input].is_some_and(|lifetime| lifetime.last == time);
            if input == output || !dies || buffers[..position].contains(&Some(input)) {
                continue;
            }
            let reads = inputs.iter().zip(&step.distances).zip(&buffers);
            let distances = reads
                .filter(|&(_, &buffer)| buffer == Some(input))
                .map(|((operand, &distances), _)| between_buffers(lowered, [operand, result], distances))
                .fold((i64::MIN, i64::MAX), |all, one| (all.0.max(one.0), all.1.min(one.1)));
            if distances.0 <= distances.1 {
                handovers.push(Handover { input, output, distances });
            }
        }
    }
    handovers
}

/// The distances of the buffers in which an input and the output lie, from those of the two.
fn between_buffers(lowered: &Lowered, operands: [&Operand; 2], distances: Distances) -> (i64, i64) {
    let inside = |operand: &Operand| {
        let buffer = lowered.buffer_of(operand.tensor).map_or(0, |buffer| lowered.buffers[buffer].offset);
        i64::from(operand.tensor.offset) - i64::from(buffer)
    };
    let shift = inside(operands[0]) - inside(operands[1]);
    (i64::from(distances.least) + shift, i64::from(distances.greatest) + shift)
}

#[cfg(test)]
mod tests {
    use edgepkg_format::plan::Access;
    use edgepkg_format::{DType, Isa, Space, TensorRef};

    use super::*;
    use crate::lower::Buffer;
    use crate::optimize::Optimize;

    /// Buffers of these many bytes, the first one the model's input and the last one its output.
    fn buffers(bytes: &[u32]) -> Lowered {
        let mut buffers: Vec<Buffer> = Vec::new();
        for &bytes in bytes {
            let end = buffers.last().map_or(0, |buffer| buffer.offset + buffer.bytes);
            buffers.push(Buffer { offset: end.next_multiple_of(16), bytes });
        }
        let place = |buffer: &Buffer| TensorRef::new(Space::Arena, DType::Int8, buffer.offset);
        Lowered {
            isa: Isa::Portable,
            optimize: Optimize::Speed,
            plan: Vec::new(),
            constants: Vec::new(),
            state: Vec::new(),
            tensors: Vec::new(),
            inputs: buffers.first().map(place).into_iter().collect(),
            outputs: buffers.last().map(place).into_iter().collect(),
            buffers,
        }
    }

    /// A region of a buffer from its byte `start` on.
    fn region(lowered: &Lowered, access: Access, buffer: usize, start: u32) -> Operand {
        let Buffer { offset, bytes } = lowered.buffers[buffer];
        let tensor = TensorRef::new(Space::Arena, DType::Int8, offset + start);
        Operand { tensor, bytes: bytes - start, access }
    }

    fn step(regions: &[Operand], distances: Distances) -> Step {
        Step { operands: regions.iter().copied().collect(), distances: vec![distances; regions.len() - 1] }
    }

    #[test]
    fn scratch_lives_while_its_record_runs() {
        use Access::{Read, Scratch, Write};
        let lowered = buffers(&[100, 40, 100, 60, 100]);
        let touch = |access, buffer| region(&lowered, access, buffer, 0);
        let steps = [
            step(&[touch(Read, 0), touch(Scratch, 1), touch(Write, 2)], Distances::IN_PLACE),
            step(&[touch(Read, 2), touch(Scratch, 3), touch(Write, 4)], Distances::NONE),
        ];
        let lifetimes = lifetimes(&lowered, &steps);
        let times: Vec<_> = lifetimes.iter().flatten().map(|time| (time.first, time.last)).collect();
        assert_eq!(times, [(0, 1), (1, 1), (1, 2), (2, 2), (2, 3)]);
        let mut scratch_apart = steps;
        scratch_apart[0].distances[1] = Distances::NONE;
        let handovers = handovers(&lowered, &scratch_apart, &lifetimes);
        assert_eq!(handovers, [Handover { input: 0, output: 2, distances: (0, 0) }]);
    }

    #[test]
    fn distances_are_those_of_the_buffers() {
        use Access::{Read, Write};
        let lowered = buffers(&[100, 100]);
        let regions =
            [region(&lowered, Read, 0, 0), region(&lowered, Read, 0, 30), region(&lowered, Write, 1, 20)];
        let steps = [step(&regions, Distances { least: -50, greatest: -5 })];
        let lifetimes = lifetimes(&lowered, &steps);
        let handovers = handovers(&lowered, &steps, &lifetimes);
        assert_eq!(handovers, [Handover { input: 0, output: 1, distances: (-40, -25) }]);
    }
}
