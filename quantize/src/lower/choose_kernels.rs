//! Which kernels of the instruction set compute the records, and how they want their constants.
//!
//! Every record can be computed by a reference kernel, as it was lowered. Where the instruction set has
//! a faster one whose arithmetic is proven to give the same for these weights, the record is replaced.

mod armv7em;
mod channel;
mod fused;
#[cfg(test)]
mod tests;

use edgepkg_format::plan::{Access, PlanEntry};
use edgepkg_format::{DType, Record, Space, TensorRef};

use super::constants::ConstantPool;
use super::{BUFFER_ALIGNMENT, Buffer, Lowered, NodeError};
use crate::optimize::Optimize;

/// `lowered` with the records that its instruction set's kernels compute best.
pub(super) fn choose_kernels(lowered: Lowered) -> Result<Lowered, NodeError> {
    if !lowered.isa.has_dsp() {
        return Ok(lowered);
    }
    let mut choosing = Choosing {
        given: &lowered.constants,
        constants: ConstantPool::default(),
        buffers: lowered.buffers.clone(),
        optimize: lowered.optimize,
    };
    let mut plan = Vec::with_capacity(lowered.plan.len());
    for entry in &lowered.plan {
        let record = match armv7em::replace(&mut choosing, &entry.record)? {
            Some(record) => record,
            None => choosing.keep(entry.record)?,
        };
        plan.push(PlanEntry { record, ..*entry });
    }
    let Choosing { constants, buffers, .. } = choosing;
    Ok(Lowered { plan, constants: constants.into_bytes(), buffers, ..lowered })
}

/// A plan as its records are replaced one by one.
struct Choosing<'l> {
    /// The constants of the records as they were lowered.
    given: &'l [u8],
    /// Those that are still needed.
    constants: ConstantPool,
    buffers: Vec<Buffer>,
    optimize: Optimize,
}

impl Choosing<'_> {
    /// The bytes of a record's constant operand.
    fn bytes(&self, tensor: TensorRef, bytes: usize) -> &[u8] {
        &self.given[tensor.offset as usize..][..bytes]
    }

    /// The record as it is, its constants moved.
    fn keep(&mut self, mut record: Record) -> Result<Record, NodeError> {
        let operands = record.operands().expect("lowering has checked every record");
        let mut moved = Vec::new();
        for operand in &operands {
            if operand.tensor.space == Space::Const && operand.access == Access::Read {
                let given = self.bytes(operand.tensor, operand.bytes as usize).to_vec();
                moved.push((operand.tensor, self.constant(&given, operand.tensor.dtype)?));
            }
        }
        record.for_each_tensor(&mut |tensor| {
            if let Some((_, place)) = moved.iter().find(|(given, _)| given == tensor) {
                *tensor = *place;
            }
        });
        Ok(record)
    }

    fn constant(&mut self, bytes: &[u8], dtype: DType) -> Result<TensorRef, NodeError> {
        let offset = self.constants.add(bytes).ok_or(NodeError::TooLarge { what: "weights" })?;
        Ok(TensorRef::new(Space::Const, dtype, offset))
    }

    /// A stream of words.
    fn stream(&mut self, words: &[u32]) -> Result<TensorRef, NodeError> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.constant(&bytes, DType::Int32)
    }

    /// Words of the arena for one record.
    fn scratch(&mut self, words: u32) -> Result<TensorRef, NodeError> {
        let too_large = NodeError::TooLarge { what: "activations" };
        let end = self.buffers.last().map_or(0, |buffer| u64::from(buffer.offset) + u64::from(buffer.bytes));
        let offset = end.next_multiple_of(u64::from(BUFFER_ALIGNMENT));
        let bytes = u64::from(words) * 4;
        if offset + bytes > u64::from(u32::MAX - BUFFER_ALIGNMENT) {
            return Err(too_large);
        }
        let (offset, bytes) = (offset as u32, bytes as u32);
        self.buffers.push(Buffer { offset, bytes });
        Ok(TensorRef::new(Space::Arena, DType::Int32, offset))
    }
}
