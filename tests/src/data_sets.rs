//! What the zoo's float models are calibrated and tested with.

use std::path::Path;

use edgepkg::samples::{read_arrays, read_labels};
use edgepkg_quantize::graph::{FloatGraph, Tensor};
use edgepkg_quantize::pipeline::TestSet;
use edgepkg_quantize::samples::{Array, Samples};

use crate::pictures::pictures;

/// Data for one model.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// To observe ranges with.
    pub calibration: Samples,
    /// To compare float and int8 with: the model's test inputs, then those of `io/`. Labels may be fewer than
    /// samples.
    pub test: Samples,
    /// The right answers of the first test samples; empty where there are none.
    pub labels: Vec<usize>,
}

impl DataSet {
    /// The test samples that have labels; all of them where none has.
    pub fn test_set(&self, graph: &FloatGraph) -> TestSet {
        let count = if self.labels.is_empty() { self.test.count() } else { self.labels.len() };
        let elements = self.test.input(0)[..count * input_elements(graph)].to_vec();
        TestSet { samples: samples(graph, elements), labels: self.labels.clone() }
    }
}

/// The data of `model`, in the zoo at `zoo`, whose graph is `graph`.
///
/// # Panics
///
/// When files are missing or do not fit the model.
pub fn data_set(zoo: &Path, model: &str, graph: &FloatGraph) -> DataSet {
    let file = |owner: &str, file: &str| read(&zoo.join(owner).join("samples").join(file));
    let labels = |owner: &str, file: &str| {
        read_labels(&zoo.join(owner).join("samples").join(file)).expect("labels are whole numbers")
    };
    let (calibration, test, labels) = match model {
        "ad" => (windows(&file("ad", "calib_one_file_x_f32.npy")), Vec::new(), Vec::new()),
        "hello_world_sine" | "magic_wand" | "micro_speech" => {
            (file(model, "calib_x_f32.npy"), file(model, "eval_x_f32.npy"), Vec::new())
        }
        "ic" => {
            let test = file("ic", "test_jpeg_x_u8.npy");
            (file("ic", "calib_jpeg_x_u8.npy"), test, labels("ic", "test_jpeg_y.npy"))
        }
        "mnist_cntk" | "mnist_emlearn" => {
            let share = |file: Vec<f32>| file.iter().map(|value| value / 255.0).collect();
            let test = share(file(model, "test_x_u8.npy"));
            (share(file(model, "calib_x_u8.npy")), test, labels(model, "test_y.npy"))
        }
        "vww" => (pictures(50, 7), pictures(100, 99), Vec::new()),
        _ => {
            let owner = if model == "kws_alibaba" { "kws" } else { model };
            let test = file(owner, "test_x_f32.npy");
            (file(owner, "calib_x_f32.npy"), test, labels(owner, "test_y.npy"))
        }
    };
    let cases = (0..3).map(|case| read(&zoo.join(model).join(format!("io/case{case}_in0.npy"))));
    let test = test.into_iter().chain(cases.flatten()).collect();
    DataSet { calibration: samples(graph, calibration), test: samples(graph, test), labels }
}

/// Every window of five rows in a spectrogram of 200 rows of 128: what anomaly detection looks at.
fn windows(spectrogram: &[f32]) -> Vec<f32> {
    spectrogram.windows(5 * 128).step_by(128).flatten().copied().collect()
}

fn read(path: &Path) -> Vec<f32> {
    let mut arrays = read_arrays(&[path.to_owned()]).expect("the zoo holds this file");
    arrays.remove(0).elements
}

fn input_elements(graph: &FloatGraph) -> usize {
    graph.tensor(graph.inputs[0]).len()
}

/// Samples of a model with one input.
fn samples(graph: &FloatGraph, elements: Vec<f32>) -> Samples {
    let count = elements.len() / input_elements(graph);
    let shape = [&[count], graph.tensor(graph.inputs[0]).shape()].concat();
    Samples::new(graph, vec![Array { shape, elements }]).expect("the zoo's samples fit its models")
}
