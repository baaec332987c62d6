//! A linked runner, as far as writing it to a flash needs it.

use object::elf::{FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{Endianness, File, Object as _, ObjectSymbol as _};

/// The symbol at the control block of the buffers to the host.
const CONTROL_BLOCK: &str = "_SEGGER_RTT";

/// A runner's bytes and where its buffers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerFile {
    /// The bytes by the addresses where they are stored.
    pub segments: Vec<(u64, Vec<u8>)>,
    /// The address of the control block; none where it does not talk through a probe.
    pub control_block: Option<u64>,
}

impl RunnerFile {
    /// The runner in the ELF file `elf`.
    ///
    /// # Errors
    ///
    /// Where it is none of a 32-bit core.
    pub fn read(elf: &[u8]) -> Result<Self, object::Error> {
        let header = FileHeader32::<Endianness>::parse(elf)?;
        let endian = header.endian()?;
        let mut segments: Vec<(u64, Vec<u8>)> = Vec::new();
        for program_header in header.program_headers(endian, elf)? {
            let bytes = program_header.data(endian, elf).unwrap_or_default();
            if program_header.p_type(endian) == PT_LOAD && !bytes.is_empty() {
                segments.push((u64::from(program_header.p_paddr(endian)), bytes.to_vec()));
            }
        }
        segments.sort_by_key(|(address, _)| *address);
        let file = File::parse(elf)?;
        let control_block = file.symbols().find(|symbol| symbol.name() == Ok(CONTROL_BLOCK));
        Ok(Self { segments, control_block: control_block.map(|symbol| symbol.address()) })
    }
}
