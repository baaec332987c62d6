//! Exported models in other people's interpreters: TensorFlow Lite's reference kernels and ONNX Runtime.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use bytemuck::cast_slice;
use edgepkg_quantize::export::{ExportError, onnx_qdq, tflite};
use edgepkg_quantize::graph::{QuantizedGraph, Rounding, TensorId};
use edgepkg_quantize::multiplier::quantize;
use tempfile::TempDir;

use crate::host_session::HostSession;
use crate::python;

/// Who executes an exported file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// TensorFlow Lite, reference kernels.
    Tflite,
    /// ONNX Runtime.
    OnnxRuntime,
}

impl Tool {
    /// Those that come nearest to graphs of this rounding. ONNX Runtime rounds once, and is compared with all.
    fn that_round(rounding: Rounding) -> &'static [Self] {
        match rounding {
            Rounding::Twice => &[Tool::Tflite, Tool::OnnxRuntime],
            Rounding::Once => &[Tool::OnnxRuntime],
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Tool::Tflite => "tflite",
            Tool::OnnxRuntime => "onnx",
        }
    }

    fn export(self, graph: &QuantizedGraph) -> Result<Vec<u8>, ExportError> {
        match self {
            Tool::Tflite => tflite::write(graph, ""),
            Tool::OnnxRuntime => onnx_qdq::write(graph, ""),
        }
    }
}

/// Models with samples, to be run in all the tools at once. Inputs and outputs are int8.
#[derive(Debug)]
pub struct Elsewhere {
    folder: TempDir,
    cases: Vec<Case>,
}

#[derive(Debug)]
struct Case {
    name: String,
    graph: QuantizedGraph,
    /// Ours: `[sample][output]`.
    outputs: Vec<Vec<Vec<u8>>>,
    exported: Vec<Tool>,
}

/// What a tool computed for a model.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The model.
    pub name: String,
    /// Who computed them.
    pub tool: Tool,
    /// Ours for the first output: `[sample]`.
    pub ours: Vec<Vec<i8>>,
    /// The tool's.
    pub theirs: Vec<Vec<i8>>,
    /// How far all outputs are from ours.
    pub steps: Steps,
}

/// How many values differ by how many int8 steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps(pub BTreeMap<i32, usize>);

impl Steps {
    /// The largest difference.
    pub fn largest(&self) -> i32 {
        self.0.keys().next_back().copied().unwrap_or(0)
    }

    /// The share of values that differ by at most `most` steps.
    pub fn share_within(&self, most: i32) -> f64 {
        let within: usize = self.0.range(..=most).map(|(_, count)| count).sum();
        within as f64 / self.0.values().sum::<usize>() as f64
    }

    /// Counts those of `other` too.
    pub fn add(&mut self, other: &Self) {
        for (&steps, count) in &other.0 {
            *self.0.entry(steps).or_default() += count;
        }
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: usize = self.0.values().sum();
        write!(f, "{total} values:")?;
        self.0.iter().try_for_each(|(steps, count)| write!(f, " {count} by {steps}"))
    }
}

impl Elsewhere {
    /// No models yet.
    ///
    /// # Panics
    ///
    /// When there can be no temporary folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), cases: Vec::new() }
    }

    /// Adds a model with its samples, `[sample][input]`, for the tools that round as it does; gives what their
    /// formats cannot express of it.
    ///
    /// # Panics
    ///
    /// When the runtime cannot run it.
    pub fn add(
        &mut self,
        name: &str,
        graph: &QuantizedGraph,
        samples: &[Vec<Vec<u8>>],
    ) -> Vec<(Tool, ExportError)> {
        let mut session = HostSession::new(graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        let outputs = samples.iter().map(|inputs| session.run(inputs)).collect();
        for (index, &id) in graph.inputs.iter().enumerate() {
            let raw: Vec<u8> = samples.iter().flat_map(|inputs| &inputs[index]).copied().collect();
            let quantization = &graph.tensor(id).quantization;
            let real = |&raw: &i8| (i32::from(raw) - quantization.zero_point()) as f32 * quantization.scale();
            let reals: Vec<f32> = cast_slice::<u8, i8>(&raw).iter().map(real).collect();
            self.write(&format!("{name}.in{index}.bin"), &raw);
            self.write(&format!("{name}.real{index}.bin"), cast_slice(&reals));
        }
        let mut case = Case { name: name.to_owned(), graph: graph.clone(), outputs, exported: Vec::new() };
        let mut refusals = Vec::new();
        for &tool in Tool::that_round(graph.rounding) {
            match tool.export(graph) {
                Ok(file) => {
                    self.write(&format!("{name}.{}", tool.extension()), &file);
                    case.exported.push(tool);
                }
                Err(error) => refusals.push((tool, error)),
            }
        }
        self.cases.push(case);
        refusals
    }

    /// Runs every model; nothing where there is no Python.
    ///
    /// # Panics
    ///
    /// When a tool does not execute a file.
    pub fn run(&self) -> Option<Vec<Answers>> {
        let interpreter = python::interpreter()?;
        python::run(&interpreter, "run_models.py", &[self.folder.path()]);
        let cases = self.cases.iter();
        Some(cases.flat_map(|case| case.exported.iter().map(|&tool| self.answers(case, tool))).collect())
    }

    fn answers(&self, case: &Case, tool: Tool) -> Answers {
        let mut steps = Steps::default();
        let mut first = None;
        for (index, &id) in case.graph.outputs.iter().enumerate() {
            let ours: Vec<Vec<i8>> =
                case.outputs.iter().map(|outputs| cast_slice(&outputs[index]).to_vec()).collect();
            let path = format!("{}.{}.out{index}.bin", case.name, tool.extension());
            let bytes = fs::read(self.folder.path().join(path)).expect("the script wrote it");
            let theirs = values(&bytes, tool, &case.graph, id);
            assert_eq!(theirs.len(), ours.len() * ours[0].len(), "{}", case.name);
            for (&ours, &theirs) in ours.iter().flatten().zip(&theirs) {
                *steps.0.entry((i32::from(ours) - i32::from(theirs)).abs()).or_default() += 1;
            }
            let theirs = theirs.chunks(ours[0].len()).map(<[i8]>::to_vec).collect();
            first.get_or_insert((ours, theirs));
        }
        let (ours, theirs) = first.expect("a model has an output");
        Answers { name: case.name.clone(), tool, ours, theirs, steps }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(Path::new(self.folder.path()).join(name), bytes).expect("the folder is ours");
    }
}

impl Default for Elsewhere {
    fn default() -> Self {
        Self::new()
    }
}

/// A tool's output as int8.
fn values(bytes: &[u8], tool: Tool, graph: &QuantizedGraph, output: TensorId) -> Vec<i8> {
    match tool {
        Tool::Tflite => cast_slice(bytes).to_vec(),
        Tool::OnnxRuntime => {
            let quantization = &graph.tensor(output).quantization;
            let real = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            real.map(|real| quantize(real, quantization) as i8).collect()
        }
    }
}
