//! Moves a prebuilt runner to a board's memory, as the linker would have placed it, without a Rust toolchain.
//!
//! The runner is linked once for each instruction set, with its relocations kept (`--emit-relocs`): they say where in code
//! and constants addresses stand. Code moves as one block and variables as another, so nothing within either changes;
//! what names an address in one of them, or one of the board's numbers, is written anew.

mod relocation;

use std::collections::BTreeMap;
use std::mem::offset_of;

use edgepkg_boards::{Placement, Region};
use object::LittleEndian;
use object::elf::{self, FileHeader32, ProgramHeader32, Rel32, SectionHeader32, Sym32};
use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _, Sym as _};

use self::relocation::Relocations;

type Header = FileHeader32<LittleEndian>;
type Segment = ProgramHeader32<LittleEndian>;
type Section = SectionHeader32<LittleEndian>;
type Symbol = Sym32<LittleEndian>;

const ENDIAN: LittleEndian = LittleEndian;

/// The section that code begins with.
const FIRST_SECTION: &[u8] = b".vectors";
/// Where variables begin and where the arena ends.
const VARIABLES_START: &str = "_stack_start";
const VARIABLES_END: &str = "_arena_end";
/// The address of the variables' initial values, which lie behind the code.
const INITIAL_VALUES: &str = "_data_load";

/// Why a runner cannot be moved.
#[derive(Debug, thiserror::Error)]
pub enum RebaseError {
    /// It is not a 32-bit ELF file that can be read.
    #[error("it is no 32-bit ELF file that can be read: {0}")]
    NotElf(#[from] object::Error),
    /// It lacks something that every runner has.
    #[error("it has no `{0}`")]
    Lacks(&'static str),
    /// It was linked without its relocations, or has none.
    #[error("it was linked without its relocations")]
    NoRelocations,
    /// The board has a number that it does not take.
    #[error("the board sets `{name}`, which it does not take")]
    UnknownNumber {
        /// The linker symbol's name.
        name: String,
    },
    /// It has a number that the board does not set.
    #[error("the board does not set `{name}`, which it takes")]
    MissingNumber {
        /// The linker symbol's name.
        name: String,
    },
    /// An address stands in it in a way that is not known.
    #[error("its relocation of type {kind} at {address:#x} is not known")]
    UnknownRelocation {
        /// The type's number in the ELF ABI of the Arm architecture.
        kind: u32,
        /// Where it is.
        address: u32,
    },
    /// Half an address stands in it.
    #[error("at {address:#x} it has half an address, whose other half is not found")]
    HalfAddress {
        /// Where it is.
        address: u32,
    },
    /// A section would not be where a linker puts it.
    #[error("it cannot start at {address:#x}: its parts are aligned to {alignment} bytes")]
    Misaligned {
        /// Where code or variables would start.
        address: u64,
        /// The greatest alignment of its sections.
        alignment: u64,
    },
    /// A part of it lies outside the file.
    #[error("a part of it lies outside the file, at {offset:#x}")]
    OutOfBounds {
        /// The offset.
        offset: usize,
    },
}

/// The ELF file `prebuilt` as it is where `placement` puts it. Sizes are not checked: the fit certificate does.
///
/// # Errors
///
/// When it is not a runner that was linked with its relocations, or takes other numbers than `placement` has.
pub fn rebase(prebuilt: &[u8], placement: &Placement) -> Result<Vec<u8>, RebaseError> {
    let runner = Runner::read(prebuilt)?;
    let shift = runner.shift_to(placement);
    runner.check_alignment(placement, &shift)?;
    let symbols = runner.moved_symbols(placement, &shift)?;
    let mut image = Image(prebuilt.to_vec());
    runner.move_contents(&symbols, &shift, &mut image)?;
    runner.move_symbols(&symbols, &mut image)?;
    runner.move_headers(&shift, &mut image)?;
    Ok(image.0)
}

/// How far each block moves, modulo 2^32.
struct Shift {
    /// The old addresses of what moves as variables.
    old_variables: Region,
    variables: u32,
    code: u32,
}

impl Shift {
    fn of(&self, address: u32) -> u32 {
        if self.moves_as_variable(address) { self.variables } else { self.code }
    }

    fn moves_as_variable(&self, address: u32) -> bool {
        let Region { start, .. } = self.old_variables;
        // The end belongs to it: that is where an empty section may lie.
        (start..=self.old_variables.end()).contains(&u64::from(address))
    }

    fn moved(&self, address: u32) -> u32 {
        address.wrapping_add(self.of(address))
    }
}

/// The file's bytes.
struct Image(Vec<u8>);

impl Image {
    fn place<const N: usize>(&mut self, offset: usize) -> Result<&mut [u8; N], RebaseError> {
        let place = offset.checked_add(N).and_then(|end| self.0.get_mut(offset..end));
        place.and_then(|place| place.try_into().ok()).ok_or(RebaseError::OutOfBounds { offset })
    }

    fn word(&mut self, offset: usize) -> Result<u32, RebaseError> {
        self.place(offset).map(|place| u32::from_le_bytes(*place))
    }

    fn set_word(&mut self, offset: usize, value: u32) -> Result<(), RebaseError> {
        *self.place(offset)? = value.to_le_bytes();
        Ok(())
    }

    fn halfword(&mut self, offset: usize) -> Result<u16, RebaseError> {
        self.place(offset).map(|place| u16::from_le_bytes(*place))
    }

    fn set_halfword(&mut self, offset: usize, value: u16) -> Result<(), RebaseError> {
        *self.place(offset)? = value.to_le_bytes();
        Ok(())
    }
}

/// A prebuilt runner, read.
struct Runner<'a> {
    bytes: &'a [u8],
    header: &'a Header,
    segments: &'a [Segment],
    sections: object::read::elf::SectionTable<'a, Header>,
    symbols: object::read::elf::SymbolTable<'a, Header>,
    code_start: u32,
    variables: Region,
}

impl<'a> Runner<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, RebaseError> {
        let header = Header::parse(bytes)?;
        header.endian()?;
        let segments = header.program_headers(ENDIAN, bytes)?;
        let sections = header.sections(ENDIAN, bytes)?;
        let symbols = sections.symbols(ENDIAN, bytes, elf::SHT_SYMTAB)?;
        let first = sections.section_by_name(ENDIAN, FIRST_SECTION);
        let (_, first) = first.ok_or(RebaseError::Lacks(".vectors"))?;
        let address = |name: &'static str| {
            let found = symbols.iter().find(|symbol| {
                symbol.name(ENDIAN, symbols.strings()).is_ok_and(|found| found == name.as_bytes())
            });
            found.map(|symbol| symbol.st_value.get(ENDIAN)).ok_or(RebaseError::Lacks(name))
        };
        let (start, end) = (address(VARIABLES_START)?, address(VARIABLES_END)?);
        let variables = Region { start: start.into(), length: end.saturating_sub(start).into() };
        Ok(Self {
            bytes,
            header,
            segments,
            code_start: first.sh_addr.get(ENDIAN),
            sections,
            symbols,
            variables,
        })
    }

    fn shift_to(&self, placement: &Placement) -> Shift {
        let from = |new: u64, old: u32| (new as u32).wrapping_sub(old);
        Shift {
            old_variables: self.variables,
            variables: from(placement.variables.start, self.variables.start as u32),
            code: from(placement.code.start, self.code_start),
        }
    }

    /// Sections keep their distances only where both blocks move by multiples of every alignment in them.
    fn check_alignment(&self, placement: &Placement, shift: &Shift) -> Result<(), RebaseError> {
        for section in self.sections.iter() {
            let alignment = section.sh_addralign.get(ENDIAN);
            let by = self.shift_of(section, shift);
            if alignment > 1 && !by.is_multiple_of(alignment) {
                let is_variable = shift.moves_as_variable(section.sh_addr.get(ENDIAN));
                let block = if is_variable { placement.variables } else { placement.code };
                return Err(RebaseError::Misaligned { address: block.start, alignment: alignment.into() });
            }
        }
        Ok(())
    }

    /// The new value of every symbol.
    fn moved_symbols(&self, placement: &Placement, shift: &Shift) -> Result<Vec<u32>, RebaseError> {
        let mut unset: BTreeMap<&str, u64> =
            placement.numbers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let mut values = Vec::with_capacity(self.symbols.len());
        for symbol in self.symbols.iter() {
            let value = symbol.st_value.get(ENDIAN);
            values.push(match symbol.st_shndx.get(ENDIAN) {
                elf::SHN_UNDEF => value,
                elf::SHN_ABS if symbol.st_type() == elf::STT_FILE => value,
                elf::SHN_ABS => {
                    let name = symbol.name(ENDIAN, self.symbols.strings())?;
                    let name = String::from_utf8_lossy(name);
                    match unset.remove(&*name) {
                        Some(number) => number as u32,
                        None if name == INITIAL_VALUES => value.wrapping_add(shift.code),
                        None => return Err(RebaseError::MissingNumber { name: name.into_owned() }),
                    }
                }
                section => {
                    let section = self.sections.section(object::SectionIndex(section.0.into()))?;
                    value.wrapping_add(self.shift_of(section, shift))
                }
            });
        }
        match unset.pop_first() {
            Some((name, _)) => Err(RebaseError::UnknownNumber { name: name.to_owned() }),
            None => Ok(values),
        }
    }

    /// How far a section moves. What is not loaded has no address.
    fn shift_of(&self, section: &Section, shift: &Shift) -> u32 {
        let is_loaded = section.sh_flags(ENDIAN).contains(elf::SHF_ALLOC);
        if is_loaded { shift.of(section.sh_addr.get(ENDIAN)) } else { 0 }
    }

    /// Writes every address in the sections anew, and where those stand.
    fn move_contents(&self, symbols: &[u32], shift: &Shift, image: &mut Image) -> Result<(), RebaseError> {
        let mut any = false;
        for section in self.sections.iter() {
            let Some((relocations, _)) = section.rel(ENDIAN, self.bytes)? else { continue };
            any = true;
            let target = self.sections.section(object::SectionIndex(section.sh_info.get(ENDIAN) as usize))?;
            let own_shift = self.shift_of(target, shift);
            let first_offset = target.sh_offset.get(ENDIAN).wrapping_sub(target.sh_addr.get(ENDIAN));
            let mut addresses = Relocations::default();
            for (index, relocation) in relocations.iter().enumerate() {
                let address = relocation.r_offset.get(ENDIAN);
                let symbol = relocation.r_sym(ENDIAN);
                let old = self.symbols.symbol(object::SymbolIndex(symbol as usize))?.st_value.get(ENDIAN);
                let new = symbols.get(symbol as usize).copied().unwrap_or(old);
                let place = relocation::Place {
                    address,
                    offset: first_offset.wrapping_add(address) as usize,
                    symbol,
                    by: new.wrapping_sub(old),
                    own_shift,
                };
                addresses.apply(relocation.r_type(ENDIAN), place, image)?;
                let entry = section.sh_offset.get(ENDIAN) as usize + index * size_of::<Rel32<LittleEndian>>();
                image.set_word(
                    entry + offset_of!(Rel32<LittleEndian>, r_offset),
                    address.wrapping_add(own_shift),
                )?;
            }
            addresses.finish()?;
        }
        if any { Ok(()) } else { Err(RebaseError::NoRelocations) }
    }

    fn move_symbols(&self, symbols: &[u32], image: &mut Image) -> Result<(), RebaseError> {
        let table = self.sections.section(self.symbols.section())?.sh_offset.get(ENDIAN) as usize;
        for (index, &value) in symbols.iter().enumerate() {
            image.set_word(table + index * size_of::<Symbol>() + offset_of!(Symbol, st_value), value)?;
        }
        Ok(())
    }

    fn move_headers(&self, shift: &Shift, image: &mut Image) -> Result<(), RebaseError> {
        let entry = shift.moved(self.header.e_entry.get(ENDIAN));
        image.set_word(offset_of!(Header, e_entry), entry)?;
        let table = self.header.e_phoff.get(ENDIAN) as usize;
        for (index, segment) in self.segments.iter().enumerate() {
            if segment.p_type(ENDIAN) != elf::PT_LOAD {
                continue;
            }
            let at = table + index * size_of::<Segment>();
            let address = shift.moved(segment.p_vaddr.get(ENDIAN));
            image.set_word(at + offset_of!(Segment, p_vaddr), address)?;
            let loaded = shift.moved(segment.p_paddr.get(ENDIAN));
            image.set_word(at + offset_of!(Segment, p_paddr), loaded)?;
            // File offset and address agree modulo the alignment.
            let apart = address.wrapping_sub(segment.p_offset.get(ENDIAN));
            let alignment = 1 << apart.trailing_zeros().min(PAGE_BITS);
            image.set_word(at + offset_of!(Segment, p_align), alignment)?;
        }
        let table = self.header.e_shoff.get(ENDIAN) as usize;
        for (index, section) in self.sections.iter().enumerate() {
            let address = section.sh_addr.get(ENDIAN).wrapping_add(self.shift_of(section, shift));
            image.set_word(table + index * size_of::<Section>() + offset_of!(Section, sh_addr), address)?;
        }
        Ok(())
    }
}

/// The greatest alignment of a segment that the linker asks for: 64 KiB.
const PAGE_BITS: u32 = 16;
