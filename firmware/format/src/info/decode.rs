//! Reads the info section as postcard writes it. By hand: that takes a fraction of a general reader's code and time.

use core::str;

use super::{Info, Labels, OperatorSet, Port, Ports};
use crate::tensor::{DType, Shape, Space, TensorRef};

/// The number at `at`, 7 bits a byte from the lowest on, and where it ends.
const fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let (mut value, mut shift, mut at) = (0, 0, at);
    while shift < u64::BITS && at < bytes.len() {
        let byte = bytes[at];
        value |= ((byte & 0x7f) as u64) << shift;
        at += 1;
        if byte < 0x80 {
            let fits = shift < 63 || byte <= 1;
            return if fits { Some((value, at)) } else { None };
        }
        shift += 7;
    }
    None
}

/// Fields taken one after the other.
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// What follows the fields that were taken.
    pub(super) const fn rest(&self) -> &'a [u8] {
        match self.bytes.split_at_checked(self.at) {
            Some((_, rest)) => rest,
            None => &[],
        }
    }

    const fn number_u64(&mut self) -> Option<u64> {
        let Some((value, end)) = varint(self.bytes, self.at) else { return None };
        self.at = end;
        Some(value)
    }

    /// By itself: 64 bits take several times as long.
    const fn number_u32(&mut self) -> Option<u32> {
        let (mut value, mut shift) = (0, 0);
        while self.at < self.bytes.len() {
            let byte = self.bytes[self.at];
            self.at += 1;
            if byte < 0x80 && shift == 0 {
                return Some(byte as u32);
            }
            value |= ((byte & 0x7f) as u32) << shift;
            match (byte, shift) {
                (..0x10, _) | (..0x80, ..28) => return Some(value),
                (0x80.., ..28) => shift += 7,
                _ => return None,
            }
        }
        None
    }

    /// Zigzag: the sign is the lowest bit.
    fn number_i32(&mut self) -> Option<i32> {
        let value = self.number_u32()?;
        Some((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    const fn fixed(&mut self, length: usize) -> Option<&'a [u8]> {
        let Some((bytes, _)) = self.rest().split_at_checked(length) else { return None };
        self.at += length;
        Some(bytes)
    }

    const fn bytes(&mut self) -> Option<&'a [u8]> {
        let Some(length) = self.number_u32() else { return None };
        self.fixed(length as usize)
    }

    const fn text(&mut self) -> Option<&'a str> {
        let Some(bytes) = self.bytes() else { return None };
        match str::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(_) => None,
        }
    }

    fn scale(&mut self) -> Option<f32> {
        let bytes = self.fixed(4)?;
        Some(f32::from_le_bytes(bytes.try_into().ok()?))
    }

    fn shape(&mut self) -> Option<Shape> {
        let mut shape = Shape::new();
        for _ in 0..self.number_u32()? {
            shape.push(self.number_u32()?).ok()?;
        }
        Some(shape)
    }

    fn tensor(&mut self) -> Option<TensorRef> {
        Some(TensorRef {
            space: Space::from_code(self.number_u32()?)?,
            dtype: DType::from_code(self.number_u32()?)?,
            offset: self.number_u32()?,
        })
    }

    const fn ports(&mut self) -> Option<Ports<'a>> {
        let Some(count) = self.number_u32() else { return None };
        let Some(encoded) = self.bytes() else { return None };
        Some(Ports { count, encoded })
    }

    #[inline(never)]
    pub(super) fn port(&mut self) -> Option<Port<'a>> {
        Some(Port {
            name: self.text()?,
            tensor: self.tensor()?,
            shape: self.shape()?,
            scale: self.scale()?,
            zero_point: self.number_i32()?,
            labels: Labels(self.text()?),
        })
    }

    /// Of a port, where it lies and how many bytes it takes.
    pub(super) fn region(&mut self) -> Option<(TensorRef, u32)> {
        let _name = self.bytes()?;
        let tensor = self.tensor()?;
        let mut elements = 1u32;
        for _ in 0..self.number_u32()? {
            elements = elements.checked_mul(self.number_u32()?)?;
        }
        let _scale = self.fixed(4)?;
        let _zero_point = self.number_u32()?;
        let _labels = self.bytes()?;
        Some((tensor, tensor.dtype.bytes(elements)?))
    }

    pub(super) fn ports_of_info(&mut self) -> Option<[Ports<'a>; 2]> {
        let _name = self.bytes()?;
        let _version = self.bytes()?;
        let _arena_bytes = self.number_u32()?;
        let _operators = self.number_u64()?;
        Some([self.ports()?, self.ports()?])
    }

    pub(super) const fn info(&mut self) -> Option<Info<'a>> {
        let Some(name) = self.text() else { return None };
        let Some(version) = self.text() else { return None };
        let Some(arena_bytes) = self.number_u32() else { return None };
        let Some(operators) = self.number_u64() else { return None };
        let Some(inputs) = self.ports() else { return None };
        let Some(outputs) = self.ports() else { return None };
        let operators = OperatorSet::from_bits(operators);
        Some(Info { name, version, arena_bytes, operators, inputs, outputs })
    }
}
