//! `v1.epa`: an artifact with every kind of record that all instruction sets compute.
//! `v1-armv7em.epa`: one with the kinds that only the DSP extension computes. Both are frozen with version 1 of the
//! format.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::artifact::{Digest, stated_bytes};
use edgepkg_format::info::OperatorSet;
use edgepkg_format::plan::{
    Add, AveragePool2d, ChannelParameters, Clamp, Conv2d, DepthwiseConv2d, Fill, FullyConnected, Image,
    Lookup, MaxPool2d, Mean, Mul, PackedConv2d, PackedDepthwiseConv2d, PackedFullyConnected, PackedRounding,
    PlanEntry, Requantize, Rounding, Scale, Softmax, StridedCopy, Traversal, Window,
};
use edgepkg_format::tensor::Shape;
use edgepkg_format::write::{Contents, PortDescription};
use edgepkg_format::{Artifact, DType, Isa, OperatorKind, Record, Space, TensorRef};

use crate::{assert_same, whole};

const GOLDEN: &[u8] = include_bytes!("v1.epa");
const PACKED: &[u8] = include_bytes!("v1-armv7em.epa");

const INT8: Clamp = Clamp { min: -128, max: 127 };
const HALF: Scale = Scale { multiplier: 1 << 30, shift: 0 };
const GRAPH_DIGEST: Digest = *b"digest of the quantized graph ..";
const ARENA_BYTES: u32 = 224;

fn arena(offset: u32) -> TensorRef {
    TensorRef::new(Space::Arena, DType::Int8, offset)
}

fn image(height: u32, width: u32, channels: u32) -> Image {
    Image { batches: 1, height, width, channels }
}

/// A window of `extent` rows and columns.
fn window(extent: u32, stride: u32, pad: u32) -> Window {
    Window {
        height: extent,
        width: extent,
        stride_height: stride,
        stride_width: stride,
        dilation_height: 1,
        dilation_width: 1,
        pad_top: pad,
        pad_left: pad,
    }
}

/// The constant section, as it grows.
#[derive(Default)]
struct Constants(Vec<u8>);

impl Constants {
    fn put(&mut self, dtype: DType, bytes: impl IntoIterator<Item = u8>) -> TensorRef {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        let offset = self.0.len() as u32;
        self.0.extend(bytes);
        TensorRef::new(Space::Const, dtype, offset)
    }

    fn weights(&mut self, count: u32) -> TensorRef {
        self.put(DType::Int8, (0..count).map(|i| (i * 37 + 11) as u8))
    }

    fn channels(&mut self, count: i32) -> TensorRef {
        let entries = (0..count).map(|channel| ChannelParameters {
            bias: 1000 * channel - 1500,
            scale: Scale { multiplier: (1 << 30) + 12_345_678 * channel, shift: -7 - channel % 2 },
        });
        self.put(DType::Int32, entries.flat_map(|entry| entry.to_bytes()))
    }

    fn stream(&mut self, words: u32) -> TensorRef {
        self.put(DType::Int32, (0..words).flat_map(|i| i.wrapping_mul(0x9e37_79b9).to_le_bytes()))
    }

    /// `q / 2`, as a table.
    fn table(&mut self) -> TensorRef {
        self.put(DType::Int8, (-128i32..128).map(|q| (q / 2) as u8))
    }
}

fn golden_plan() -> (Vec<PlanEntry>, Vec<u8>) {
    let mut constants = Constants::default();
    let plan: Vec<Record> = vec![
        Conv2d {
            input: arena(0),
            output: arena(32),
            weights: constants.weights(4 * 3 * 3 * 2),
            channels: constants.channels(4),
            input_image: image(4, 4, 2),
            output_image: image(4, 4, 4),
            window: window(3, 1, 1),
            groups: 1,
            input_zero_point: -3,
            output_zero_point: 5,
            clamp: INT8,
            rounding: Rounding::Twice,
        }
        .into(),
        Lookup { input: arena(32), output: arena(32), table: constants.table(), length: 64 }.into(),
        DepthwiseConv2d {
            input: arena(32),
            output: arena(96),
            weights: constants.weights(3 * 3 * 4),
            channels: constants.channels(4),
            input_image: image(4, 4, 4),
            output_image: image(4, 4, 4),
            window: window(3, 1, 1),
            input_zero_point: 5,
            output_zero_point: -7,
            clamp: Clamp { min: -7, max: 127 },
            rounding: Rounding::Twice,
        }
        .into(),
        Add {
            a: arena(32),
            b: arena(96),
            output: arena(160),
            dims: [1, 1, 1, 4, 4, 4],
            a_strides: [0, 0, 0, 16, 4, 1],
            b_strides: [0, 0, 0, 16, 4, 1],
            a_zero_point: 5,
            b_zero_point: -7,
            left_shift: 20,
            a_scale: HALF,
            b_scale: Scale { multiplier: 1_500_000_000, shift: -1 },
            output_scale: Scale { multiplier: 1_300_000_000, shift: -18 },
            output_zero_point: 1,
            clamp: INT8,
            rounding: Rounding::Twice,
        }
        .into(),
        AveragePool2d {
            input: arena(160),
            output: arena(0),
            input_image: image(4, 4, 4),
            output_image: image(2, 2, 4),
            window: window(2, 2, 0),
            clamp: INT8,
            zero_point: 1,
            rounding: Rounding::Once,
        }
        .into(),
        MaxPool2d {
            input: arena(160),
            output: arena(16),
            input_image: image(4, 4, 4),
            output_image: image(2, 2, 4),
            window: window(3, 2, 0),
            clamp: INT8,
        }
        .into(),
        Mul {
            a: arena(0),
            b: arena(16),
            output: arena(32),
            dims: [1, 1, 1, 2, 2, 4],
            a_strides: [0, 0, 0, 8, 4, 1],
            b_strides: [0, 0, 0, 0, 0, 1],
            a_zero_point: 1,
            b_zero_point: 1,
            output_scale: Scale { multiplier: 1_400_000_000, shift: -5 },
            output_zero_point: -20,
            clamp: INT8,
            rounding: Rounding::Twice,
        }
        .into(),
        Fill { output: arena(64), length: 36, value: -20 }.into(),
        StridedCopy {
            input: arena(32 + 4),
            output: arena(64),
            dims: [1, 1, 1, 2, 2, 4],
            input_strides: [0, 0, 0, 8, -4, 1],
            output_strides: [0, 0, 0, 12, 4, 1],
        }
        .into(),
        Mean {
            input: arena(64),
            output: arena(112),
            kept: [1, 1, 1, 1, 1, 4],
            kept_strides: [0, 0, 0, 0, 0, 1],
            reduced: [1, 1, 1, 1, 3, 3],
            reduced_strides: [0, 0, 0, 0, 12, 4],
            bias: -20 * 9,
            scale: Scale { multiplier: 1_908_874_353, shift: -2 },
            output_zero_point: 3,
            rounding: Rounding::Once,
        }
        .into(),
        FullyConnected {
            input: arena(112),
            output: arena(128),
            weights: constants.weights(5 * 4),
            channels: constants.channels(5),
            rows: 1,
            input_depth: 4,
            output_depth: 5,
            output_zero_point: 9,
            clamp: INT8,
            rounding: Rounding::Twice,
        }
        .into(),
        Requantize {
            input: arena(128),
            output: TensorRef::new(Space::Arena, DType::Int16, 136),
            length: 5,
            input_zero_point: 9,
            scale: Scale { multiplier: 1_200_000_000, shift: 8 },
            output_zero_point: 0,
            rounding: Rounding::Twice,
        }
        .into(),
        Softmax {
            input: arena(128),
            output: arena(152),
            rows: 1,
            depth: 5,
            scale: Scale { multiplier: 1 << 30, shift: 24 },
            diff_min: -124,
        }
        .into(),
    ];
    (in_order(plan), constants.0)
}

/// Each record as a layer of its own.
fn in_order(plan: Vec<Record>) -> Vec<PlanEntry> {
    let entries =
        plan.into_iter().enumerate().map(|(index, record)| PlanEntry { layer: index as u32, record });
    entries.collect()
}

/// The plan and constants of `v1-armv7em.epa`, and the bytes of its arena.
fn packed_plan() -> (Vec<PlanEntry>, Vec<u8>, u32) {
    let mut constants = Constants::default();
    let scratch = |offset| TensorRef::new(Space::Arena, DType::Int32, offset);
    let mut conv2d = PackedConv2d {
        input: arena(0),
        output: arena(32),
        stream: arena(0),
        scratch: scratch(160),
        input_image: image(4, 4, 2),
        output_image: image(4, 4, 6),
        window: window(3, 1, 1),
        input_zero_point: -3,
        rounding: PackedRounding::Twice,
        clamp: INT8,
    };
    conv2d.stream = constants.stream(conv2d.stream_words());
    let mut depthwise = PackedDepthwiseConv2d {
        input: arena(32),
        output: arena(32),
        stream: arena(0),
        scratch: scratch(160),
        input_image: image(4, 4, 6),
        output_image: image(2, 2, 6),
        window: window(3, 2, 0),
        input_zero_point: 5,
        rounding: PackedRounding::Fused,
        traversal: Traversal::Columns,
        strip: 2,
        clamp: Clamp { min: -7, max: 127 },
    };
    depthwise.stream = constants.stream(depthwise.stream_words());
    let mut fully_connected = PackedFullyConnected {
        input: arena(32),
        output: arena(152),
        stream: arena(0),
        rows: 1,
        input_depth: 24,
        output_depth: 5,
        rounding: PackedRounding::Fused,
        clamp: INT8,
    };
    fully_connected.stream = constants.stream(fully_connected.stream_words());
    let scratch_words = conv2d.scratch_words().max(depthwise.scratch_words());
    let plan = vec![conv2d.into(), depthwise.into(), fully_connected.into()];
    (in_order(plan), constants.0, 160 + 4 * scratch_words)
}

fn ports() -> (Vec<PortDescription>, Vec<PortDescription>) {
    let input = PortDescription {
        name: "image".into(),
        tensor: arena(0),
        shape: Shape::from_slice(&[1, 4, 4, 2]).unwrap(),
        scale: 0.0078125,
        zero_point: -3,
        labels: vec![],
    };
    let scores = PortDescription {
        name: "scores".into(),
        tensor: arena(152),
        shape: Shape::from_slice(&[1, 5]).unwrap(),
        scale: 1.0 / 256.0,
        zero_point: -128,
        labels: ["yes", "no", "up", "down", "größer"].map(String::from).to_vec(),
    };
    let logits = PortDescription {
        name: "logits".into(),
        tensor: TensorRef::new(Space::Arena, DType::Int16, 136),
        shape: Shape::from_slice(&[5]).unwrap(),
        scale: 0.25,
        zero_point: 0,
        labels: vec![],
    };
    (vec![input], vec![scores, logits])
}

#[test]
fn the_writer_still_writes_it() {
    let (plan, constants) = golden_plan();
    let (inputs, outputs) = ports();
    let written = Contents {
        isa: Isa::Portable,
        name: "golden",
        version: "1.0.0",
        run_bytes: ARENA_BYTES,
        inputs: &inputs,
        outputs: &outputs,
        plan: &plan,
        constants: &constants,
        state: &[],
        graph_digest: GRAPH_DIGEST,
    }
    .write();
    assert_same(&written, GOLDEN);
}

#[test]
fn packed_kinds_are_still_written_and_read() {
    let (plan, constants, arena_bytes) = packed_plan();
    let (inputs, outputs) = ports();
    let written = Contents {
        isa: Isa::Armv7em,
        name: "packed",
        version: "1.0.0",
        run_bytes: arena_bytes,
        inputs: &inputs,
        outputs: &outputs[..1],
        plan: &plan,
        constants: &constants,
        state: &[],
        graph_digest: GRAPH_DIGEST,
    }
    .write();
    assert_same(&written, PACKED);
    let bytes = AlignedBytes::from(PACKED);
    let artifact = whole(&bytes);
    assert_eq!(artifact.isa(), Isa::Armv7em);
    assert_eq!(artifact.plan().collect::<Result<Vec<_>, _>>().unwrap(), plan);
    assert_eq!(artifact.constants(), constants);
    assert_eq!(artifact.info().operators.iter().count(), plan.len());
}

#[test]
fn the_reader_still_reads_it() {
    let bytes = AlignedBytes::from(GOLDEN);
    let artifact = whole(&bytes);
    assert_eq!(stated_bytes(&bytes), Ok(GOLDEN.len()));
    assert_eq!(artifact.isa(), Isa::Portable);
    assert_eq!(artifact.graph_digest(), &GRAPH_DIGEST);
    assert_eq!(artifact.arena_bytes(), ARENA_BYTES);

    let (plan, constants) = golden_plan();
    assert_eq!(artifact.plan().collect::<Result<Vec<_>, _>>().unwrap(), plan);
    assert_eq!(artifact.constants(), constants);

    let info = artifact.info();
    assert_eq!((info.name, info.version, info.arena_bytes), ("golden", "1.0.0", ARENA_BYTES));
    let all = OperatorKind::ALL.iter().copied();
    assert!(info.operators.iter().eq(all.filter(|&kind| kind as u16 <= 13)));
    assert!(OperatorSet::EMPTY.without(info.operators).is_empty());
    let (inputs, outputs) = ports();
    for (stated, expected) in [(info.inputs, inputs), (info.outputs, outputs)] {
        assert_eq!(stated.len(), expected.len());
        for (index, expected) in expected.iter().enumerate() {
            let port = stated.get(index).unwrap();
            assert_eq!(port.name, expected.name);
            assert_eq!(port.tensor, expected.tensor);
            assert_eq!(port.shape, expected.shape);
            assert_eq!((port.scale, port.zero_point), (expected.scale, expected.zero_point));
            assert!(port.labels.iter().eq(expected.labels.iter().map(String::as_str)));
        }
        assert_eq!(stated.get(expected.len()), None);
    }
}

#[test]
fn bytes_after_it_are_ignored() {
    let mut longer = GOLDEN.to_vec();
    longer.extend_from_slice(b"a signature, one day");
    let bytes = AlignedBytes::from(&longer[..]);
    let artifact = Artifact::parse(&bytes).unwrap();
    assert_eq!(artifact.bytes(), GOLDEN);
    artifact.verify_digest().unwrap();
}
