//! An ELF file's bytes as they lie in memory.

use std::fs;
use std::path::Path;

use object::elf::{FileHeader32, FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

use crate::command::{Failure, at};

/// The largest image that is taken for one: a gap between segments is filled with zeros.
const LIMIT_BYTES: u64 = 64 << 20;

/// The loaded segments of the ELF file `elf`, each at its physical address from the lowest on.
pub fn flat_image(elf: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = fs::read(elf).map_err(at(elf))?;
    let segments = match FileKind::parse(&*bytes) {
        Ok(FileKind::Elf32) => segments::<FileHeader32<Endianness>>(&bytes),
        Ok(FileKind::Elf64) => segments::<FileHeader64<Endianness>>(&bytes),
        _ => Err("it is no ELF file".to_owned()),
    };
    segments
        .and_then(|segments| lay_out(&segments))
        .map_err(|reason| Failure::Image { path: elf.to_owned(), reason })
}

/// A segment's physical address and its bytes in the file.
type Segment<'a> = (u64, &'a [u8]);

fn segments<'a, Elf: FileHeader<Endian = Endianness>>(bytes: &'a [u8]) -> Result<Vec<Segment<'a>>, String> {
    let read = |error: object::Error| error.to_string();
    let header = Elf::parse(bytes).map_err(read)?;
    let endian = header.endian().map_err(read)?;
    let mut segments = Vec::new();
    for program_header in header.program_headers(endian, bytes).map_err(read)? {
        let data = program_header.data(endian, bytes).map_err(|()| "a segment passes its end".to_owned())?;
        if program_header.p_type(endian) == PT_LOAD && !data.is_empty() {
            segments.push((program_header.p_paddr(endian).into(), data));
        }
    }
    Ok(segments)
}

fn lay_out(segments: &[Segment<'_>]) -> Result<Vec<u8>, String> {
    let start = segments.iter().map(|(address, _)| *address).min().ok_or("nothing in it is loaded")?;
    let end = segments.iter().map(|(address, data)| address + data.len() as u64).max().unwrap_or(start);
    if end - start > LIMIT_BYTES {
        return Err(format!("its segments lie {} bytes apart", end - start));
    }
    let mut image = vec![0; (end - start) as usize];
    for (address, data) in segments {
        let offset = (address - start) as usize;
        image[offset..offset + data.len()].copy_from_slice(data);
    }
    Ok(image)
}
