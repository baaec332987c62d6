//! The operators that the model's outputs, and those of later runs, depend on.

use std::collections::HashMap;

use super::boundary::Boundary;
use super::file::File;
use super::schema::Operator;
use crate::tflite_schema::Builtin;

/// Places of the operators that compute values of the outputs and of variables, in the file's order. Those that only make
/// shapes, floats of constants, or what nothing reads, are not among them.
pub(super) fn operators(file: &File<'_>, boundary: &Boundary) -> Vec<usize> {
    let operators = &file.graph.operators;
    let mut producers = HashMap::new();
    for (index, operator) in operators.iter().enumerate().filter(|&(index, _)| !boundary.replaces(index)) {
        producers.extend(operator.outputs.iter().map(|&output| (output, index)));
    }
    let assigns = |operator: &Operator| file.code(operator).builtin == Builtin::AssignVariable as i32;
    let mut needed: Vec<bool> = operators.iter().map(assigns).collect();
    let mut open: Vec<i32> = file.graph.outputs.iter().map(|&output| boundary.inside(output)).collect();
    let assigned = operators.iter().filter(|operator| assigns(operator));
    open.extend(assigned.flat_map(|operator| Builtin::AssignVariable.values(operator)));
    while let Some(tensor) = open.pop() {
        let Some(&index) = producers.get(&tensor).filter(|_| !file.is_constant(tensor)) else { continue };
        if !std::mem::replace(&mut needed[index], true) {
            let operator = &operators[index];
            match Builtin::of(file.code(operator), &operator.options) {
                Ok(builtin) => open.extend(builtin.values(operator)),
                Err(_) => open.extend(&operator.inputs),
            }
        }
    }
    (0..operators.len()).filter(|&index| needed[index]).collect()
}
