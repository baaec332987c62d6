//! The functions of a linked program.

use std::collections::{BTreeMap, BTreeSet};

use object::{
    Architecture, File, Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind, SymbolKind,
};

use super::instruction::{Flow, Instruction};
use super::{StackError, aarch64, thumb};

/// A program: its functions by where they start.
pub(super) struct Program {
    pub functions: BTreeMap<u64, Function>,
    /// Where it is entered.
    pub entry: u64,
}

/// A function.
pub(super) struct Function {
    /// Its name in the source, without generic arguments' hashes.
    pub name: String,
    pub instructions: Vec<Instruction>,
}

type Decode = fn(&[u8], u64) -> Vec<Instruction>;

impl Program {
    /// The functions of the ELF file `elf` that its symbol table names.
    pub(super) fn read(elf: &[u8]) -> Result<Self, StackError> {
        let file = File::parse(elf)?;
        // The lowest bit of a function's address says that it is Thumb code.
        let (decode, address_mask): (Decode, u64) = match file.architecture() {
            Architecture::Arm => (thumb::decode, !1),
            Architecture::Aarch64 => (aarch64::decode, !0),
            _ => return Err(StackError::UnknownArchitecture),
        };
        let mut functions = BTreeMap::new();
        for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
            let code = section.data()?;
            let data = data_marks(&file, &section);
            let is_function = |symbol: &object::Symbol<'_, '_>| {
                symbol.section_index() == Some(section.index()) && symbol.kind() == SymbolKind::Text
            };
            let symbols: Vec<_> = file.symbols().filter(is_function).collect();
            let starts: BTreeSet<u64> =
                symbols.iter().map(|symbol| symbol.address() & address_mask).collect();
            for symbol in symbols {
                let start = symbol.address() & address_mask;
                let offset = start.wrapping_sub(section.address()) as usize;
                // Assembly may not say where a function ends: where the next one starts.
                let next = starts.range(start + 1..).next();
                let end = next.map_or(code.len(), |next| (next - section.address()) as usize);
                let stated = offset.saturating_add(symbol.size() as usize);
                let end = if symbol.size() == 0 { end } else { stated };
                let Some(code) = code.get(offset..end) else { continue };
                let name = symbol.name().unwrap_or_default();
                let mut instructions = instructions(code, start, &data, decode);
                let inside = start + 1..start + code.len() as u64;
                // Armv6-M has no branch as far as its calls: within a function these are branches, which lose the link
                // register.
                for instruction in &mut instructions {
                    if let Flow::Call(target) = instruction.flow
                        && inside.contains(&target)
                    {
                        instruction.flow = Flow::Jump(target);
                    }
                }
                let name = format!("{:#}", rustc_demangle::demangle(name));
                let function = Function { name, instructions };
                functions.entry(start).or_insert(function);
            }
        }
        put_back_moved(&mut functions);
        Ok(Self { functions, entry: file.entry() & address_mask })
    }
}

/// What linkers call the places to which they move an instruction that stands where it meets a fault of Cortex-A53: that
/// instruction, and a jump back.
const MOVED: &str = "__CortexA53";

/// Puts each instruction that was moved back in the place of the jump to it.
fn put_back_moved(functions: &mut BTreeMap<u64, Function>) {
    let moved: BTreeMap<u64, Instruction> = functions
        .extract_if(.., |_, function| function.name.starts_with(MOVED))
        .filter_map(|(start, function)| Some((start, *function.instructions.first()?)))
        .collect();
    for instruction in functions.values_mut().flat_map(|function| &mut function.instructions) {
        if let Flow::Jump(target) = instruction.flow
            && let Some(original) = moved.get(&target)
        {
            *instruction = Instruction { address: instruction.address, ..*original };
        }
    }
}

/// Where code turns into data and back, by the architecture's mapping symbols (`$d`; `$t`, `$x`).
fn data_marks(file: &File<'_>, section: &object::Section<'_, '_>) -> BTreeMap<u64, bool> {
    file.symbols()
        .filter(|symbol| symbol.section_index() == Some(section.index()))
        .filter_map(|symbol| {
            let name = symbol.name().ok()?;
            let is_data = match name.split('.').next()? {
                "$d" => true,
                "$t" | "$x" => false,
                _ => return None,
            };
            Some((symbol.address(), is_data))
        })
        .collect()
}

/// The instructions of `code` at `start`, without the data between them.
fn instructions(code: &[u8], start: u64, data: &BTreeMap<u64, bool>, decode: Decode) -> Vec<Instruction> {
    let end = start + code.len() as u64;
    let mut is_data = data.range(..=start).next_back().is_some_and(|(_, is_data)| *is_data);
    let mut from = start;
    let mut instructions = Vec::new();
    let marks = data.range(start + 1..end).map(|(at, is_data)| (*at, *is_data));
    for (at, next_is_data) in marks.chain([(end, true)]) {
        if !is_data {
            instructions.extend(decode(&code[(from - start) as usize..(at - start) as usize], from));
        }
        (from, is_data) = (at, next_is_data);
    }
    for instruction in &mut instructions {
        // Armv6-M's other branches do not reach far: within a long function, compilers jump by BL.
        if let Flow::Call(target) = instruction.flow
            && (start + 1..end).contains(&target)
        {
            instruction.flow = Flow::Jump(target);
        }
    }
    instructions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_that_was_moved_is_back_in_its_place() {
        // ldr x0, [x1]; b back
        let place = [0xF940_0020_u32, 0x17FF_FC00].map(u32::to_le_bytes).concat();
        // sub sp, sp, #16; b to the place; add sp, sp, #16; ret
        let code = [0xD100_43FF_u32, 0x1400_03FF, 0x9100_43FF, 0xD65F_03C0].map(u32::to_le_bytes).concat();
        let data = BTreeMap::from([(0, false)]);
        let function = |name: &str, code: &[u8], start| Function {
            name: name.to_owned(),
            instructions: instructions(code, start, &data, aarch64::decode),
        };
        let mut functions = BTreeMap::from([
            (0x1000, function("caller", &code, 0x1000)),
            (0x2000, function("__CortexA53843419_1004", &place, 0x2000)),
        ]);
        assert_eq!(functions[&0x1000].instructions[1].flow, Flow::Jump(0x2000));
        put_back_moved(&mut functions);
        let flows: Vec<Flow> = functions[&0x1000].instructions.iter().map(|found| found.flow).collect();
        assert_eq!(flows, [Flow::Next, Flow::Next, Flow::Next, Flow::Return]);
        assert_eq!(functions.len(), 1);
    }

    #[test]
    fn a_call_into_the_middle_of_its_own_function_is_a_jump() {
        // bl +4, over a word of data; push {r4}; bl to the start
        let code = [0xF000_u16, 0xF802, 0, 0, 0xB410, 0xF7FF, 0xFFF9].map(u16::to_le_bytes).concat();
        let data = BTreeMap::from([(0x1004, true), (0x1008, false)]);
        let found: Vec<Flow> =
            instructions(&code, 0x1000, &data, thumb::decode).iter().map(|found| found.flow).collect();
        assert_eq!(found, [Flow::Jump(0x1008), Flow::Next, Flow::Call(0x1000)]);
    }
}
