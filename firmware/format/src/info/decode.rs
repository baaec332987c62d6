//! Reads the info section as postcard writes it. By hand: that takes a fraction of a general reader's code and time.

use core::str;

use super::{Info, Labels, OperatorSet, Port, Ports};
use crate::tensor::{DType, Shape, Space, TensorRef};

/// The number at `at`, 7 bits a byte from the lowest on, and where it ends.
pub(crate) const fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
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
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// What follows the fields that were taken.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn number_u64(&mut self) -> Option<u64> {
        let (value, end) = varint(self.bytes, self.at)?;
        self.at = end;
        Some(value)
    }

    /// By itself: 64 bits take several times as long.
    fn number_u32(&mut self) -> Option<u32> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            if byte < 0x80 && shift == 0 {
                return Some(byte.into());
            }
            value |= u32::from(byte & 0x7f) << shift;
            match (byte, shift) {
                (..0x10, _) | (..0x80, ..28) => return Some(value),
                (0x80.., ..28) => shift += 7,
                _ => return None,
            }
        }
    }

    /// Zigzag: the sign is the lowest bit.
    fn number_i32(&mut self) -> Option<i32> {
        let value = self.number_u32()?;
        Some((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    fn fixed(&mut self, length: usize) -> Option<&'a [u8]> {
        let bytes = self.rest().get(..length)?;
        self.at += length;
        Some(bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number_u32()?;
        self.fixed(length as usize)
    }

    fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
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

    fn ports(&mut self) -> Option<Ports<'a>> {
        Some(Ports { count: self.number_u32()?, encoded: self.bytes()? })
    }

    pub(super) fn port(&mut self) -> Option<Port<'a>> {
        Some(Port {
            name: self.text()?,
            tensor: TensorRef {
                space: Space::from_code(self.number_u32()?)?,
                dtype: DType::from_code(self.number_u32()?)?,
                offset: self.number_u32()?,
            },
            shape: self.shape()?,
            scale: self.scale()?,
            zero_point: self.number_i32()?,
            labels: Labels(self.text()?),
        })
    }

    pub(super) fn info(&mut self) -> Option<Info<'a>> {
        Some(Info {
            name: self.text()?,
            version: self.text()?,
            arena_bytes: self.number_u32()?,
            operators: OperatorSet::from_bits(self.number_u64()?),
            inputs: self.ports()?,
            outputs: self.ports()?,
        })
    }
}
