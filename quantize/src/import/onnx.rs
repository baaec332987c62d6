//! Reads ONNX files, operator sets 7 and later, and of earlier ones what has not changed since.
//!
//! The file is checked first, because nothing behind this stands damaged files: names, arity, attributes,
//! sizes. Then tract goes through it node by node, infers every shape and folds what is constant; before
//! each of its steps the node's operands are checked against what the operator demands. Last, every node
//! whose result is not constant becomes operators of ours: ONNX's images are NCHW, so that transposes
//! stand around each of them until [`crate::simplify`] takes them out. Files that are quantized already go the
//! same way, and are int8 at its end.

mod constants;
mod einsum;
mod external;
mod geometry;
mod infer;
mod inputs;
mod lower;
mod operands;
mod operators;
mod protobuf;
mod quantized;
mod recurrence;
mod report;
mod resampling;
mod shapes;
mod site;
mod spreading;

use std::panic::{AssertUnwindSafe, catch_unwind};

use infer::Inference;
use lower::Lowering;
use protobuf::Model;
use quantized::Quantized;
use site::{Fact, Refusal, Site};

use super::{ImportError, ImportOptions, Imported};
use crate::validate::validate;

/// Reads an ONNX model.
///
/// Extents that the file leaves open are those in `options`; the batch is 1 where neither fixes it. Inputs and
/// outputs keep the file's order, names and layouts; nodes keep the file's names.
///
/// # Errors
///
/// When the file is damaged, leaves a shape open, or uses operators that are not there: all of those are
/// named.
pub fn read(file: &[u8], options: &ImportOptions) -> Result<Imported, ImportError> {
    // The checks before tract are there to keep it from panicking; this catches what they let through.
    catch_unwind(AssertUnwindSafe(|| read_checked(file, options)))
        .unwrap_or_else(|_| Err(unreadable("its contents contradict each other")))
}

/// The operators that are read, by name, each with the version of the operator set from which on it is; those of
/// quantized models, which stand around them, apart.
pub fn operators() -> impl Iterator<Item = (&'static str, i64)> {
    operators::all()
}

fn read_checked(file: &[u8], options: &ImportOptions) -> Result<Imported, ImportError> {
    let mut model = Model::parse(file, options)?;
    quantized::expand(&mut model)?;
    let mut quantized = Quantized::new(&model);
    let mut refused = report::unknown_operators(&model);
    let readable = report::readable_nodes(&model, &refused);
    let (mut inference, mut facts) = Inference::start(&mut model, readable)?;
    let mut lowering = Lowering::new(&model);
    for (index, node) in model.nodes().iter().enumerate() {
        let known = node.input.iter().all(|name| name.is_empty() || facts.contains_key(name));
        if refused.contains_key(&index) || !known {
            continue;
        }
        let site = Site::new(node, index, model.opset, &facts);
        let inferred = operands::check(&site).and_then(|()| match quantized.infer(&site)? {
            Some(written) => inference.take_stock(&site, written.iter().flatten()).map(|()| written),
            None => infer(&site, &mut inference),
        });
        let (written, lowered) = match inferred {
            Ok(written) => {
                quantized.follow(&site);
                let lowered = lowering.lower(&site, &written);
                (written, lowered)
            }
            Err(refusal) => (Vec::new(), Err(refusal)),
        };
        let named = node.output.iter().zip(written).filter_map(|(name, fact)| Some((name.clone(), fact?)));
        facts.extend(named);
        match lowered {
            Ok(()) => {}
            Err(Refusal::Invalid(error)) => return Err(error),
            Err(Refusal::Unsupported(reason)) => {
                lowering.leave_out(node, &facts);
                refused.insert(index, reason);
            }
        }
    }
    if !refused.is_empty() {
        return Err(report::error(&model, &refused, &facts));
    }
    let graph = lowering.finish(&model)?;
    validate(&graph)?;
    quantized.finish(graph)
}

/// What a node writes, output by output.
fn infer(site: &Site<'_>, inference: &mut Inference) -> Result<Vec<Option<Fact>>, Refusal> {
    let Some(mut written) = shapes::infer(site)? else { return inference.infer(site) };
    lower::fold(site, &mut written)?;
    inference.take_stock(site, written.iter().flatten())?;
    Ok(written)
}

fn unreadable(reason: impl Into<String>) -> ImportError {
    ImportError::Unreadable { format: "ONNX".into(), reason: reason.into() }
}
