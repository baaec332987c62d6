//! Random records and what it takes to run them. The generator is seeded: every run is the same.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::cell::Cell;

use edgepkg_format::plan::{Access, Clamp, Dims, Image, Scale, Window};
use edgepkg_format::{DType, Record, Space, TensorRef};
use edgepkg_kernels::{View, run};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `least` to `greatest`.
    pub fn between(&mut self, least: i64, greatest: i64) -> i64 {
        least + (self.bits() % (greatest - least + 1) as u64) as i64
    }

    /// From 1 to `greatest`.
    pub fn extent(&mut self, greatest: u32) -> u32 {
        self.between(1, greatest.into()) as u32
    }

    pub fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.bits() as usize % values.len()]
    }

    pub fn bytes(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.bits() as i8).collect()
    }

    /// Any 32 bits, the ends of ranges more often than others.
    pub fn word(&mut self) -> i32 {
        let end = self.one_of(&[0, 1, -1, 31, 32, -31, -32, 127, -128, i32::MAX, i32::MIN, 1 << 30]);
        self.one_of(&[end, self.0 as i32])
    }

    pub fn any_scale(&mut self) -> Scale {
        Scale { multiplier: self.word(), shift: self.word() }
    }

    pub fn any_clamp(&mut self) -> Clamp {
        Clamp { min: self.word(), max: self.word() }
    }

    /// A scale as models have them, between 2^-12 and 2^-2.
    pub fn scale(&mut self) -> Scale {
        Scale {
            multiplier: self.between(1 << 30, i32::MAX.into()) as i32,
            shift: self.between(-12, -2) as i32,
        }
    }

    pub fn zero_point(&mut self) -> i32 {
        self.between(-128, 127) as i32
    }

    pub fn dims(&mut self) -> Dims {
        let greatest = [1, 1, 3, 3, 4, 5];
        greatest.map(|greatest| self.extent(greatest))
    }

    pub fn image(&mut self) -> Image {
        Image {
            batches: self.extent(2),
            height: self.extent(7),
            width: self.extent(7),
            channels: self.extent(6),
        }
    }

    pub fn window(&mut self) -> Window {
        Window {
            height: self.extent(4),
            width: self.extent(4),
            stride_height: self.extent(3),
            stride_width: self.extent(3),
            dilation_height: self.extent(3),
            dilation_width: self.extent(3),
            pad_top: self.between(0, 4) as u32,
            pad_left: self.between(0, 4) as u32,
        }
    }
}

pub const INT8: Clamp = Clamp { min: -128, max: 127 };

pub fn arena(dtype: DType) -> TensorRef {
    TensorRef::new(Space::Arena, dtype, 0)
}

pub fn constant(dtype: DType) -> TensorRef {
    TensorRef::new(Space::Const, dtype, 0)
}

/// Strides of a dense tensor.
pub fn dense(dims: &Dims) -> Dims {
    let mut strides = [1; 6];
    for axis in (0..5).rev() {
        strides[axis] = strides[axis + 1] * dims[axis + 1];
    }
    strides
}

/// Bytes of a record's inputs and of its output.
pub fn lengths(record: &Record) -> (Vec<usize>, usize) {
    let operands = record.operands().unwrap_or_else(|error| panic!("{error:?}: {record:?}"));
    let (output, inputs) = operands.split_last().unwrap();
    (inputs.iter().map(|input| input.bytes as usize).collect(), output.bytes as usize)
}

/// The output of `record` on constant `inputs`. It held `before`.
pub fn run_over(record: &Record, inputs: &[Vec<i8>], mut output: Vec<i8>) -> Vec<i8> {
    let operands = record.operands().unwrap();
    let mut kept = inputs.to_vec();
    let views: Vec<_> = kept
        .iter_mut()
        .zip(inputs)
        .zip(&operands)
        .map(|((kept, input), operand)| match operand.access {
            Access::Update => View::Arena(Cell::from_mut(&mut kept[..]).as_slice_of_cells()),
            _ => View::Const(input),
        })
        .collect();
    run(record, &views, Cell::from_mut(&mut output[..]).as_slice_of_cells());
    output
}

/// The output of `record` on constant `inputs`.
pub fn run_const(record: &Record, inputs: &[Vec<i8>]) -> Vec<i8> {
    let (_, length) = lengths(record);
    run_over(record, inputs, vec![0x55; length])
}

/// The output of `record` with the inputs that are not bound to be constant in an arena.
pub fn run_arena(record: &Record, inputs: &[Vec<i8>]) -> Vec<i8> {
    let mut output = vec![0x2a; lengths(record).1];
    let operands = record.operands().unwrap();
    let mut arenas = inputs.to_vec();
    let views: Vec<_> = arenas
        .iter_mut()
        .zip(inputs)
        .zip(&operands)
        .map(|((arena, input), operand)| match operand.tensor.space {
            Space::Const => View::Const(input),
            _ => View::Arena(Cell::from_mut(&mut arena[..]).as_slice_of_cells()),
        })
        .collect();
    run(record, &views, Cell::from_mut(&mut output[..]).as_slice_of_cells());
    output
}
