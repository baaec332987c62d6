//! Rewrites a float graph into fewer operators that compute the same.
//!
//! Constants are folded, functions that are written as several operators become one, scales and biases go into the weights before them, clamps into the operator
//! before them, pads into the window behind them. Transposes and reshapes move towards the outputs until
//! two of them cancel, one is absorbed by a fully connected layer's weights, or the model ends: a model in
//! NCHW becomes one in NHWC, with its inputs and outputs as they were.
//!
//! A rule looks at one node and rewrites around it; rules are applied until none applies. This ends:
//! every rule removes an operator, brings a constant nearer to 0 once, or moves a transpose or reshape past one towards the outputs, or makes
//! a reshape of a transpose, and none adds operators of another kind.

mod editor;
mod fold;
mod function;
mod fuse;
mod identity;
mod mask;
mod reshape;
mod transpose;
mod weights;

use editor::Editor;

use crate::graph::FloatGraph;

/// A rewrite around one node; whether it did anything.
type Rule = fn(&mut Editor, usize) -> bool;

/// In the order in which they are tried at a node.
const RULES: &[Rule] = &[
    fold::constants,
    identity::remove,
    transpose::merge,
    transpose::into_reshape,
    reshape::merge,
    identity::share,
    reshape::below_transpose,
    transpose::below_operator,
    reshape::below_operator,
    weights::without_transpose,
    weights::depthwise,
    function::recognize,
    mask::bound,
    fuse::scale,
    fuse::bias,
    fuse::activation,
    fuse::pad,
];

/// Rewrites allowed for each node. Models take about five; the limit is there for files that are made to
/// take long.
const REWRITES_PER_NODE: usize = 64;

/// The same model without the nodes that no output and no later run depends on.
#[must_use]
pub(crate) fn without_dead_nodes(graph: FloatGraph) -> FloatGraph {
    let mut editor = Editor::new(graph);
    editor.remove_dead_nodes();
    editor.finish()
}

/// The same model in fewer operators. Inputs and outputs keep their shapes and layouts, fused operators
/// the name of the main one.
#[must_use]
pub fn simplify(graph: FloatGraph) -> FloatGraph {
    let mut budget = REWRITES_PER_NODE * (graph.nodes.len() + 1);
    let mut editor = Editor::new(graph);
    editor.remove_dead_nodes();
    loop {
        let mut changed = false;
        let mut index = 0;
        while index < editor.nodes().len() {
            if budget > 0 && RULES.iter().any(|rule| rule(&mut editor, index)) {
                budget -= 1;
                changed = true;
            } else {
                index += 1;
            }
        }
        changed |= editor.remove_dead_nodes();
        if !changed {
            return editor.finish();
        }
    }
}
