//! Tensors in NumPy's `.npy` files.

use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, ArrayViewD, IxDyn};
use ndarray_npy::npy::header::Header;
use ndarray_npy::{ReadNpyExt as _, ReadableElement, WritableElement, WriteNpyExt as _};
use thiserror::Error;

use crate::whole_file;

/// The largest file that is read.
pub const MAX_FILE_BYTES: u64 = 1 << 30;
/// The longest header that is read. NumPy writes some 100 bytes.
const MAX_HEADER_BYTES: usize = 4096;
/// The most brackets in a header; the parser recurses into each.
const MAX_HEADER_BRACKETS: usize = 8;

/// Numbers in row-major order, and their shape.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorFile {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// As many as the shape has elements.
    pub values: Values,
}

/// Numbers of one type.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Values {
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Uint8(Vec<u8>),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
}

/// Why a file is not a tensor, or could not be read or written.
#[derive(Debug, Error)]
pub enum TensorFileError {
    /// There is no file.
    #[error("there is no file `{}`", .0.display())]
    NotFound(PathBuf),
    /// Reading it fails.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Writing it fails.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It does not start as `.npy` files do.
    #[error("`{}` is not a .npy file", .0.display())]
    NotNpy(PathBuf),
    /// Its header cannot be read.
    #[error("`{}` has a header that cannot be read: {reason}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Elements of a type that is not taken.
    #[error("`{}` holds elements of type `{found}`", path.display())]
    ElementType {
        /// The file.
        path: PathBuf,
        /// NumPy's name of the type.
        found: String,
    },
    /// More or less data than its header states.
    #[error(
        "`{}` should hold {needed_bytes} bytes of data by its header, and holds {found_bytes}",
        path.display()
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes by the header; `u64::MAX` past 64 bits.
        needed_bytes: u64,
        /// Bytes in the file.
        found_bytes: u64,
    },
    /// A file past [`MAX_FILE_BYTES`].
    #[error("`{}` has {found_bytes} bytes, the limit is {MAX_FILE_BYTES}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        found_bytes: u64,
    },
}

impl TensorFileError {
    /// The way out, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            TensorFileError::NotFound(_) => Some(whole_file::PATH_HINT),
            TensorFileError::Write { .. } => Some(whole_file::WRITE_HINT),
            TensorFileError::NotNpy(_) => Some("save the array with `numpy.save`"),
            TensorFileError::ElementType { .. } => {
                Some("save it as float32, or as an integer type: `array.astype(\"float32\")`")
            }
            TensorFileError::Length { .. } => Some("the file may have been cut short: save it again"),
            _ => None,
        }
    }
}

/// Reads a `.npy` file of floats or integers, of either byte order and either layout.
///
/// # Errors
///
/// When there is no such file, or it is not one that can be taken. What a header promises is compared
/// with the file's length before anything is allocated.
pub fn read(path: &Path) -> Result<TensorFile, TensorFileError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => TensorFileError::NotFound(path.into()),
        _ => TensorFileError::Read { path: path.into(), source },
    };
    let found_bytes = fs::metadata(path).map_err(failed)?.len();
    if found_bytes > MAX_FILE_BYTES {
        return Err(TensorFileError::TooLarge { path: path.into(), found_bytes });
    }
    parse(&fs::read(path).map_err(failed)?, path)
}

/// The tensor in a `.npy` file's bytes; `path` is what errors call them.
///
/// # Errors
///
/// As [`read`].
pub fn parse(bytes: &[u8], path: &Path) -> Result<TensorFile, TensorFileError> {
    let header = read_header(bytes, path)?;
    let element_type = header.header.type_descriptor.as_string().cloned().unwrap_or_default();
    let (kind, element_bytes) = match element_type.get(1..).unwrap_or_default() {
        "f4" => (Kind::Float32, 4),
        "f8" => (Kind::Float64, 8),
        "u1" => (Kind::Uint8, 1),
        "i1" => (Kind::Int8, 1),
        "i2" => (Kind::Int16, 2),
        "i4" => (Kind::Int32, 4),
        "i8" => (Kind::Int64, 8),
        _ => {
            let found = header.header.type_descriptor.to_string();
            return Err(TensorFileError::ElementType { path: path.into(), found });
        }
    };
    let needed =
        header.header.shape.iter().try_fold(element_bytes, |n: u64, &extent| n.checked_mul(extent as u64));
    let found_bytes = (bytes.len() - header.data_offset) as u64;
    if needed != Some(found_bytes) {
        let needed_bytes = needed.unwrap_or(u64::MAX);
        return Err(TensorFileError::Length { path: path.into(), needed_bytes, found_bytes });
    }
    let values = match kind {
        Kind::Float32 => Values::Float32(elements(bytes, path)?),
        Kind::Float64 => Values::Float64(elements(bytes, path)?),
        Kind::Uint8 => Values::Uint8(elements(bytes, path)?),
        Kind::Int8 => Values::Int8(elements(bytes, path)?),
        Kind::Int16 => Values::Int16(elements(bytes, path)?),
        Kind::Int32 => Values::Int32(elements(bytes, path)?),
        Kind::Int64 => Values::Int64(elements(bytes, path)?),
    };
    Ok(TensorFile { shape: header.header.shape, values })
}

enum Kind {
    Float32,
    Float64,
    Uint8,
    Int8,
    Int16,
    Int32,
    Int64,
}

struct LocatedHeader {
    header: Header,
    data_offset: usize,
}

fn read_header(bytes: &[u8], path: &Path) -> Result<LocatedHeader, TensorFileError> {
    let refuse = |reason: &str| TensorFileError::Header { path: path.into(), reason: reason.into() };
    let (length, text_offset) = match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, 0, a, b, ..] => (u16::from_le_bytes([*a, *b]).into(), 10),
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, 0, a, b, c, d, ..] => {
            (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12)
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => return Err(refuse("it has an unknown version")),
        _ => return Err(TensorFileError::NotNpy(path.into())),
    };
    if length > MAX_HEADER_BYTES {
        return Err(refuse("it is longer than 4096 bytes"));
    }
    let text = bytes.get(text_offset..text_offset + length).ok_or_else(|| refuse("it is cut short"))?;
    if text.iter().filter(|byte| b"([{".contains(byte)).count() > MAX_HEADER_BRACKETS {
        return Err(refuse("it describes a structured type"));
    }
    let header = Header::from_reader(&mut Cursor::new(bytes)).map_err(|error| refuse(&error.to_string()))?;
    Ok(LocatedHeader { header, data_offset: text_offset + length })
}

fn elements<T: ReadableElement + Clone>(bytes: &[u8], path: &Path) -> Result<Vec<T>, TensorFileError> {
    let array = ArrayD::<T>::read_npy(bytes)
        .map_err(|error| TensorFileError::Header { path: path.into(), reason: error.to_string() })?;
    Ok(array.as_standard_layout().into_owned().into_raw_vec_and_offset().0)
}

impl TensorFile {
    /// A float32 tensor.
    pub fn from_f32(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self { shape, values: Values::Float32(values) }
    }

    /// An int8 tensor.
    pub fn from_i8(shape: Vec<usize>, values: Vec<i8>) -> Self {
        Self { shape, values: Values::Int8(values) }
    }

    /// Its values as float32, cast where they are of another type.
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.values {
            Values::Float32(values) => values.clone(),
            Values::Float64(values) => values.iter().map(|&value| value as f32).collect(),
            Values::Uint8(values) => values.iter().map(|&value| f32::from(value)).collect(),
            Values::Int8(values) => values.iter().map(|&value| f32::from(value)).collect(),
            Values::Int16(values) => values.iter().map(|&value| f32::from(value)).collect(),
            Values::Int32(values) => values.iter().map(|&value| value as f32).collect(),
            Values::Int64(values) => values.iter().map(|&value| value as f32).collect(),
        }
    }

    /// Its values as integers; `None` where they are floats with a fraction.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        let whole =
            |value: f64| (value.fract() == 0.0 && value.abs() < 2f64.powi(53)).then_some(value as i64);
        match &self.values {
            Values::Float32(values) => values.iter().map(|&value| whole(value.into())).collect(),
            Values::Float64(values) => values.iter().map(|&value| whole(value)).collect(),
            Values::Uint8(values) => Some(values.iter().map(|&value| value.into()).collect()),
            Values::Int8(values) => Some(values.iter().map(|&value| value.into()).collect()),
            Values::Int16(values) => Some(values.iter().map(|&value| value.into()).collect()),
            Values::Int32(values) => Some(values.iter().map(|&value| value.into()).collect()),
            Values::Int64(values) => Some(values.clone()),
        }
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// NumPy's name of its element type.
    pub fn element_type(&self) -> &'static str {
        match self.values {
            Values::Float32(_) => "float32",
            Values::Float64(_) => "float64",
            Values::Uint8(_) => "uint8",
            Values::Int8(_) => "int8",
            Values::Int16(_) => "int16",
            Values::Int32(_) => "int32",
            Values::Int64(_) => "int64",
        }
    }

    /// Its `.npy` file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.values {
            Values::Float32(values) => npy_bytes(&self.shape, values),
            Values::Float64(values) => npy_bytes(&self.shape, values),
            Values::Uint8(values) => npy_bytes(&self.shape, values),
            Values::Int8(values) => npy_bytes(&self.shape, values),
            Values::Int16(values) => npy_bytes(&self.shape, values),
            Values::Int32(values) => npy_bytes(&self.shape, values),
            Values::Int64(values) => npy_bytes(&self.shape, values),
        }
    }

    /// Writes it to `path`, or nothing at all.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn write(&self, path: &Path) -> Result<(), TensorFileError> {
        whole_file::write(path, &self.to_bytes())
            .map_err(|source| TensorFileError::Write { path: path.into(), source })
    }
}

fn npy_bytes<T: WritableElement>(shape: &[usize], values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let view =
        ArrayViewD::from_shape(IxDyn(shape), values).expect("a tensor has as many values as its shape");
    view.write_npy(&mut bytes).expect("writing to memory cannot fail");
    bytes
}

#[cfg(test)]
mod tests;
