//! TFLite_Detection_PostProcess in float files: what is put out is what its definition says, and int8 finds the same boxes.

use edgepkg_quantize::assign_int8::Int16Layers;
use edgepkg_quantize::graph::FloatGraph;
use edgepkg_quantize::import::tflite;
use edgepkg_quantize::interpret::Interpreter;
use edgepkg_quantize::pipeline::{Options, quantize};
use edgepkg_quantize::samples::{Array, Samples};
use edgepkg_quantize::simplify::simplify;
use edgepkg_quantize::simulate::{Simulator, dequantize_values, quantize_values};
use edgepkg_tests::tflite_file::{FileGraph, FileOperator, FileTensor, file, kind};

/// Boxes, of a grid of anchors; classes, without the background; boxes that are put out.
const BOXES: usize = 16;
const CLASSES: usize = 3;
const MOST: usize = 5;

const OVERLAP: f32 = 0.5;
const SCORE: f32 = 0.25;

/// FlexBuffers' map of these numbers, whose names are sorted.
fn options(changed: Option<(&str, u32)>) -> Vec<u8> {
    let [int, float, flag] = [6, 14, 106];
    let numbers = [
        ("detections_per_class", 1, int),
        ("h_scale", 5f32.to_bits(), float),
        ("max_classes_per_detection", 1, int),
        ("max_detections", MOST as u32, int),
        ("nms_iou_threshold", OVERLAP.to_bits(), float),
        ("nms_score_threshold", SCORE.to_bits(), float),
        ("num_classes", CLASSES as u32, int),
        ("use_regular_nms", 0, flag),
        ("w_scale", 5f32.to_bits(), float),
        ("x_scale", 10f32.to_bits(), float),
        ("y_scale", 10f32.to_bits(), float),
    ];
    let mut bytes = Vec::new();
    let mut places = Vec::new();
    for (name, ..) in numbers {
        places.push(bytes.len());
        bytes.extend([name.as_bytes(), &[0]].concat());
    }
    bytes.push(numbers.len() as u8);
    let keys = bytes.len();
    for place in places {
        bytes.push((bytes.len() - place) as u8);
    }
    for word in [(bytes.len() - keys) as u32, 1, numbers.len() as u32] {
        bytes.extend(word.to_le_bytes());
    }
    let values = bytes.len();
    for (name, value, _) in numbers {
        let value = changed.filter(|(changed, _)| *changed == name).map_or(value, |(_, value)| value);
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(numbers.map(|(_, _, kind)| kind));
    bytes.extend([(bytes.len() - values) as u8, 38, 1]);
    bytes
}

/// Rows of centre and extents.
fn anchors() -> Vec<[f32; 4]> {
    let place = |index: usize| (0.5 + index as f32) / 4.0;
    (0..BOXES).map(|index| [place(index / 4), place(index % 4), 0.375, 0.25]).collect()
}

fn model(options: &[u8]) -> Vec<u8> {
    let float = |name, shape: &[i32]| FileTensor::new(name, kind::FLOAT32, shape);
    let (boxes, classes) = (BOXES as i32, CLASSES as i32);
    let tensors = vec![
        float("offsets", &[1, boxes, 4]),
        float("scores", &[1, boxes, classes + 1]),
        float("anchors", &[boxes, 4]).holding_reals(anchors().as_flattened()),
        float("boxes", &[]),
        float("classes", &[]),
        float("best", &[]),
        float("count", &[]),
    ];
    let operator = FileOperator::custom("TFLite_Detection_PostProcess", options, &[0, 1, 2], 3);
    let operators = vec![operator.and_output(4).and_output(5).and_output(6)];
    file(&[FileGraph { name: "detector", tensors, inputs: vec![0, 1], outputs: vec![3, 4, 5, 6], operators }])
}

fn graph() -> FloatGraph {
    tflite::read(&model(&options(None))).expect("a model file").into_float().expect("a float model")
}

/// Numbers within 0 to 1, always the same ones.
fn numbers(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    (0..count).map(|_| next()).collect()
}

/// Offsets and scores.
fn inputs(seed: u32) -> [Vec<f32>; 2] {
    let offsets = numbers(seed, 4 * BOXES).iter().map(|x| 4.0 * x - 2.0).collect();
    [offsets, numbers(seed + 1000, BOXES * (CLASSES + 1))]
}

/// A box that is put out: its corners, class and score.
type Found = ([f32; 4], usize, f32);

fn expected([offsets, scores]: &[Vec<f32>; 2]) -> Vec<Found> {
    let decoded = offsets.chunks(4).zip(anchors()).map(|(offset, [y, x, height, width])| {
        let (y, x) = (y + offset[0] / 10.0 * height, x + offset[1] / 10.0 * width);
        let (height, width) = (height * (offset[2] / 5.0).exp() / 2.0, width * (offset[3] / 5.0).exp() / 2.0);
        [y - height, x - width, y + height, x + width]
    });
    let mut all: Vec<Found> = decoded
        .zip(scores.chunks(CLASSES + 1))
        .map(|(corners, scores)| {
            let first = (0..CLASSES).rev().max_by(|&a, &b| scores[a + 1].total_cmp(&scores[b + 1]));
            let class = first.expect("there are classes");
            (corners, class, scores[class + 1])
        })
        .filter(|(.., score)| *score >= SCORE)
        .collect();
    all.sort_by(|a, b| b.2.total_cmp(&a.2));
    let mut found: Vec<Found> = Vec::new();
    for candidate in all {
        if found.len() < MOST && found.iter().all(|other| share(&candidate.0, &other.0) <= OVERLAP) {
            found.push(candidate);
        }
    }
    found
}

/// What two boxes have in common, of all that they cover.
fn share(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let area = |a: &[f32; 4]| (a[2] - a[0]).max(0.0) * (a[3] - a[1]).max(0.0);
    let common = area(&[a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    common / (area(a) + area(b) - common)
}

#[test]
fn the_best_boxes_are_put_out() {
    let graph = graph();
    for seed in 0..50 {
        let inputs = inputs(seed);
        let expected = expected(&inputs);
        for graph in [&graph, &simplify(graph.clone())] {
            let found = Interpreter::new(graph).run(&[&inputs[0], &inputs[1]], |_, _| ());
            assert_eq!(found[3], [expected.len() as f32], "{seed}");
            for place in 0..MOST {
                let (corners, class, score) = expected.get(place).copied().unwrap_or_default();
                let near = |found: &[f32], wanted: &[f32]| {
                    found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5)
                };
                assert!(near(&found[0][4 * place..], &corners), "{seed}: {found:?}, not {expected:?}");
                assert!(found[1][place] == class as f32 && near(&found[2][place..], &[score]), "{seed}");
            }
        }
    }
}

#[test]
fn int8_finds_the_same_boxes() {
    let graph = simplify(graph());
    let all: Vec<[Vec<f32>; 2]> = (0..100).map(inputs).collect();
    let arrays = [(0, [100, BOXES, 4]), (1, [100, BOXES, CLASSES + 1])].map(|(input, shape)| Array {
        shape: shape.to_vec(),
        elements: all.iter().flat_map(|inputs| inputs[input].clone()).collect(),
    });
    let samples = Samples::new(&graph, arrays.to_vec()).expect("they fit");
    for int16_layers in [Int16Layers::None, Int16Layers::All] {
        let options = Options { int16_layers, ..Options::default() };
        let quantized =
            quantize(graph.clone(), &samples, None, &options, &mut |_| {}).expect("it can be").graph;
        let mut simulator = Simulator::new(&quantized).expect("it can be lowered");
        let (mut there, mut same) = (0, 0);
        for inputs in &all {
            let raw = [0, 1].map(|at| quantize_values(&inputs[at], quantized.tensor(quantized.inputs[at])));
            simulator.run(&raw);
            let outputs = simulator.outputs();
            let real = |at: usize| dequantize_values(&outputs[at], quantized.tensor(quantized.outputs[at]));
            let (boxes, classes, count) = (real(0), real(1), real(3)[0].round() as usize);
            for (corners, class, _) in expected(inputs) {
                there += 1;
                let is_it = |place: usize| {
                    let found = std::array::from_fn(|at| boxes[4 * place + at]);
                    classes[place] == class as f32 && share(&found, &corners) > 0.9
                };
                same += usize::from((0..count.min(MOST)).any(is_it));
            }
        }
        println!("{same} of {there} boxes with {:?}", options.int16_layers);
        assert!(same * 100 >= there * 95, "{same} of {there} boxes with {:?}", options.int16_layers);
    }
}

#[test]
fn other_forms_are_refused() {
    let message =
        |changed| tflite::read(&model(&options(Some(changed)))).expect_err("it is refused").to_string();
    let of = |problem: &str| format!("TFLite_Detection_PostProcess `boxes` {problem}");
    let apart = "suppresses boxes for each class apart, which is not supported";
    assert_eq!(message(("use_regular_nms", 1)), of(apart));
    let several = "gives a box several classes, which is not supported";
    assert_eq!(message(("max_classes_per_detection", 2)), of(several));
    assert_eq!(message(("max_detections", 17)), of("gives more boxes or classes than there are"));
    assert_eq!(message(("num_classes", 0)), of("has a count below 1 or above 2^16"));
}
