//! Who calls whom, and the deepest way through.

use std::collections::{BTreeMap, BTreeSet};

use super::flow::{Role, Usage, usage};
use super::program::{Function, Program};
use super::{StackBound, StackError, StackFrame};

/// Names of the functions that end in the panic handler: core's, and the handler itself.
const PANICS: [&str; 2] = ["core::panicking::", "rust_begin_unwind"];

pub(super) struct CallGraph<'p> {
    program: &'p Program,
    usages: BTreeMap<u64, Usage>,
    panicking: BTreeSet<u64>,
}

impl<'p> CallGraph<'p> {
    /// The call graph of what the entry point can reach.
    pub(super) fn of(program: &'p Program) -> Result<Self, StackError> {
        let is_panic = |function: &Function| PANICS.iter().any(|name| function.name.contains(name));
        let mut panicking: BTreeSet<u64> = program
            .functions
            .iter()
            .filter(|(_, function)| is_panic(function))
            .map(|(address, _)| *address)
            .collect();
        // A function that only calls such functions is one itself; what comes after calls of it is not
        // reached.
        loop {
            let mut usages = BTreeMap::new();
            for (&address, function) in &program.functions {
                if panicking.contains(&address) {
                    continue;
                }
                let role = if address == program.entry { Role::Entry } else { Role::Called };
                match usage(function, role, &panicking) {
                    Ok(usage) => _ = usages.insert(address, usage),
                    // It matters where it is reached.
                    Err(error) if role == Role::Entry => return Err(error),
                    Err(_) => {}
                }
            }
            let found = usages.iter().filter(|(_, usage)| usage.only_panics).map(|(address, _)| *address);
            let before = panicking.len();
            panicking.extend(found);
            if panicking.len() == before {
                return Ok(Self { program, usages, panicking });
            }
        }
    }

    /// The deepest path from the entry point through functions whose names pass `may_run`.
    pub(super) fn deepest(&self, may_run: impl Fn(&str) -> bool) -> Result<StackBound, StackError> {
        let mut search = Search { graph: self, may_run, known: BTreeMap::new(), path: Vec::new() };
        let entry = self.program.entry;
        let bytes = search.depth(entry, entry)?;
        let mut path = Vec::new();
        let mut next = Some(entry);
        while let Some(address) = next {
            let deepest = &search.known[&address];
            path.push(StackFrame {
                function: self.name(address).to_owned(),
                bytes: deepest.own_bytes as u32,
            });
            next = deepest.through;
        }
        Ok(StackBound { bytes: bytes as u32, path })
    }

    fn name(&self, address: u64) -> &str {
        self.program.functions.get(&address).map_or("?", |function| &function.name)
    }
}

struct Search<'g, 'p, F> {
    graph: &'g CallGraph<'p>,
    may_run: F,
    known: BTreeMap<u64, Deepest>,
    /// From the entry point to the function that is looked at.
    path: Vec<u64>,
}

/// The deepest way on from a function.
struct Deepest {
    bytes: i64,
    /// What the function itself has on the stack of them.
    own_bytes: i64,
    /// The function it calls on that way.
    through: Option<u64>,
}

impl<F: Fn(&str) -> bool> Search<'_, '_, F> {
    fn depth(&mut self, address: u64, from: u64) -> Result<i64, StackError> {
        if let Some(known) = self.known.get(&address) {
            return Ok(known.bytes);
        }
        let graph = self.graph;
        let function = graph
            .program
            .functions
            .get(&address)
            .ok_or_else(|| StackError::NoFunction { address, from: graph.name(from).to_owned() })?;
        if let Some(start) = self.path.iter().position(|&on_path| on_path == address) {
            let path = self.path[start..].iter().map(|&address| graph.name(address).to_owned()).collect();
            return Err(StackError::Recursive { function: function.name.clone(), path });
        }
        let usage = match graph.usages.get(&address) {
            Some(usage) => usage.clone(),
            None => usage(function, Role::Called, &graph.panicking)?,
        };
        if let Some(address) = usage.indirect_call {
            return Err(StackError::IndirectCall { function: function.name.clone(), address });
        }
        self.path.push(address);
        let mut deepest = Deepest { bytes: usage.bytes, own_bytes: usage.bytes, through: None };
        for (target, own_bytes) in usage.calls {
            let runs = !graph.panicking.contains(&target) && (self.may_run)(graph.name(target));
            if runs {
                let bytes = own_bytes + self.depth(target, address)?;
                if bytes > deepest.bytes {
                    deepest = Deepest { bytes, own_bytes, through: Some(target) };
                }
            }
        }
        self.path.pop();
        let bytes = deepest.bytes;
        self.known.insert(address, deepest);
        Ok(bytes)
    }
}
