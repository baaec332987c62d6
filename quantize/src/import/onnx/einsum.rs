//! The equations of Einsum.

use std::collections::BTreeMap;

use super::operands::operand;
use super::site::{Refusal, Site, unsupported};

/// A label for each dimension of one or two operands and of the result; no label is in one of them twice.
pub(super) struct Equation {
    pub operands: Vec<String>,
    pub result: String,
    extents: BTreeMap<char, usize>,
}

impl Equation {
    pub fn of(site: &Site<'_>) -> Result<Self, Refusal> {
        let equation: String = site.word("equation").unwrap_or_default().split_whitespace().collect();
        if equation.contains('.') {
            return unsupported(format!("an equation `{equation}` with an ellipsis"));
        }
        let (operands, stated) = match equation.split_once("->") {
            Some((operands, result)) => (operands, Some(result.to_owned())),
            None => (&*equation, None),
        };
        let operands: Vec<String> = operands.split(',').map(str::to_owned).collect();
        let letters = || operands.iter().chain(&stated).flat_map(|labels| labels.chars());
        site.ensure(
            letters().all(|label| label.is_ascii_alphabetic()),
            format!("has an equation `{equation}` that is none"),
        )?;
        // Without a result, it has the labels that are there once, in alphabetic order.
        let result = stated.clone().unwrap_or_else(|| {
            let mut once: Vec<char> =
                letters().filter(|&label| letters().filter(|&other| other == label).count() == 1).collect();
            once.sort_unstable();
            once.into_iter().collect()
        });
        let count = site.node.input.len();
        site.ensure(
            operands.len() == count,
            format!("has an equation `{equation}` of {} operands, and {count}", operands.len()),
        )?;
        if count > 2 {
            return unsupported(format!("an equation of {count} operands"));
        }
        let is_twice = |labels: &String| labels.chars().any(|label| labels.matches(label).count() > 1);
        if operands.iter().chain([&result]).any(is_twice) {
            return unsupported(format!("an equation `{equation}` that takes a diagonal"));
        }
        let mut extents = BTreeMap::new();
        for (position, labels) in operands.iter().enumerate() {
            let shape = &operand(site, position)?.shape;
            let problem = format!("has an equation `{equation}` for an operand of shape {shape:?}");
            site.ensure(labels.len() == shape.len(), problem.clone())?;
            for (label, &extent) in labels.chars().zip(shape) {
                site.ensure(*extents.entry(label).or_insert(extent) == extent, problem.clone())?;
            }
        }
        let problem = format!("has an equation `{equation}` whose result is of what is not there");
        site.ensure(result.chars().all(|label| extents.contains_key(&label)), problem)?;
        Ok(Self { operands, result, extents })
    }

    /// The result's shape.
    pub fn shape(&self) -> Vec<usize> {
        self.result.chars().map(|label| self.extents[&label]).collect()
    }
}
