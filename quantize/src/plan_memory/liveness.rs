//! From records to blocks of memory and the times at which they are in use.

use edgepkg_format::Record;
use edgepkg_format::plan::{Operand, Operands};
use edgepkg_kernels::may_alias;

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

/// The blocks of `lowered`'s buffers, in the order of their first buffers.
pub(super) fn blocks(lowered: &Lowered) -> Vec<Block> {
    let lifetimes = lifetimes(lowered);
    let mut blocks: Vec<Block> = Vec::new();
    let mut block_of = vec![None; lowered.buffers.len()];
    for (buffer, lifetime) in lifetimes.iter().enumerate() {
        let Some(lifetime) = lifetime else { continue };
        let taken_over = in_place_input(lowered, &lifetimes, buffer);
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
fn lifetimes(lowered: &Lowered) -> Vec<Option<Lifetime>> {
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
    for (index, entry) in lowered.plan.iter().enumerate() {
        for operand in operands(&entry.record) {
            touch(lowered.buffer_of(operand.tensor), index + 1);
        }
    }
    for &output in &lowered.outputs {
        touch(lowered.buffer_of(output), lowered.plan.len() + 1);
    }
    lifetimes
}

fn operands(record: &Record) -> Operands {
    record.operands().expect("lowering has checked every record")
}

/// The buffer whose place `output` can take: read for the last time by the record that first writes
/// `output`, both as a whole and by a kernel that can work in place.
fn in_place_input(lowered: &Lowered, lifetimes: &[Option<Lifetime>], output: usize) -> Option<usize> {
    let written_at = lifetimes[output]?.first;
    let record = &lowered.plan.get(written_at.checked_sub(1)?)?.record;
    let rule = may_alias(record);
    let operands = operands(record);
    let (result, inputs) = operands.split_last()?;
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
        let every_read_allows = inputs.iter().enumerate().all(|(index, input)| {
            buffers[index] != Some(candidate) || rule.allows(index) && whole(input, candidate)
        });
        dies && every_read_allows && lowered.buffers[candidate].bytes == lowered.buffers[output].bytes
    };
    buffers.iter().flatten().copied().find(|&candidate| may_take_over(candidate))
}
