//! Every kind of record, word by word: each field holds its own position in words, as `FORMAT.md` gives
//! it.

use edgepkg_format::plan::{
    Accumulation, Add, ArgExtreme, AveragePool2d, BatchMatMul, Binary, BinaryFunction, BoxForm,
    ChannelParameters, Clamp, Conv2d, Conv2d16, CumulativeSum, DepthwiseConv2d, Direction, Extreme, Fill,
    FullyConnected, GateScales, Gather, Image, Interpolate16, LeakyRelu16, LogSoftmax, Lookup, Lstm,
    MaxPool2d, Mean, Mul, NonMaxSuppression, PackedConv2d, PackedDepthwiseConv2d, PackedFullyConnected,
    PackedRounding, PlanEntry, PlanError, PlanReader, RECORD_HEADER_BYTES, Recurrent, RecurrentCell,
    Requantize, ResizeBilinear, Rounding, Running, Scale, Select, SequenceOrder, Shown, Sigmoid, Sigmoid16,
    Softmax, Softmax16, StridedCopy, Svdf, TopIndices, TransposeConv2d, Traversal, WideChannelParameters,
    Window,
};
use edgepkg_format::{DType, OperatorKind, Record, Space, TensorRef};

const SPECIFICATION: &str = include_str!("../FORMAT.md");

const LAYER: u32 = 0x0403_0201;
/// The first word of the tests' tensor references: arena, int16.
const TAG: u32 = 0x0000_0101;

/// A reference whose second word is `at + 1`.
fn tensor(at: u32) -> TensorRef {
    TensorRef::new(Space::Arena, DType::Int16, at + 1)
}

fn image(at: u32) -> Image {
    Image { batches: at, height: at + 1, width: at + 2, channels: at + 3 }
}

fn window(at: u32) -> Window {
    Window {
        height: at,
        width: at + 1,
        stride_height: at + 2,
        stride_width: at + 3,
        dilation_height: at + 4,
        dilation_width: at + 5,
        pad_top: at + 6,
        pad_left: at + 7,
    }
}

fn scale(at: i32) -> Scale {
    Scale { multiplier: at, shift: at + 1 }
}

fn clamp(at: i32) -> Clamp {
    Clamp { min: at, max: at + 1 }
}

fn dims(at: u32) -> [u32; 6] {
    core::array::from_fn(|i| at + i as u32)
}

fn strides(at: i32) -> [i32; 6] {
    core::array::from_fn(|i| at + i as i32)
}

/// The encoding of a record whose fields hold their positions.
fn numbered_words(code: u16, words: u32, tensors: &[u32]) -> Vec<u8> {
    let length = RECORD_HEADER_BYTES as u16 + 4 * words as u16;
    let mut bytes = [code.to_le_bytes(), length.to_le_bytes()].concat();
    bytes.extend(LAYER.to_le_bytes());
    for at in 0..words {
        bytes.extend(if tensors.contains(&at) { TAG } else { at }.to_le_bytes());
    }
    bytes
}

fn check(record: impl Into<Record>, code: u16, words: u32, tensors: &[u32]) {
    let entry = PlanEntry { layer: LAYER, record: record.into() };
    check_words(entry, &numbered_words(code, words, tensors), tensors);
}

/// Of a record whose rounding is [`Rounding::Once`] and stands after `words` words.
fn check_with_rounding(record: impl Into<Record>, code: u16, words: u32, tensors: &[u32]) {
    check_with_choices(record, code, words + 1, tensors, &[Choice { at: words, value: 1, count: 2 }]);
}

/// A field that holds one of a few codes.
struct Choice {
    at: u32,
    /// The record's.
    value: u32,
    /// How many codes there are, from 0 on.
    count: u32,
}

fn check_with_choices(record: impl Into<Record>, code: u16, words: u32, tensors: &[u32], choices: &[Choice]) {
    let entry = PlanEntry { layer: LAYER, record: record.into() };
    let mut expected = numbered_words(code, words, tensors);
    let place = |choice: &Choice| {
        let first = RECORD_HEADER_BYTES + 4 * choice.at as usize;
        first..first + 4
    };
    for choice in choices {
        expected[place(choice)].copy_from_slice(&choice.value.to_le_bytes());
    }
    check_words(entry, &expected, tensors);
    let malformed = PlanError::Malformed { kind: entry.record.kind(), at: 0 };
    for choice in choices {
        let mut words = expected.clone();
        for code in 0..=u32::from(u16::MAX) {
            words[place(choice)].copy_from_slice(&code.to_le_bytes());
            let read: Vec<_> = PlanReader::new(&words).collect();
            assert_eq!(read == [Err(malformed)], code >= choice.count, "code {code} at {}", choice.at);
        }
    }
}

fn check_words(entry: PlanEntry, expected: &[u8], tensors: &[u32]) {
    assert_eq!(entry.encoded_bytes(), expected.len());
    let mut encoded = vec![0xee; expected.len()];
    entry.encode(&mut encoded);
    assert_eq!(encoded, expected, "{entry:?}");
    assert_eq!(PlanReader::new(expected).collect::<Vec<_>>(), [Ok(entry)]);

    let mut visited = Vec::new();
    entry.record.clone().for_each_tensor(&mut |tensor| visited.push(tensor.offset - 1));
    assert_eq!(visited, tensors, "references of {entry:?}");

    let kind = entry.record.kind();
    let code = u16::from_le_bytes([expected[0], expected[1]]);
    assert_eq!(OperatorKind::from_code(code), Some(kind));
    let heading = format!("### {code}: {} ({} bytes)\n", kind.name(), expected.len());
    assert!(SPECIFICATION.contains(&heading), "FORMAT.md has no heading {heading:?}");
}

#[test]
fn conv2d() {
    let record = Conv2d {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        groups: 24,
        input_zero_point: 25,
        output_zero_point: 26,
        clamp: clamp(27),
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 1, 29, &[0, 2, 4, 6]);
}

#[test]
fn depthwise_conv2d() {
    let record = DepthwiseConv2d {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        input_zero_point: 24,
        output_zero_point: 25,
        clamp: clamp(26),
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 2, 28, &[0, 2, 4, 6]);
}

#[test]
fn fully_connected() {
    let record = FullyConnected {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        rows: 8,
        input_depth: 9,
        output_depth: 10,
        output_zero_point: 11,
        clamp: clamp(12),
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 3, 14, &[0, 2, 4, 6]);
}

fn numbered_add() -> Add {
    Add {
        a: tensor(0),
        b: tensor(2),
        output: tensor(4),
        dims: dims(6),
        a_strides: dims(12),
        b_strides: dims(18),
        a_zero_point: 24,
        b_zero_point: 25,
        left_shift: 26,
        a_scale: scale(27),
        b_scale: scale(29),
        output_scale: scale(31),
        output_zero_point: 33,
        clamp: clamp(34),
        rounding: Rounding::Once,
    }
}

#[test]
fn add() {
    check_with_rounding(numbered_add(), 4, 36, &[0, 2, 4]);
}

fn numbered_mul() -> Mul {
    Mul {
        a: tensor(0),
        b: tensor(2),
        output: tensor(4),
        dims: dims(6),
        a_strides: dims(12),
        b_strides: dims(18),
        a_zero_point: 24,
        b_zero_point: 25,
        output_scale: scale(26),
        output_zero_point: 28,
        clamp: clamp(29),
        rounding: Rounding::Once,
    }
}

#[test]
fn mul() {
    check_with_rounding(numbered_mul(), 5, 31, &[0, 2, 4]);
}

fn numbered_average_pool2d() -> AveragePool2d {
    AveragePool2d {
        input: tensor(0),
        output: tensor(2),
        input_image: image(4),
        output_image: image(8),
        window: window(12),
        clamp: clamp(20),
        zero_point: 22,
        rounding: Rounding::Once,
    }
}

#[test]
fn average_pool2d() {
    check_with_rounding(numbered_average_pool2d(), 6, 23, &[0, 2]);
}

fn numbered_max_pool2d() -> MaxPool2d {
    MaxPool2d {
        input: tensor(0),
        output: tensor(2),
        input_image: image(4),
        output_image: image(8),
        window: window(12),
        clamp: clamp(20),
    }
}

#[test]
fn max_pool2d() {
    check(numbered_max_pool2d(), 7, 22, &[0, 2]);
}

fn numbered_mean() -> Mean {
    Mean {
        input: tensor(0),
        output: tensor(2),
        kept: dims(4),
        kept_strides: dims(10),
        reduced: dims(16),
        reduced_strides: dims(22),
        bias: 28,
        scale: scale(29),
        output_zero_point: 31,
        rounding: Rounding::Once,
    }
}

#[test]
fn mean() {
    check_with_rounding(numbered_mean(), 8, 32, &[0, 2]);
}

#[test]
fn softmax() {
    let record =
        Softmax { input: tensor(0), output: tensor(2), rows: 4, depth: 5, scale: scale(6), diff_min: 8 };
    check(record, 9, 9, &[0, 2]);
}

#[test]
fn lookup() {
    check(Lookup { input: tensor(0), output: tensor(2), table: tensor(4), length: 6 }, 10, 7, &[0, 2, 4]);
}

#[test]
fn fill() {
    check(Fill { output: tensor(0), length: 2, value: 3 }, 11, 4, &[0]);
}

#[test]
fn strided_copy() {
    let record = StridedCopy {
        input: tensor(0),
        output: tensor(2),
        dims: dims(4),
        input_strides: strides(10),
        output_strides: strides(16),
    };
    check(record, 12, 22, &[0, 2]);
}

#[test]
fn requantize() {
    let record = Requantize {
        input: tensor(0),
        output: tensor(2),
        length: 4,
        input_zero_point: 5,
        scale: scale(6),
        output_zero_point: 8,
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 13, 9, &[0, 2]);
}

#[test]
fn packed_conv2d() {
    let record = PackedConv2d {
        input: tensor(0),
        output: tensor(2),
        stream: tensor(4),
        scratch: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        input_zero_point: 24,
        rounding: PackedRounding::Fused,
        clamp: clamp(26),
    };
    let rounding = Choice { at: 25, value: 1, count: 2 };
    check_with_choices(record, 14, 28, &[0, 2, 4, 6], &[rounding]);
}

#[test]
fn packed_depthwise_conv2d() {
    let record = PackedDepthwiseConv2d {
        input: tensor(0),
        output: tensor(2),
        stream: tensor(4),
        scratch: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        input_zero_point: 24,
        rounding: PackedRounding::Fused,
        traversal: Traversal::Columns,
        strip: 27,
        clamp: clamp(28),
    };
    let rounding = Choice { at: 25, value: 1, count: 2 };
    let traversal = Choice { at: 26, value: 1, count: 2 };
    check_with_choices(record, 15, 30, &[0, 2, 4, 6], &[rounding, traversal]);
}

#[test]
fn packed_fully_connected() {
    let record = PackedFullyConnected {
        input: tensor(0),
        output: tensor(2),
        stream: tensor(4),
        rows: 6,
        input_depth: 7,
        output_depth: 8,
        rounding: PackedRounding::Fused,
        clamp: clamp(10),
    };
    check_with_choices(record, 16, 12, &[0, 2, 4], &[Choice { at: 9, value: 1, count: 2 }]);
}

#[test]
fn gather() {
    let record = Gather {
        input: tensor(0),
        output: tensor(2),
        indices: tensor(4),
        batches: 6,
        outer: 7,
        extent: 8,
        count: 9,
        inner: 10,
    };
    check(record, 17, 11, &[0, 2, 4]);
}

#[test]
fn binary() {
    let record = Binary {
        a: tensor(0),
        b: tensor(2),
        output: tensor(4),
        dims: dims(6),
        a_strides: dims(12),
        b_strides: dims(18),
        function: BinaryFunction::Minimum,
        a_zero_point: 25,
        b_zero_point: 26,
        left_shift: 27,
        a_scale: scale(28),
        b_scale: scale(30),
        output_scale: scale(32),
        output_zero_point: 34,
        clamp: clamp(35),
        rounding: Rounding::Once,
    };
    let function = Choice { at: 24, value: 3, count: 9 };
    let rounding = Choice { at: 37, value: 1, count: 2 };
    check_with_choices(record, 18, 38, &[0, 2, 4], &[function, rounding]);
    let choices = [Choice { at: 24, value: 3, count: 9 }, Choice { at: 37, value: 1, count: 2 }];
    check_with_choices(Record::Binary16(record), 55, 38, &[0, 2, 4], &choices);
}

#[test]
fn log_softmax() {
    let record = LogSoftmax {
        input: tensor(0),
        output: tensor(2),
        rows: 4,
        depth: 5,
        scale: scale(6),
        inverse_scale: scale(8),
        diff_min: 10,
    };
    check(record, 19, 11, &[0, 2]);
}

#[test]
fn resize_bilinear() {
    let record = ResizeBilinear {
        input: tensor(0),
        output: tensor(2),
        input_image: image(4),
        output_image: image(8),
        row_step: 12,
        row_offset: 13,
        column_step: 14,
        column_offset: 15,
    };
    check(record, 20, 16, &[0, 2]);
}

#[test]
fn transpose_conv2d() {
    let record = TransposeConv2d {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        input_zero_point: 24,
        output_zero_point: 25,
        clamp: clamp(26),
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 21, 28, &[0, 2, 4, 6]);
}

#[test]
fn batch_mat_mul() {
    let record = BatchMatMul {
        a: tensor(0),
        b: tensor(2),
        output: tensor(4),
        batches: dims(6),
        a_strides: dims(12),
        b_strides: dims(18),
        rows: 24,
        depth: 25,
        columns: 26,
        a_row_stride: 27,
        a_depth_stride: 28,
        b_depth_stride: 29,
        b_column_stride: 30,
        a_zero_point: 31,
        b_zero_point: 32,
        scale: scale(33),
        output_zero_point: 35,
        clamp: clamp(36),
        rounding: Rounding::Once,
    };
    check_with_rounding(record, 22, 38, &[0, 2, 4]);
    check_with_rounding(Record::BatchMatMul16(record), 54, 38, &[0, 2, 4]);
}

#[test]
fn cumulative_sum() {
    let record = CumulativeSum {
        input: tensor(0),
        output: tensor(2),
        outer: 4,
        count: 5,
        inner: 6,
        direction: Direction::Backward,
        running: Running::Excluding,
        input_zero_point: 9,
        left_shift: 10,
        input_scale: scale(11),
        start: 13,
        output_scale: scale(14),
        output_zero_point: 16,
        rounding: Rounding::Once,
    };
    let choices = [7, 8, 17].map(|at| Choice { at, value: 1, count: 2 });
    check_with_choices(record, 23, 18, &[0, 2], &choices);
}

#[test]
fn arg_extreme() {
    let (input, output, extreme) = (tensor(0), tensor(2), Extreme::Least);
    let record = ArgExtreme { input, output, outer: 4, count: 5, inner: 6, extreme };
    check_with_choices(record, 24, 8, &[0, 2], &[Choice { at: 7, value: 1, count: 4 }]);
}

#[test]
fn top_indices() {
    let (input, output, extreme) = (tensor(0), tensor(2), Extreme::Least);
    let record = TopIndices { input, output, rows: 4, depth: 5, count: 6, extreme };
    check_with_choices(record, 26, 8, &[0, 2], &[Choice { at: 7, value: 1, count: 4 }]);
}

#[test]
fn select() {
    let record = Select {
        condition: tensor(0),
        a: tensor(2),
        b: tensor(4),
        output: tensor(6),
        dims: dims(8),
        condition_strides: dims(14),
        a_strides: dims(20),
        b_strides: dims(26),
    };
    check(record, 25, 32, &[0, 2, 4, 6]);
}

#[test]
fn non_max_suppression() {
    let record = NonMaxSuppression {
        boxes: tensor(0),
        scores: tensor(2),
        output: tensor(4),
        batches: 6,
        classes: 7,
        count: 8,
        most: 9,
        form: BoxForm::Center,
        boxes_zero_point: 11,
        least_score: 12,
        overlap: 13,
    };
    check_with_choices(record, 30, 14, &[0, 2, 4], &[Choice { at: 10, value: 1, count: 2 }]);
}

#[test]
fn conv2d_of_int16() {
    let record = Conv2d16 {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        spread: [24, 25],
        groups: 26,
        accumulation: Accumulation::Wide,
        output_zero_point: 28,
        clamp: clamp(29),
    };
    check_with_choices(record, 40, 31, &[0, 2, 4, 6], &[Choice { at: 27, value: 1, count: 2 }]);
}

#[test]
fn functions_of_int16() {
    let (input, output, table) = (tensor(0), tensor(2), tensor(4));
    check(Softmax16 { input, output, tables: table, rows: 6, depth: 7, scale: scale(8) }, 41, 10, &[0, 2, 4]);
    let function = Sigmoid::Tanh;
    let sigmoid = Sigmoid16 { input, output, table, length: 6, function, multiplier: 8, shift: 9 };
    check_with_choices(sigmoid, 42, 10, &[0, 2, 4], &[Choice { at: 7, value: 1, count: 2 }]);
    let leaky_relu = LeakyRelu16 {
        input,
        output,
        length: 4,
        input_zero_point: 5,
        identity: scale(6),
        alpha: scale(8),
        output_zero_point: 10,
        clamp: clamp(11),
    };
    check(leaky_relu, 43, 13, &[0, 2]);
    check(Interpolate16 { input, output, table, length: 6 }, 44, 7, &[0, 2, 4]);
}

#[test]
fn svdf() {
    let record = Svdf {
        input: tensor(0),
        output: tensor(2),
        feature_weights: tensor(4),
        time_weights: tensor(6),
        bias: tensor(8),
        state: tensor(10),
        batches: 12,
        inputs: 13,
        units: 14,
        rank: 15,
        memory: 16,
        input_zero_point: 17,
        feature_scale: scale(18),
        state_zero_point: 20,
        output_scale: scale(21),
        output_zero_point: 23,
    };
    check(record, 52, 24, &[0, 2, 4, 6, 8, 10]);
}

#[test]
fn lstm() {
    let gate = |at| GateScales { input: scale(at), hidden: scale(at + 2) };
    let record = Lstm {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        biases: tensor(6),
        table: tensor(8),
        state: tensor(10),
        batches: 12,
        steps: 13,
        inputs: 14,
        units: 15,
        order: SequenceOrder::TimeMajor,
        accumulation: Accumulation::Wide,
        gates: [18, 22, 26, 30].map(gate),
        cell_scale: scale(34),
        cell_clamp: clamp(36),
        tanh_multiplier: 38,
        tanh_shift: 39,
        output_scale: scale(40),
        output_zero_point: 42,
    };
    let choices = [Choice { at: 16, value: 1, count: 2 }, Choice { at: 17, value: 1, count: 2 }];
    check_with_choices(record, 53, 43, &[0, 2, 4, 6, 8, 10], &choices);
}

#[test]
fn recurrent() {
    let record = Recurrent {
        input: tensor(0),
        output: tensor(2),
        weights: tensor(4),
        channels: tensor(6),
        table: tensor(8),
        state: tensor(10),
        batches: 12,
        steps: 13,
        inputs: 14,
        units: 15,
        order: SequenceOrder::TimeMajor,
        direction: Direction::Backward,
        cell: RecurrentCell::GruResetBefore,
        shown: Shown::LastStep,
        hidden_exponent: 20,
        cell_exponent: 21,
        output_scale: scale(22),
        output_zero_point: 24,
    };
    let choice = |at, value, count| Choice { at, value, count };
    let choices = [choice(16, 1, 2), choice(17, 1, 2), choice(18, 2, 5), choice(19, 1, 3)];
    check_with_choices(record, 60, 25, &[0, 2, 4, 6, 8, 10], &choices);
}

#[test]
fn kinds_of_int16_have_the_fields_of_those_of_int8() {
    let (add, mul) = (numbered_add(), numbered_mul());
    check_with_rounding(Record::Add16(add), 45, 36, &[0, 2, 4]);
    check_with_rounding(Record::Sub16(add), 46, 36, &[0, 2, 4]);
    check_with_rounding(Record::SquaredDifference16(add), 47, 36, &[0, 2, 4]);
    check_with_rounding(Record::Mul16(mul), 48, 31, &[0, 2, 4]);
    check_with_rounding(Record::Div(mul), 27, 31, &[0, 2, 4]);
    check_with_rounding(Record::AveragePool2d16(numbered_average_pool2d()), 49, 23, &[0, 2]);
    check(Record::MaxPool2d16(numbered_max_pool2d()), 50, 22, &[0, 2]);
    check_with_rounding(Record::Mean16(numbered_mean()), 51, 32, &[0, 2]);
}

#[test]
fn every_kind_is_known_by_its_code_and_specified() {
    let mut codes: Vec<u16> = OperatorKind::ALL.iter().map(|&kind| kind as u16).collect();
    codes.sort_unstable();
    assert_eq!(codes, (1..=27).chain([30]).chain(40..=55).chain([60]).collect::<Vec<_>>());
    assert!((0..=u16::MAX).all(|code| OperatorKind::from_code(code).is_some() == codes.contains(&code)));
    assert_eq!(
        SPECIFICATION.lines().filter(|line| line.starts_with("### ") && line.ends_with(" bytes)")).count(),
        codes.len()
    );
}

#[test]
fn negative_words_are_twos_complement() {
    let fill = Fill { output: TensorRef::new(Space::Const, DType::Int8, 0), length: 1, value: -2 };
    let entry = PlanEntry { layer: 0, record: fill.into() };
    let mut encoded = [0; 24];
    entry.encode(&mut encoded);
    assert_eq!(encoded, *b"\x0b\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\xfe\xff\xff\xff");
}

#[test]
fn codes_of_spaces_and_types() {
    let spaces = [Space::Const, Space::Arena, Space::State, Space::Parameter];
    let dtypes = [DType::Int8, DType::Int16, DType::Int32, DType::Int64, DType::Int4];
    for tag in 0..0x1_0000u32 {
        let mut words = numbered_words(11, 4, &[0]);
        words[8..12].copy_from_slice(&tag.to_le_bytes());
        let [space, dtype, ..] = tag.to_le_bytes();
        let expected = spaces.get(usize::from(space)).zip(dtypes.get(usize::from(dtype)));
        let entry = PlanReader::new(&words).next().unwrap();
        match (entry, expected) {
            (Ok(PlanEntry { record: Record::Fill(fill), .. }), Some((&space, &dtype))) => {
                assert_eq!((fill.output.space, fill.output.dtype), (space, dtype));
            }
            (Err(PlanError::Malformed { kind: OperatorKind::Fill, at: 0 }), None) => {}
            other => panic!("{tag:#x}: {other:?}"),
        }
    }
}

#[test]
fn channel_parameters() {
    let entry = ChannelParameters { bias: -2, scale: Scale { multiplier: 1 << 30, shift: -5 } };
    let bytes = *b"\xfe\xff\xff\xff\0\0\0\x40\xfb\xff\xff\xff";
    assert_eq!(entry.to_bytes(), bytes);
    assert_eq!(
        ChannelParameters::table(&[&bytes[..], &bytes, &[1]].concat()).collect::<Vec<_>>(),
        [entry; 2]
    );
}

#[test]
fn wide_channel_parameters() {
    let entry = WideChannelParameters { bias: -2 << 32, scale: Scale { multiplier: 1 << 30, shift: -5 } };
    let bytes = *b"\0\0\0\0\xfe\xff\xff\xff\0\0\0\x40\xfb\xff\xff\xff";
    assert_eq!(entry.to_bytes(), bytes);
    assert_eq!(
        WideChannelParameters::table(&[&bytes[..], &bytes, &[1]].concat()).collect::<Vec<_>>(),
        [entry; 2]
    );
}

/// What a reader finds in `section` after the fill and the lookup before it.
fn third(section: &[u8]) -> PlanError {
    let mut whole = numbered_words(11, 4, &[0]);
    whole.extend(numbered_words(10, 7, &[0, 2, 4]));
    whole.extend(section);
    let entries: Vec<_> = PlanReader::new(&whole).collect();
    assert_eq!(entries.len(), 3, "a reader ends with its first error");
    assert!(entries[0].is_ok() && entries[1].is_ok());
    entries[2].unwrap_err()
}

#[test]
fn a_bad_record_is_named_by_its_place() {
    const AT: u32 = 24 + 36;
    let good = numbered_words(9, 9, &[0, 2]);
    for length in 1..good.len() {
        assert_eq!(third(&good[..length]), PlanError::Truncated { at: AT });
    }

    let mut unknown = good.clone();
    unknown[0..2].copy_from_slice(&0x1234u16.to_le_bytes());
    assert_eq!(third(&unknown), PlanError::UnknownOperator { kind: 0x1234, at: AT });

    let malformed = PlanError::Malformed { kind: OperatorKind::Softmax, at: AT };
    for (byte, value) in [(2, 40), (8, 4), (9, 5), (10, 1), (11, 0x80)] {
        let mut damaged = good.clone();
        damaged[byte] = value;
        assert_eq!(third(&damaged), malformed, "byte {byte} = {value}");
    }
    for length in [0, 4, 7, 48] {
        let mut damaged = good.clone();
        damaged[2] = length;
        assert_eq!(third(&damaged), PlanError::Truncated { at: AT }, "length {length}");
    }
}
