//! How deep the stack is at every instruction of a function.

use std::collections::{BTreeMap, BTreeSet};

use super::StackError;
use super::instruction::{Flow, Instruction, StackEffect};
use super::program::Function;

/// More than any runner's stack: a depth beyond it grows in a loop.
const GREATEST_DEPTH_BYTES: i64 = 1 << 24;

/// What a function does with the stack.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    /// The most bytes that it has on the stack.
    pub bytes: i64,
    /// The functions it goes to, with the bytes it has on the stack then.
    pub calls: Vec<(u64, i64)>,
    /// Where it calls a function by its address.
    pub indirect_call: Option<u64>,
    /// Whether it can neither return nor go on for ever without panicking.
    pub only_panics: bool,
}

/// Which function's stack is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It sets the stack pointer at first.
    Entry,
    /// It is called.
    Called,
}

/// Follows `function` from its start. Functions at `panicking` do not return to it.
pub(super) fn usage(function: &Function, role: Role, panicking: &BTreeSet<u64>) -> Result<Usage, StackError> {
    let mut walk = Walk { function, role, panicking, depths: BTreeMap::new(), usage: Usage::default() };
    let code: BTreeMap<u64, &Instruction> =
        function.instructions.iter().map(|instruction| (instruction.address, instruction)).collect();
    let mut todo: Vec<(u64, i64)> = code.keys().next().map(|&start| (start, 0)).into_iter().collect();
    loop {
        while let Some((address, depth)) = todo.pop() {
            let Some(instruction) = code.get(&address) else {
                continue;
            };
            if walk.depths.get(&address).is_some_and(|&known| known >= depth) {
                continue;
            }
            walk.depths.insert(address, depth);
            let after = walk.depth_after(instruction, depth)?;
            todo.extend(walk.successors(instruction, &code).into_iter().map(|next| (next, after)));
        }
        // What nothing leads to is entered through a jump table.
        let table_depth = code
            .iter()
            .filter(|(_, instruction)| instruction.flow == Flow::TableJump)
            .filter_map(|(address, _)| walk.depths.get(address))
            .max();
        let unreached = code.keys().find(|address| !walk.depths.contains_key(address));
        match (table_depth, unreached) {
            (Some(&depth), Some(&address)) => todo.push((address, depth)),
            _ => break,
        }
    }
    walk.usage.bytes = walk.depths.values().copied().max().unwrap_or_default();
    walk.collect_calls(&code);
    walk.usage.only_panics = walk.only_panics(&code);
    Ok(walk.usage)
}

struct Walk<'f> {
    function: &'f Function,
    role: Role,
    panicking: &'f BTreeSet<u64>,
    /// The bytes on the stack before each instruction that was reached.
    depths: BTreeMap<u64, i64>,
    usage: Usage,
}

impl Walk<'_> {
    fn depth_after(&self, instruction: &Instruction, depth: i64) -> Result<i64, StackError> {
        let (function, address) = (|| self.function.name.clone(), instruction.address);
        match instruction.stack {
            StackEffect::None => Ok(depth),
            StackEffect::Take(bytes) if depth + bytes > GREATEST_DEPTH_BYTES => {
                Err(StackError::Unbounded { function: function(), address })
            }
            StackEffect::Take(bytes) => Ok(depth + bytes),
            StackEffect::Set if self.role == Role::Entry => Ok(0),
            StackEffect::Set => Err(StackError::UnknownStackPointer { function: function(), address }),
        }
    }

    /// Where control goes within the function.
    fn successors(&self, instruction: &Instruction, code: &BTreeMap<u64, &Instruction>) -> Vec<u64> {
        let next = instruction.address + instruction.bytes;
        let inside = |target: u64| code.contains_key(&target).then_some(target);
        match instruction.flow {
            Flow::Next | Flow::IndirectCall | Flow::ConditionalReturn => vec![next],
            Flow::Call(target) if self.panicking.contains(&target) => vec![],
            Flow::Call(_) => vec![next],
            Flow::Branch(target) => inside(target).into_iter().chain([next]).collect(),
            Flow::Jump(target) => inside(target).into_iter().collect(),
            Flow::IndirectJump | Flow::TableJump | Flow::Return | Flow::Stop => vec![],
        }
    }

    fn collect_calls(&mut self, code: &BTreeMap<u64, &Instruction>) {
        for (address, depth) in &self.depths {
            let instruction = code[address];
            match instruction.flow {
                Flow::Call(target) => self.usage.calls.push((target, *depth)),
                Flow::Jump(target) | Flow::Branch(target) if !code.contains_key(&target) => {
                    self.usage.calls.push((target, *depth));
                }
                Flow::IndirectCall | Flow::IndirectJump => self.usage.indirect_call = Some(*address),
                _ => {}
            }
        }
    }

    /// Whether the function has no way out but a panic, and from everywhere a way there.
    fn only_panics(&self, code: &BTreeMap<u64, &Instruction>) -> bool {
        let is_panic = |target: u64| self.panicking.contains(&target);
        let mut panics = BTreeSet::new();
        for address in self.depths.keys() {
            match code[address].flow {
                Flow::Call(target) if is_panic(target) => _ = panics.insert(*address),
                Flow::Jump(target) | Flow::Branch(target) if !code.contains_key(&target) => {
                    if !is_panic(target) {
                        return false;
                    }
                    panics.insert(*address);
                }
                Flow::Return | Flow::ConditionalReturn | Flow::IndirectJump => return false,
                _ => {}
            }
        }
        // Backwards from the panics until nothing is added.
        loop {
            let before = panics.len();
            for address in self.depths.keys().rev() {
                if self.successors(code[address], code).iter().any(|next| panics.contains(next)) {
                    panics.insert(*address);
                }
            }
            if panics.len() == before {
                break;
            }
        }
        let leads_there = |address: &u64| {
            panics.contains(address) || matches!(code[address].flow, Flow::Stop | Flow::TableJump)
        };
        !panics.is_empty() && self.depths.keys().all(leads_there)
    }
}
