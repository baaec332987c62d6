//! Models of many kinds, trained on digits: quantized by the command line as a user would, int8 answers as the float model
//! does, and every byte is the same on an emulated Cortex-M4.

#![cfg(feature = "onnx")]

use std::path::{Path, PathBuf};
use std::process::Command;

use edgepkg_quantize::tensor_file;
use serde_json::Value;
use tempfile::TempDir;

/// int8 answers fewer samples right than the float model by less than this share of all.
const MOST_LOST: f64 = 0.01;
/// Where there are no answers to count, the signal is at least so far above the noise.
const LEAST_DECIBELS: f64 = 30.0;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits").join(name)
}

/// What ONNX Runtime counts of the float model.
fn float_count(model: &str, key: &str) -> f64 {
    let text = std::fs::read_to_string(data(&format!("{model}/float.toml"))).expect("it is there");
    let counts: toml::Table = text.parse().expect("a table");
    counts[key].as_integer().expect("a number") as f64
}

fn values(path: &Path) -> Vec<f32> {
    tensor_file::read(path).unwrap_or_else(|error| panic!("{error}")).to_f32()
}

/// A model's package, in a folder of its own.
struct Packaged {
    folder: TempDir,
    /// Names of the test samples' files.
    test: Vec<PathBuf>,
    /// What `edgepkg quantize` says.
    report: Value,
}

impl Packaged {
    /// Quantizes `model` with samples of its own, or of `images`.
    fn new(model: &str, inputs: &[&str], more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let of_model = data(&format!("{model}/calibration_{}.npy", inputs[0])).exists();
        let samples = if of_model { model } else { "images" };
        let files = |role: &str| -> Vec<PathBuf> {
            inputs.iter().map(|input| data(&format!("{samples}/{role}_{input}.npy"))).collect()
        };
        let mut arguments = vec!["quantize".into(), data(&format!("{model}/model.onnx"))];
        for (option, role) in [("--calibration", "calibration"), ("--test", "test")] {
            for file in files(role) {
                arguments.extend([option.into(), file]);
            }
        }
        if more.contains(&"--labels") {
            arguments.extend(["--labels".into(), data(&format!("{samples}/test_y.npy"))]);
        }
        arguments.extend(["--name".into(), model.replace('_', "-").into()]);
        arguments.extend(["-o".into(), "model.edgepkg".into()]);
        let mut packaged = Self { folder, test: files("test"), report: Value::Null };
        packaged.report = packaged.edgepkg(&arguments);
        println!("{model}: {} {} dB", packaged.report["accuracy"], packaged.report["sqnr_db"]);
        packaged
    }

    /// What a command says with `--json`.
    fn edgepkg(&self, arguments: &[PathBuf]) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_edgepkg-under-test"))
            .args(arguments)
            .arg("--json")
            .current_dir(self.folder.path())
            .output()
            .expect("it can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// What the package answers to the test samples on this computer, output by output.
    fn answers(&self, outputs: &[&str]) -> Vec<Vec<f32>> {
        let mut arguments: Vec<PathBuf> = vec!["run".into(), "model.edgepkg".into()];
        arguments.extend(self.test.iter().flat_map(|file| ["--input".into(), file.clone()]));
        arguments.extend(outputs.iter().flat_map(|&output| ["--output".into(), output.into()]));
        self.edgepkg(&arguments);
        outputs.iter().map(|output| values(&self.folder.path().join(output))).collect()
    }

    /// The float and the int8 model answer the labelled samples alike, but for a few.
    #[track_caller]
    fn answers_as_the_float_model(&self, model: &str) {
        let accuracy = &self.report["accuracy"];
        let share = |key: &str| accuracy[key].as_f64().expect("there are labels");
        assert_eq!((share("float") * share("samples")).round(), float_count(model, "correct"));
        assert!(share("int8") > share("float") - MOST_LOST, "{model}: {accuracy}");
    }

    #[track_caller]
    fn is_near_the_float_model(&self) {
        let decibels = self.report["sqnr_db"].as_f64().expect("there is a float model");
        assert!(decibels >= LEAST_DECIBELS, "{decibels:.1} dB");
    }

    #[track_caller]
    fn is_the_same_on_an_emulated_board(&self) {
        let arguments = ["test", "model.edgepkg", "--board", "qemu-cortex-m4"].map(PathBuf::from);
        let result = self.edgepkg(&arguments);
        assert_eq!(result["equal"], true, "{result}");
        assert!(result["vectors"].as_u64() >= Some(4), "{result}");
    }
}

/// A model whose first output has a score for each class.
fn check_classifier(model: &str, input: &str) {
    let packaged = Packaged::new(model, &[input], &["--labels"]);
    packaged.answers_as_the_float_model(model);
    packaged.is_the_same_on_an_emulated_board();
}

#[test]
fn a_vision_transformer() {
    check_classifier("vit", "x");
}

#[test]
fn an_lstm_that_reads_row_by_row() {
    check_classifier("lstm", "x");
}

#[test]
fn a_gru_that_reads_row_by_row() {
    check_classifier("gru", "x");
}

#[test]
fn a_bert_shaped_classifier_of_words() {
    check_classifier("bert", "input_ids");
}

#[test]
fn a_gru_that_is_handed_its_state() {
    let packaged = Packaged::new("streaming_gru", &["row", "h_in"], &[]);
    packaged.is_near_the_float_model();
    packaged.is_the_same_on_an_emulated_board();
}

#[test]
fn a_u_net() {
    let packaged = Packaged::new("unet", &["x"], &[]);
    packaged.is_near_the_float_model();
    let masks = packaged.answers(&["mask.npy"]).remove(0);
    let wanted = values(&data("unet/test_y.npy"));
    let ink = wanted.iter().flat_map(|&byte| (0..8).map(move |bit| byte as u8 >> (7 - bit) & 1 == 1));
    let correct = masks.iter().zip(ink).filter(|&(&logit, ink)| (logit > 0.0) == ink).count();
    let lost = (float_count("unet", "correct_pixels") - correct as f64) / masks.len() as f64;
    assert!(lost < MOST_LOST, "{lost} of all pixels");
    packaged.is_the_same_on_an_emulated_board();
}

#[test]
fn a_recommender_of_two_tables() {
    let packaged = Packaged::new("recommender", &["history", "candidate"], &[]);
    packaged.is_near_the_float_model();
    let probabilities = packaged.answers(&["probability.npy"]).remove(0);
    let belongs = values(&data("recommender/test_y.npy"));
    let pairs = probabilities.iter().zip(&belongs);
    let correct = pairs.filter(|&(&probability, &belongs)| (probability > 0.5) == (belongs == 1.0)).count();
    let lost = (float_count("recommender", "correct") - correct as f64) / belongs.len() as f64;
    assert!(lost < MOST_LOST, "{lost} of all pairs");
    packaged.is_the_same_on_an_emulated_board();
}

/// Rows of top, left, bottom, right and digit that a picture holds.
type Truth = Vec<([f32; 4], usize)>;

/// The part of both boxes that they have in common.
fn overlap(a: &[f32], b: &[f32; 4]) -> f32 {
    let low = [a[0].max(b[0]), a[1].max(b[1])];
    let high = [a[2].min(b[2]), a[3].min(b[3])];
    let area = |low: [f32; 2], high: [f32; 2]| (high[0] - low[0]).max(0.0) * (high[1] - low[1]).max(0.0);
    let common = area(low, high);
    common / (area([a[0], a[1]], [a[2], a[3]]) + area([b[0], b[1]], [b[2], b[3]]) - common)
}

#[test]
fn a_detector_with_non_maximum_suppression() {
    let packaged = Packaged::new("detector", &["x"], &[]);
    let answers = packaged.answers(&["boxes.npy", "scores.npy", "selected.npy"]);
    let truth = values(&data("detector/test_y.npy"));
    let pictures = truth.len() / 12;
    let [boxes, selected] = [0, 2].map(|output| answers[output].chunks(answers[output].len() / pictures));
    let (mut digits, mut found, mut wrong) = (0.0, 0.0, 0.0);
    for ((boxes, selected), truth) in boxes.zip(selected).zip(truth.chunks(12)) {
        let there = truth.chunks(4).filter(|row| row[3] != 255.0);
        let mut wanted: Truth =
            there.map(|row| ([row[0], row[1], row[0] + row[2], row[1] + row[2]], row[3] as usize)).collect();
        digits += wanted.len() as f64;
        for chosen in selected.chunks(3).take_while(|row| row[2] >= 0.0) {
            let own = &boxes[4 * chosen[2] as usize..][..4];
            let fits = |(place, digit): &([f32; 4], usize)| {
                *digit == chosen[1] as usize && overlap(own, place) >= 0.5
            };
            match wanted.iter().position(fits) {
                Some(index) => {
                    wanted.remove(index);
                    found += 1.0;
                }
                None => wrong += 1.0,
            }
        }
    }
    assert_eq!(digits, float_count("detector", "digits"));
    let lost = (float_count("detector", "found") - found) / digits;
    let more_wrong = (wrong - float_count("detector", "false_detections")) / digits;
    println!("detector: {found} of {digits} digits found, {wrong} detections of none");
    assert!(lost < MOST_LOST && more_wrong < MOST_LOST, "{lost} lost, {more_wrong} more are wrong");
    packaged.is_the_same_on_an_emulated_board();
}
