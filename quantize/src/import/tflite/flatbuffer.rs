//! Tables of a flatbuffer, read through the `flatbuffers` crate's verifier: every position is verified
//! before a byte is read from it, and depth, number of tables and apparent size are limited.

use flatbuffers::{InvalidFlatbuffer, TableVerifier, Verifier, VerifierOptions};

use crate::tflite_schema::slot;

pub(super) type Result<T> = std::result::Result<T, InvalidFlatbuffer>;

/// Something that a table is read as.
pub(super) trait FromTable<'b>: Sized {
    /// Reads its fields.
    fn from_table(fields: &mut Fields<'_, '_, 'b>) -> Result<Self>;
}

/// A number in a flatbuffer: little-endian, aligned to its size.
pub(super) trait Scalar: Sized {
    /// Reads one at `at`.
    fn read(bytes: &[u8], at: usize) -> Option<Self>;
}

macro_rules! scalars {
    ($($scalar:ty)*) => {
        $(impl Scalar for $scalar {
            fn read(bytes: &[u8], at: usize) -> Option<Self> {
                bytes.get(at..)?.first_chunk().map(|bytes| Self::from_le_bytes(*bytes))
            }
        })*
    };
}

scalars!(i8 u8 i32 u32 i64 u64 f32);

/// Reads the root table of `bytes`.
pub(super) fn root<'b, T: FromTable<'b>>(bytes: &'b [u8]) -> Result<T> {
    let options = VerifierOptions::default();
    let mut verifier = Verifier::new(&options, bytes);
    let table = verifier.get_uoffset(0)? as usize;
    read_table(&mut verifier, bytes, table)
}

fn read_table<'b, T: FromTable<'b>>(
    verifier: &mut Verifier<'_, 'b>,
    bytes: &'b [u8],
    position: usize,
) -> Result<T> {
    let mut fields = Fields { table: verifier.visit_table(position)?, bytes };
    let value = T::from_table(&mut fields)?;
    fields.table.finish();
    Ok(value)
}

/// The fields of one table. They are named by their place in the schema, counted from 0.
pub(super) struct Fields<'v, 'o, 'b> {
    table: TableVerifier<'v, 'o, 'b>,
    bytes: &'b [u8],
}

impl<'b> Fields<'_, '_, 'b> {
    /// Where the field's value stands in the table; `None` where it is left out.
    fn position(&mut self, field: u16) -> Result<Option<usize>> {
        self.table.deref(slot(field))
    }

    /// Where the field's offset points to.
    fn target(&mut self, field: u16) -> Result<Option<usize>> {
        let Some(position) = self.position(field)? else { return Ok(None) };
        self.follow(position).map(Some)
    }

    fn follow(&mut self, position: usize) -> Result<usize> {
        let offset = self.table.verifier().get_uoffset(position)?;
        Ok(position.saturating_add(offset as usize))
    }

    fn read<T: Scalar>(&mut self, position: usize) -> Result<T> {
        self.table.verifier().in_buffer::<T>(position)?;
        T::read(self.bytes, position).ok_or_else(|| out_of_bounds(position, size_of::<T>()))
    }

    /// A number.
    pub(super) fn scalar<T: Scalar>(&mut self, field: u16, default: T) -> Result<T> {
        match self.position(field)? {
            Some(position) => self.read(position),
            None => Ok(default),
        }
    }

    /// The positions of a vector's elements of `size` bytes.
    fn elements<T>(&mut self, field: u16) -> Result<Vec<usize>> {
        let Some(vector) = self.target(field)? else { return Ok(Vec::new()) };
        let length = self.table.verifier().get_uoffset(vector)? as usize;
        let first = vector.saturating_add(size_of::<u32>());
        let verifier = self.table.verifier();
        verifier.is_aligned::<T>(first)?;
        verifier.range_in_buffer(first, length.saturating_mul(size_of::<T>()))?;
        Ok((0..length).map(|index| first + index * size_of::<T>()).collect())
    }

    /// A vector of numbers; one that is left out is empty.
    pub(super) fn vector<T: Scalar>(&mut self, field: u16) -> Result<Vec<T>> {
        let elements = self.elements::<T>(field)?;
        elements.into_iter().map(|position| self.read(position)).collect()
    }

    /// A vector of bytes, where it stands.
    pub(super) fn byte_vector(&mut self, field: u16) -> Result<&'b [u8]> {
        let Some(vector) = self.target(field)? else { return Ok(&[]) };
        let length = self.table.verifier().get_uoffset(vector)? as usize;
        let first = vector.saturating_add(size_of::<u32>());
        self.table.verifier().range_in_buffer(first, length)?;
        self.bytes.get(first..first + length).ok_or_else(|| out_of_bounds(first, length))
    }

    /// A text; one that is left out is empty. Bytes that are not UTF-8 are replaced.
    pub(super) fn text(&mut self, field: u16) -> Result<String> {
        self.byte_vector(field).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Whether the field is there.
    pub(super) fn is_present(&mut self, field: u16) -> Result<bool> {
        self.position(field).map(|position| position.is_some())
    }

    /// A table.
    pub(super) fn table<T: FromTable<'b>>(&mut self, field: u16) -> Result<Option<T>> {
        let Some(position) = self.target(field)? else { return Ok(None) };
        read_table(self.table.verifier(), self.bytes, position).map(Some)
    }

    /// A vector of tables.
    pub(super) fn tables<T: FromTable<'b>>(&mut self, field: u16) -> Result<Vec<T>> {
        let elements = self.elements::<u32>(field)?;
        let read = |position| {
            let table = self.follow(position)?;
            read_table(self.table.verifier(), self.bytes, table)
        };
        elements.into_iter().map(read).collect()
    }
}

fn out_of_bounds(position: usize, bytes: usize) -> InvalidFlatbuffer {
    let range = position..position.saturating_add(bytes);
    InvalidFlatbuffer::RangeOutOfBounds { range, error_trace: Default::default() }
}
