//! Whether a file computes with floats or with integers.

use super::boundary::Boundary;
use super::file::File;
use super::operator_name;
use super::schema::Operator;
use crate::import::{ImportError, UnsupportedOperator};
use crate::tflite_schema::Builtin;
use crate::tflite_schema::tensor_type::{FLOAT16, FLOAT32, FLOAT64};

/// What most operators of a file write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Float,
    Integer,
}

impl Arithmetic {
    /// That of the operators at the places `needed`; of the outputs, where there are none.
    pub(super) fn of(file: &File<'_>, boundary: &Boundary, needed: &[usize]) -> Self {
        let needed: Vec<&Operator> = needed.iter().map(|&index| &file.graph.operators[index]).collect();
        let needed: Vec<&Operator> =
            needed.into_iter().filter(|operator| !is_of_either(file, operator)).collect();
        let floats = needed.iter().filter(|operator| writes_floats(file, operator)).count();
        let float_outputs =
            || file.graph.outputs.iter().any(|&output| is_float(file, boundary.inside(output)));
        if 2 * floats > needed.len() || needed.is_empty() && float_outputs() {
            Self::Float
        } else {
            Self::Integer
        }
    }

    /// The operators at the places `needed`, with what they are.
    ///
    /// # Errors
    ///
    /// All that are not supported, or of the other arithmetic.
    pub(super) fn supported(
        self,
        file: &File<'_>,
        needed: &[usize],
    ) -> Result<Vec<(usize, Builtin)>, ImportError> {
        let mut builtins = Vec::new();
        let mut unsupported = Vec::new();
        for &index in needed {
            let operator = &file.graph.operators[index];
            let code = file.code(operator);
            match self.builtin(file, operator) {
                Ok(builtin) => builtins.push((index, builtin)),
                Err(reason) => unsupported.push(UnsupportedOperator {
                    operator: operator_name(code),
                    node: file.node_name(operator),
                    inputs: file.shapes(&operator.inputs),
                    outputs: file.shapes(&operator.outputs),
                    version: Some(i64::from(code.version)),
                    reason: reason.to_owned(),
                }),
            }
        }
        if unsupported.is_empty() {
            Ok(builtins)
        } else {
            Err(ImportError::UnsupportedOperators(unsupported))
        }
    }

    fn builtin(self, file: &File<'_>, operator: &Operator) -> Result<Builtin, &'static str> {
        let writes_floats = match is_of_either(file, operator) {
            true => self == Self::Float,
            false => writes_floats(file, operator),
        };
        match (self, writes_floats) {
            (Self::Float, false) if !operator.outputs.is_empty() => {
                Err("it writes integers, and most of the model floats")
            }
            (Self::Integer, true) => Err("it writes floats, and most of the model integers"),
            _ => {
                let builtin = Builtin::of(file.code(operator), &operator.options)?;
                builtin.check(self, file, operator)?;
                Ok(builtin)
            }
        }
    }
}

/// Whether it is the same in files of either arithmetic.
fn is_of_either(file: &File<'_>, operator: &Operator) -> bool {
    moves_indices(file, operator) || works_with_truths(file, operator)
}

/// Whether it moves indices on.
fn moves_indices(file: &File<'_>, operator: &Operator) -> bool {
    let moved = file.moved(operator).map(|(_, to)| to);
    moved.is_some_and(|to| to.iter().any(|&tensor| file.holds_indices(tensor)))
}

/// Whether it reads and writes nothing but truths.
fn works_with_truths(file: &File<'_>, operator: &Operator) -> bool {
    let first = [operator.inputs.first(), operator.outputs.first()];
    first.into_iter().all(|tensor| tensor.is_some_and(|&tensor| file.holds_truths(tensor)))
}

/// Whether it computes with floats: indices count as what they are found in, truths as what they are said of.
fn writes_floats(file: &File<'_>, operator: &Operator) -> bool {
    let is_value = |output: &&i32| !file.holds_indices(**output) && !file.holds_truths(**output);
    let written = operator.outputs.first().filter(is_value);
    written.or(operator.inputs.first()).is_some_and(|&tensor| is_float(file, tensor))
}

fn is_float(file: &File<'_>, index: i32) -> bool {
    file.tensor(index).is_some_and(|tensor| matches!(tensor.kind, FLOAT32 | FLOAT16 | FLOAT64))
}
