//! Operators that apply a function of one real to each element.

use super::operator::NO_OPTIONS;
use super::schema::{Operator, Options};
use crate::graph::UnaryFunction;
use crate::tflite_schema::Builtin;

/// What `operator` applies to each element; `None` where it is another kind of operator.
///
/// # Errors
///
/// What is wrong, as the end of a sentence that begins with the operator.
pub(super) fn of(operator: &Operator, builtin: Builtin) -> Result<Option<UnaryFunction>, &'static str> {
    Ok(Some(match builtin {
        Builtin::Abs => UnaryFunction::Abs,
        Builtin::Ceil => UnaryFunction::Ceil,
        Builtin::Cos => UnaryFunction::Cos,
        Builtin::Elu => UnaryFunction::Elu { alpha: 1.0 },
        Builtin::Exp => UnaryFunction::Exp,
        Builtin::Floor => UnaryFunction::Floor,
        Builtin::Gelu => match operator.options {
            Options::Gelu { is_approximate: false } => UnaryFunction::Gelu,
            Options::Gelu { is_approximate: true } => UnaryFunction::GeluTanh,
            _ => return Err(NO_OPTIONS),
        },
        Builtin::HardSwish => UnaryFunction::HardSwish,
        Builtin::Log => UnaryFunction::Log,
        Builtin::Neg => UnaryFunction::Neg,
        Builtin::Round => UnaryFunction::Round,
        Builtin::Rsqrt => UnaryFunction::Rsqrt,
        Builtin::Sign => UnaryFunction::Sign,
        Builtin::Sin => UnaryFunction::Sin,
        Builtin::Sqrt => UnaryFunction::Sqrt,
        Builtin::Square => UnaryFunction::Power { exponent: 2.0 },
        _ => return Ok(None),
    }))
}
