//! Which figures have grown.

use crate::figures::{Figures, LayerFigures, ModelFigures};

/// How much a figure may grow unnoticed.
#[derive(Clone, Copy)]
enum Tolerance {
    /// It follows from the model alone.
    Nothing,
    /// It follows from the compiler's code, whose order the linker does not fix: half a percent, or this
    /// many where the figure is small.
    HalfAPercentOr(u64),
}

/// Bytes of stack and of code, and instructions, that alignment alone may cost.
const SMALL: Tolerance = Tolerance::HalfAPercentOr(64);

struct Growth<'a> {
    /// What the figures are of.
    of: String,
    grown: &'a mut Vec<String>,
}

impl Growth<'_> {
    fn check(&mut self, figure: &str, was: u64, now: u64, tolerance: Tolerance) {
        let limit = was
            + match tolerance {
                Tolerance::Nothing => 0,
                Tolerance::HalfAPercentOr(few) => few.max(was / 200),
            };
        if now > limit {
            let percent = (now - was) as f64 / was.max(1) as f64 * 100.0;
            self.grown.push(format!("{}: {figure} was {was}, is {now} (+{percent:.2} %)", self.of));
        }
    }
}

/// Names every figure that is larger than the committed one. Those that depend on the compiler count only
/// for the same one.
pub fn grown(committed: &Figures, measured: &Figures) -> Vec<String> {
    let mut grown = Vec::new();
    let compiler =
        |figures: &Figures, board: &str| figures.image.get(board).map(|image| image.compiler.clone());
    let same_compiler = |board: &str| compiler(committed, board) == compiler(measured, board);
    for (board, now) in measured.image.iter().filter(|(board, _)| same_compiler(board)) {
        if let Some(was) = committed.image.get(board) {
            let mut growth = Growth { of: board.clone(), grown: &mut grown };
            growth.check("code_bytes", was.code_bytes, now.code_bytes, SMALL);
            growth.check("static_ram_bytes", was.static_ram_bytes, now.static_ram_bytes, Tolerance::Nothing);
        }
    }
    for (model, boards) in &measured.model {
        for (board, now) in boards {
            let Some(was) = committed.model.get(model).and_then(|boards| boards.get(board)) else {
                continue;
            };
            let mut growth = Growth { of: format!("{model} on {board}"), grown: &mut grown };
            growth.check("artifact_bytes", was.artifact_bytes, now.artifact_bytes, Tolerance::Nothing);
            growth.check("arena_bytes", was.arena_bytes, now.arena_bytes, Tolerance::Nothing);
            if same_compiler(board) {
                check_work(&mut growth, was, now);
            }
        }
    }
    grown
}

fn check_work(growth: &mut Growth<'_>, was: &ModelFigures, now: &ModelFigures) {
    growth.check("stack_bytes", was.stack_bytes, now.stack_bytes, SMALL);
    growth.check("parse_instructions", was.parse_instructions, now.parse_instructions, SMALL);
    growth.check("session_instructions", was.session_instructions, now.session_instructions, SMALL);
    growth.check("run_instructions", was.run_instructions, now.run_instructions, SMALL);
    if let Some((was, now)) = was.run_cycles.zip(now.run_cycles) {
        growth.check("run_cycles", was, now, SMALL);
    }
    for now in &now.layers {
        let same_layer = |was: &&LayerFigures| was.layer == now.layer && was.name == now.name;
        let Some(was) = was.layers.iter().find(same_layer) else {
            continue;
        };
        let layer = now.layer;
        growth.check(&format!("layer {layer}, instructions"), was.instructions, now.instructions, SMALL);
        if let Some((was, now)) = was.cycles.zip(now.cycles) {
            growth.check(&format!("layer {layer}, cycles"), was, now, SMALL);
        }
    }
}

#[test]
fn half_a_percent_is_passed_over_and_more_is_named() {
    let mut grown = Vec::new();
    let mut growth = Growth { of: "kws".to_owned(), grown: &mut grown };
    growth.check("run_instructions", 100_000, 100_500, SMALL);
    growth.check("run_instructions", 100_000, 100_501, SMALL);
    growth.check("run_instructions", 100_000, 1, SMALL);
    growth.check("session_instructions", 600, 664, SMALL);
    growth.check("session_instructions", 600, 665, SMALL);
    growth.check("arena_bytes", 768, 769, Tolerance::Nothing);
    assert_eq!(
        grown,
        [
            "kws: run_instructions was 100000, is 100501 (+0.50 %)",
            "kws: session_instructions was 600, is 665 (+10.83 %)",
            "kws: arena_bytes was 768, is 769 (+0.13 %)",
        ]
    );
}

#[test]
fn figures_of_another_compiler_are_not_compared() {
    let text = |compiler: &str, code_bytes: u64, arena_bytes: u64, instructions: u64| {
        let text = format!(
            "[image.b]\ncompiler = \"{compiler}\"\ncode_bytes = {code_bytes}\nstatic_ram_bytes = 0\n\
             [model.m.b]\nartifact_bytes = 1\narena_bytes = {arena_bytes}\nstack_bytes = 1\n\
             parse_instructions = 1\nsession_instructions = 1\nrun_instructions = 1\nlayers = [\n\
             {{ layer = 3, name = \"n\", operator = \"o\", macs = 0, instructions = {instructions} }},\n]\n"
        );
        toml::from_str::<Figures>(&text).unwrap()
    };
    let committed = text("one", 1000, 10, 1000);
    assert_eq!(grown(&committed, &committed), [""; 0]);
    assert_eq!(
        grown(&committed, &text("one", 2000, 11, 2000)),
        [
            "b: code_bytes was 1000, is 2000 (+100.00 %)",
            "m on b: arena_bytes was 10, is 11 (+10.00 %)",
            "m on b: layer 3, instructions was 1000, is 2000 (+100.00 %)",
        ]
    );
    let expected = ["m on b: arena_bytes was 10, is 11 (+10.00 %)"];
    assert_eq!(grown(&committed, &text("another", 2000, 11, 2000)), expected);
}
