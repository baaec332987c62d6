//! What a worker is asked: a header of postcard after its length (4 bytes, little-endian), then the file.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use edgepkg_quantize::import::ImportOptions;
use serde::{Deserialize, Serialize};

use crate::model::ModelFormat;

/// The longest header that is read.
const MAX_HEADER_BYTES: usize = 1 << 20;

/// What to do with the file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub format: ModelFormat,
    pub options: ImportOptions,
    file_bytes: u64,
}

impl Request {
    /// The worker stands in the options' folder.
    pub fn new(format: ModelFormat, file: &[u8], options: &ImportOptions) -> Self {
        let folder = options.folder.as_ref().map(|_| PathBuf::from("."));
        Self { format, options: ImportOptions { folder, ..options.clone() }, file_bytes: file.len() as u64 }
    }

    pub fn write(&self, file: &[u8], out: &mut impl Write) -> io::Result<()> {
        let header = postcard::to_stdvec(self).map_err(io::Error::other)?;
        out.write_all(&(header.len() as u32).to_le_bytes())?;
        out.write_all(&header)?;
        out.write_all(file)
    }

    /// The request and the file.
    pub fn read(input: &mut impl Read) -> io::Result<(Self, Vec<u8>)> {
        let mut length = [0; 4];
        input.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut header = vec![0; length];
        input.read_exact(&mut header)?;
        let request: Self = postcard::from_bytes(&header).map_err(io::Error::other)?;
        let length = usize::try_from(request.file_bytes).map_err(io::Error::other)?;
        let mut file = vec![0; length];
        input.read_exact(&mut file)?;
        Ok((request, file))
    }
}
