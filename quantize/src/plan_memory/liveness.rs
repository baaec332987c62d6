//! From records to blocks of memory and the times at which they are in use.

use edgepkg_format::plan::{Operand, Operands};
use edgepkg_kernels::{Distances, safe_distances};

use crate::lower::Lowered;

/// Buffers that share one place, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Bytes.
    pub(super) bytes: u32,
    /// The first time it is in use. Record `i` runs at time `i + 1`.
    pub(super) first: usize,
    /// The last time it is in use.
    pub(super) last: usize,
    /// The buffers, as indices.
    pub(super) buffers: Vec<usize>,
}

impl Block {
    /// Whether both are in use at some time.
    pub(super) fn meets(&self, other: &Block) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Times at which a buffer is in use.
#[derive(Clone, Copy)]
struct Lifetime {
    first: usize,
    last: usize,
}

/// What a record touches, and how its output may share bytes with its inputs.
struct Step {
    operands: Operands,
    /// Of each operand but the output.
    distances: Vec<Distances>,
}

/// The blocks of `lowered`'s buffers, in the order of their first buffers.
pub(super) fn blocks(lowered: &Lowered) -> Vec<Block> {
    let steps = lowered.plan.iter().map(|entry| {
        let operands = entry.record.operands().expect("lowering has checked every record");
        let inputs = 0..operands.len().saturating_sub(1);
        Step { operands, distances: inputs.map(|input| safe_distances(&entry.record, input)).collect() }
    });
    blocks_of(lowered, &steps.collect::<Vec<_>>())
}

fn blocks_of(lowered: &Lowered, steps: &[Step]) -> Vec<Block> {
    let lifetimes = lifetimes(lowered, steps);
    let mut blocks: Vec<Block> = Vec::new();
    let mut block_of = vec![None; lowered.buffers.len()];
    for (buffer, lifetime) in lifetimes.iter().enumerate() {
        let Some(lifetime) = lifetime else { continue };
        let taken_over = in_place_input(lowered, steps, &lifetimes, buffer);
        let block = match taken_over.and_then(|input| block_of[input]) {
            Some(block) => block,
            None => {
                let bytes = lowered.buffers[buffer].bytes;
                blocks.push(Block { bytes, first: lifetime.first, last: lifetime.last, buffers: Vec::new() });
                blocks.len() - 1
            }
        };
        blocks[block].last = lifetime.last;
        blocks[block].buffers.push(buffer);
        block_of[buffer] = Some(block);
    }
    blocks
}

/// When each buffer is in use; `None` for one that nothing touches.
fn lifetimes(lowered: &Lowered, steps: &[Step]) -> Vec<Option<Lifetime>> {
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

/// The buffer whose place `output` can take: read for the last time by the record that first writes
/// `output`, both as a whole and by a kernel that can work in place.
fn in_place_input(
    lowered: &Lowered,
    steps: &[Step],
    lifetimes: &[Option<Lifetime>],
    output: usize,
) -> Option<usize> {
    let written_at = lifetimes[output]?.first;
    let step = &steps[written_at.checked_sub(1)?];
    let (result, inputs) = step.operands.split_last()?;
    let whole = |operand: &Operand, buffer: usize| {
        let lies_in = &lowered.buffers[buffer];
        operand.tensor.offset == lies_in.offset && operand.bytes == lies_in.bytes
    };
    if lowered.buffer_of(result.tensor) != Some(output) || !whole(result, output) {
        return None;
    }
    let buffers: Vec<Option<usize>> = inputs.iter().map(|input| lowered.buffer_of(input.tensor)).collect();
    let may_take_over = |candidate: usize| {
        let dies = lifetimes[candidate].is_some_and(|lifetime| lifetime.last == written_at);
        let every_read_allows =
            inputs.iter().zip(&step.distances).zip(&buffers).all(|((input, distances), &buffer)| {
                buffer != Some(candidate) || distances.contain(0) && whole(input, candidate)
            });
        dies && every_read_allows && lowered.buffers[output].bytes <= lowered.buffers[candidate].bytes
    };
    buffers.iter().flatten().copied().find(|&candidate| may_take_over(candidate))
}

#[cfg(test)]
mod tests {
    use edgepkg_format::plan::Access;
    use edgepkg_format::{DType, Isa, Space, TensorRef};

    use super::*;
    use crate::lower::Buffer;

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
            plan: Vec::new(),
            constants: Vec::new(),
            tensors: Vec::new(),
            inputs: buffers.first().map(place).into_iter().collect(),
            outputs: buffers.last().map(place).into_iter().collect(),
            buffers,
        }
    }

    /// A record that touches whole buffers: inputs and scratch as they are listed, then its output.
    fn step(lowered: &Lowered, touched: &[(Access, usize)], distances: Distances) -> Step {
        let regions = touched.iter().map(|&(access, buffer)| {
            let Buffer { offset, bytes } = lowered.buffers[buffer];
            Operand { tensor: TensorRef::new(Space::Arena, DType::Int8, offset), bytes, access }
        });
        Step { operands: regions.collect(), distances: vec![distances; touched.len() - 1] }
    }

    fn times(blocks: &[Block]) -> Vec<(u32, usize, usize)> {
        blocks.iter().map(|block| (block.bytes, block.first, block.last)).collect()
    }

    #[test]
    fn scratch_lives_while_its_record_runs() {
        use Access::{Read, Scratch, Write};
        let lowered = buffers(&[100, 40, 100, 60, 100]);
        let steps = [
            step(&lowered, &[(Read, 0), (Scratch, 1), (Write, 2)], Distances::NONE),
            step(&lowered, &[(Read, 2), (Scratch, 3), (Write, 4)], Distances::NONE),
        ];
        let blocks = blocks_of(&lowered, &steps);
        assert_eq!(times(&blocks), [(100, 0, 1), (40, 1, 1), (100, 1, 2), (60, 2, 2), (100, 2, 3)]);
    }

    #[test]
    fn scratch_is_no_obstacle_to_working_in_place() {
        use Access::{Read, Scratch, Write};
        let lowered = buffers(&[100, 40, 80]);
        let steps = [step(&lowered, &[(Read, 0), (Scratch, 1), (Write, 2)], Distances::IN_PLACE)];
        let blocks = blocks_of(&lowered, &steps);
        assert_eq!(times(&blocks), [(100, 0, 2), (40, 1, 1)]);
        assert_eq!(blocks[0].buffers, [0, 2]);
    }

    #[test]
    fn a_longer_output_takes_no_place_over() {
        use Access::{Read, Write};
        let lowered = buffers(&[80, 100]);
        let steps = [step(&lowered, &[(Read, 0), (Write, 1)], Distances::IN_PLACE)];
        assert_eq!(times(&blocks_of(&lowered, &steps)), [(80, 0, 1), (100, 1, 2)]);
    }
}
