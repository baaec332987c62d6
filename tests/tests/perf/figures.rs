//! What the committed file holds.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

/// Every figure, by what it is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// By board, or by the image's own name.
    #[serde(default)]
    pub image: BTreeMap<String, ImageFigures>,
    /// By model and board.
    #[serde(default)]
    pub model: BTreeMap<String, BTreeMap<String, ModelFigures>>,
}

/// A runner image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageFigures {
    /// What built it: other compilers give other code.
    pub compiler: String,
    pub code_bytes: u64,
    pub static_ram_bytes: u64,
}

/// A model on a board.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFigures {
    pub artifact_bytes: u64,
    pub arena_bytes: u64,
    pub stack_bytes: u64,
    pub parse_instructions: u64,
    pub session_instructions: u64,
    pub run_instructions: u64,
    /// Modelled; none on a board without a cycle model.
    pub run_cycles: Option<u64>,
    pub layers: Vec<LayerFigures>,
}

/// A layer of a model on a board.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerFigures {
    /// Its number in the model's graph.
    pub layer: u32,
    pub name: String,
    pub operator: String,
    /// Multiplications with weights that are executed.
    pub macs: u64,
    pub instructions: u64,
    /// Modelled.
    pub cycles: Option<u64>,
    /// Of a packed kernel.
    pub loops: Option<Loops>,
}

/// What the loops of a packed kernel go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loops {
    /// Multiplications of the inner loop, with those that fill up units and blocks.
    pub macs: u64,
    /// Outputs that are rescaled, with those that fill up blocks and pairs of pixels.
    pub outputs: u64,
    /// What the instructions of the inner loop take, modelled.
    pub cycles: u64,
}

impl ModelFigures {
    /// Multiplications with weights that are executed.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(|layer| layer.macs).sum()
    }
}

impl Figures {
    /// The committed file: a line a layer.
    pub fn to_toml(&self) -> String {
        let mut text = String::from("# Written by `cargo xtask perf`, compared by `cargo xtask test`.\n");
        self.write(&mut text).expect("a string takes everything");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        for (board, image) in &self.image {
            writeln!(text, "\n[image.{board}]")?;
            writeln!(text, "compiler = {}", quoted(&image.compiler))?;
            writeln!(text, "code_bytes = {}", image.code_bytes)?;
            writeln!(text, "static_ram_bytes = {}", image.static_ram_bytes)?;
        }
        for (model, boards) in &self.model {
            for (board, figures) in boards {
                writeln!(text, "\n[model.{model}.{board}]")?;
                figures.write(text)?;
            }
        }
        Ok(())
    }
}

impl ModelFigures {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        for (name, value) in [
            ("artifact_bytes", Some(self.artifact_bytes)),
            ("arena_bytes", Some(self.arena_bytes)),
            ("stack_bytes", Some(self.stack_bytes)),
            ("parse_instructions", Some(self.parse_instructions)),
            ("session_instructions", Some(self.session_instructions)),
            ("run_instructions", Some(self.run_instructions)),
            ("run_cycles", self.run_cycles),
        ] {
            if let Some(value) = value {
                writeln!(text, "{name} = {value}")?;
            }
        }
        writeln!(text, "layers = [")?;
        for LayerFigures { layer, name, operator, macs, instructions, cycles, loops } in &self.layers {
            let (name, operator) = (quoted(name), quoted(operator));
            write!(text, "    {{ layer = {layer}, name = {name}, operator = {operator}, macs = {macs}, ")?;
            write!(text, "instructions = {instructions}")?;
            if let Some(cycles) = cycles {
                write!(text, ", cycles = {cycles}")?;
            }
            if let Some(Loops { macs, outputs, cycles }) = loops {
                write!(text, ", loops = {{ macs = {macs}, outputs = {outputs}, cycles = {cycles} }}")?;
            }
            writeln!(text, " }},")?;
        }
        writeln!(text, "]")
    }
}

fn quoted(text: &str) -> toml::Value {
    toml::Value::String(text.to_owned())
}
