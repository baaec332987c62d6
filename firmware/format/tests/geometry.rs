//! Which regions records touch, and which shapes they are refused for.

use edgepkg_format::plan::{
    Access, Accumulation, AveragePool2d, Clamp, Conv2d, Conv2d16, DepthwiseConv2d, Fill, FullyConnected,
    GeometryError, Image, Mean, Mul, Operand, PackedConv2d, PackedDepthwiseConv2d, PackedFullyConnected,
    PackedRounding, Rounding, Scale, Softmax, StridedCopy, Traversal, Window,
};
use edgepkg_format::{DType, Record, Space, TensorRef};

const CLAMP: Clamp = Clamp { min: -128, max: 127 };
const SCALE: Scale = Scale { multiplier: 1 << 30, shift: 0 };
const WINDOW: Window = Window {
    height: 3,
    width: 2,
    stride_height: 1,
    stride_width: 1,
    dilation_height: 1,
    dilation_width: 1,
    pad_top: 1,
    pad_left: 0,
};

fn arena(offset: u32) -> TensorRef {
    TensorRef::new(Space::Arena, DType::Int8, offset)
}

fn constant(offset: u32) -> TensorRef {
    TensorRef::new(Space::Const, DType::Int8, offset)
}

fn table(offset: u32) -> TensorRef {
    TensorRef::new(Space::Const, DType::Int32, offset)
}

/// The regions of `record` as (offset, bytes), inputs first.
fn regions(record: impl Into<Record>) -> Result<Vec<(u32, u32)>, GeometryError> {
    let operands = record.into().operands()?;
    let (output, inputs) = operands.split_last().unwrap();
    assert_eq!(output.access, Access::Write);
    assert!(inputs.iter().all(|input| input.access != Access::Write));
    Ok(operands.iter().map(|operand| (operand.tensor.offset, operand.bytes)).collect())
}

fn conv2d() -> Conv2d {
    Conv2d {
        input: arena(100),
        output: arena(200),
        weights: constant(300),
        channels: table(400),
        input_image: Image { batches: 2, height: 5, width: 7, channels: 6 },
        output_image: Image { batches: 2, height: 4, width: 3, channels: 9 },
        window: WINDOW,
        groups: 3,
        input_zero_point: 0,
        output_zero_point: 0,
        clamp: CLAMP,
        rounding: Rounding::Twice,
    }
}

fn conv2d_with(edit: impl FnOnce(&mut Conv2d)) -> Result<Vec<(u32, u32)>, GeometryError> {
    let mut record = conv2d();
    edit(&mut record);
    regions(record)
}

#[test]
fn conv2d_regions() {
    let expected =
        vec![(100, 2 * 5 * 7 * 6), (300, 9 * 3 * 2 * (6 / 3)), (400, 9 * 12), (200, 2 * 4 * 3 * 9)];
    assert_eq!(regions(conv2d()), Ok(expected));
}

#[test]
fn conv2d_shapes_agree() {
    let refused = |error, edit: fn(&mut Conv2d)| assert_eq!(conv2d_with(edit), Err(error));
    refused(GeometryError::Inconsistent, |op| op.groups = 0);
    refused(GeometryError::Inconsistent, |op| op.groups = 2);
    refused(GeometryError::Inconsistent, |op| op.groups = 6);
    refused(GeometryError::Inconsistent, |op| op.output_image.batches = 1);
    refused(GeometryError::Inconsistent, |op| op.input_image.height = 0);
    refused(GeometryError::Inconsistent, |op| op.output_image.channels = 0);
    refused(GeometryError::Inconsistent, |op| op.window.width = 0);
    refused(GeometryError::Inconsistent, |op| op.window.stride_height = 0);
    refused(GeometryError::Inconsistent, |op| op.window.dilation_width = 0);
    refused(GeometryError::WrongSpace, |op| op.weights = arena(0));
    refused(GeometryError::WrongSpace, |op| op.channels.space = Space::Arena);
    refused(GeometryError::WrongSpace, |op| op.output = constant(0));
    refused(GeometryError::WrongType, |op| op.channels = constant(0));
    refused(GeometryError::WrongType, |op| op.weights.dtype = DType::Int4);
    refused(GeometryError::WrongType, |op| op.input.dtype = DType::Int16);
    refused(GeometryError::Misaligned, |op| op.channels.offset += 2);
}

#[test]
fn convolutions_of_int16_spread_their_input() {
    let Conv2d { input_image, output_image, window, groups, .. } = conv2d();
    let wide = |offset| TensorRef::new(Space::Arena, DType::Int16, offset);
    let record = Conv2d16 {
        input: wide(100),
        output: wide(1000),
        weights: constant(300),
        channels: TensorRef::new(Space::Const, DType::Int64, 400),
        input_image,
        output_image,
        window,
        spread: [2, 3],
        groups,
        accumulation: Accumulation::Wide,
        output_zero_point: 0,
        clamp: CLAMP,
    };
    let expected = vec![(100, 2 * 420), (300, 9 * 3 * 2 * (6 / 3)), (400, 9 * 16), (1000, 2 * 2 * 4 * 3 * 9)];
    assert_eq!(regions(record), Ok(expected));
    let refused = |error, edit: fn(&mut Conv2d16)| {
        let mut record = record;
        edit(&mut record);
        assert_eq!(regions(record), Err(error));
    };
    refused(GeometryError::Inconsistent, |op| op.spread[1] = 0);
    refused(GeometryError::TooLarge, |op| op.spread[0] = 1 << 15);
    refused(GeometryError::Inconsistent, |op| op.groups = 2);
    refused(GeometryError::Misaligned, |op| op.input.offset += 1);
    refused(GeometryError::Misaligned, |op| op.channels.offset += 4);
    refused(GeometryError::WrongType, |op| op.output.dtype = DType::Int8);
    refused(GeometryError::WrongType, |op| op.channels.dtype = DType::Int32);
    refused(GeometryError::WrongSpace, |op| op.channels.space = Space::Arena);
}

#[test]
fn indices_stay_below_31_bits() {
    let refused = |edit: fn(&mut Conv2d)| assert_eq!(conv2d_with(edit), Err(GeometryError::TooLarge));
    refused(|op| op.window.pad_top = 0x8000);
    refused(|op| op.window.pad_left = u32::MAX);
    refused(|op| op.window.stride_width = 0x8000);
    refused(|op| op.window.dilation_height = 0x8000);
    refused(|op| op.window.height = 0x8000);
    refused(|op| op.output_image.height = 0x8000);
    refused(|op| op.input_image.width = 1 << 28);
    refused(|op| op.input_image.width = u32::MAX);
    let greatest = conv2d_with(|op| {
        op.input_image = Image { batches: 1, height: 1 << 28, width: 1, channels: 1 };
        op.output_image = Image { batches: 1, height: 1 << 14, width: 1 << 14, channels: 1 };
        op.groups = 1;
        op.weights.offset = u32::MAX - 6;
    });
    assert_eq!(greatest.unwrap()[3].1, 1 << 28);
}

#[test]
fn depthwise_and_fully_connected_regions() {
    let Conv2d { input, output, weights, channels, input_image, window, .. } = conv2d();
    let depthwise = |output_channels| {
        let output_image = Image { batches: 2, height: 4, width: 3, channels: output_channels };
        let (input_zero_point, output_zero_point, clamp) = (0, 0, CLAMP);
        regions(DepthwiseConv2d {
            input,
            output,
            weights,
            channels,
            input_image,
            output_image,
            window,
            input_zero_point,
            output_zero_point,
            clamp,
            rounding: Rounding::Twice,
        })
    };
    assert_eq!(depthwise(12), Ok(vec![(100, 420), (300, 3 * 2 * 12), (400, 144), (200, 288)]));
    assert_eq!(depthwise(9), Err(GeometryError::Inconsistent));

    let (rows, input_depth, output_depth) = (2, 5, 3);
    let record = FullyConnected {
        input,
        output,
        weights,
        channels,
        rows,
        input_depth,
        output_depth,
        output_zero_point: 0,
        clamp: CLAMP,
        rounding: Rounding::Twice,
    };
    assert_eq!(regions(record), Ok(vec![(100, 10), (300, 15), (400, 36), (200, 6)]));
}

/// Words of the arena.
fn scratch(offset: u32) -> TensorRef {
    TensorRef::new(Space::Arena, DType::Int32, offset)
}

fn packed_conv2d() -> PackedConv2d {
    let Conv2d { input, output, input_image, output_image, window, clamp, .. } = conv2d();
    PackedConv2d {
        input,
        output,
        stream: table(300),
        scratch: scratch(1000),
        input_image,
        output_image,
        window,
        input_zero_point: 0,
        rounding: PackedRounding::Twice,
        clamp,
    }
}

fn packed_depthwise_conv2d() -> PackedDepthwiseConv2d {
    let PackedConv2d { input, output, stream, scratch, clamp, .. } = packed_conv2d();
    PackedDepthwiseConv2d {
        input,
        output,
        stream,
        scratch,
        input_image: Image { batches: 2, height: 8, width: 5, channels: 6 },
        output_image: Image { batches: 2, height: 7, width: 3, channels: 6 },
        window: Window { height: 3, width: 3, ..WINDOW },
        input_zero_point: 0,
        rounding: PackedRounding::Fused,
        traversal: Traversal::Rows,
        strip: 2,
        clamp,
    }
}

fn packed_fully_connected() -> PackedFullyConnected {
    let PackedConv2d { input, output, stream, rounding, clamp, .. } = packed_conv2d();
    PackedFullyConnected { input, output, stream, rows: 2, input_depth: 12, output_depth: 9, rounding, clamp }
}

/// The regions of `record` after an edit.
fn edited<T: Into<Record>>(
    mut record: T,
    edit: impl FnOnce(&mut T),
) -> Result<Vec<(u32, u32)>, GeometryError> {
    edit(&mut record);
    regions(record)
}

#[test]
fn packed_regions() {
    // 3 rows of 12 inputs are 9 units; 9 channels are 3 blocks; a window may be gathered before it is widened.
    let conv2d = vec![(100, 420), (300, 3 * (4 + 4 * 9 + 12) * 4), (1000, 9 * (1 + 4) * 4), (200, 216)];
    assert_eq!(regions(packed_conv2d()), Ok(conv2d));
    let whole_words = edited(packed_conv2d(), |op| op.input_image.channels = 8);
    assert_eq!(whole_words.unwrap()[2], (1000, 12 * 4 * 4), "windows are widened where they lie");

    let fused = edited(packed_conv2d(), |op| op.rounding = PackedRounding::Fused);
    assert_eq!(fused.unwrap()[1], (300, 3 * (4 + 4 * 9 + 8) * 4));
    // 3 rows of 9 inputs are 6 units and one of what is left of each.
    let tails = edited(packed_conv2d(), |op| (op.window.width, op.input_image.channels) = (3, 3)).unwrap();
    assert_eq!(tails[1..3], [(300, 3 * (4 + 4 * 7 + 12) * 4), (1000, (7 * 4 + 3 * 3) * 4)]);

    let depthwise = |edit: fn(&mut PackedDepthwiseConv2d)| edited(packed_depthwise_conv2d(), edit).unwrap();
    let regions_of_strips = vec![(100, 480), (300, 6 * 8 * 4), (1000, 4 * (2 + 1) * 16), (200, 252)];
    assert_eq!(depthwise(|_| {}), regions_of_strips);
    assert_eq!(depthwise(|op| op.rounding = PackedRounding::Twice)[1], (300, 6 * 10 * 4));
    assert_eq!(depthwise(|op| op.strip = 7)[2], (1000, 9 * 3 * 16));
    assert_eq!(depthwise(|op| op.strip = u32::MAX)[2], (1000, 9 * 3 * 16));
    assert_eq!(depthwise(|op| op.traversal = Traversal::Columns)[2], (1000, 4 * 5 * 16));
    let by_two = depthwise(|op| (op.window.stride_height, op.window.stride_width) = (2, 2));
    assert_eq!(by_two[2], (1000, 5 * (2 * 2 + 1) * 16));

    // 3 rows of 3 pairs for two outputs each.
    let wide = depthwise(|op| op.window.width = 5);
    assert_eq!(wide[1..3], [(300, 6 * (3 * 3 * 2 + 2) * 4), (1000, 4 * (1 + 3) * 16)]);

    let fully_connected = vec![(100, 24), (300, 2 * (8 + 12 * 2 + 24) * 4), (200, 18)];
    assert_eq!(regions(packed_fully_connected()), Ok(fully_connected));
}

#[test]
fn packed_streams_are_constant_words_and_scratch_is_words_of_the_arena() {
    use GeometryError::{Misaligned, WrongSpace, WrongType};
    for (tensor, error) in
        [(scratch(0), WrongSpace), (constant(0), WrongType), (table(2), Misaligned), (table(1), Misaligned)]
    {
        assert_eq!(edited(packed_conv2d(), |op| op.stream = tensor), Err(error));
        assert_eq!(edited(packed_depthwise_conv2d(), |op| op.stream = tensor), Err(error));
        assert_eq!(edited(packed_fully_connected(), |op| op.stream = tensor), Err(error));
    }
    for (tensor, error) in [(table(0), WrongSpace), (arena(0), WrongType), (scratch(2), Misaligned)] {
        assert_eq!(edited(packed_conv2d(), |op| op.scratch = tensor), Err(error));
        assert_eq!(edited(packed_depthwise_conv2d(), |op| op.scratch = tensor), Err(error));
    }
    let wide = |tensor| TensorRef { dtype: DType::Int16, ..tensor };
    assert_eq!(edited(packed_conv2d(), |op| op.output = wide(op.output)), Err(WrongType));
    assert_eq!(edited(packed_depthwise_conv2d(), |op| op.input = wide(op.input)), Err(WrongType));
    assert_eq!(edited(packed_fully_connected(), |op| op.output = constant(0)), Err(WrongSpace));
}

#[test]
fn packed_shapes_are_those_that_the_kinds_are_for() {
    use GeometryError::{Inconsistent, TooLarge};
    let conv2d = |error, edit: fn(&mut PackedConv2d)| assert_eq!(edited(packed_conv2d(), edit), Err(error));
    conv2d(Inconsistent, |op| op.output_image.batches = 1);
    conv2d(Inconsistent, |op| op.window.height = 0);
    conv2d(Inconsistent, |op| op.window.stride_width = 0);
    conv2d(Inconsistent, |op| op.input_image.channels = 0);
    conv2d(Inconsistent, |op| op.output_image.channels = 0);
    conv2d(TooLarge, |op| op.window.width = 1 << 15);
    conv2d(TooLarge, |op| (op.window.height, op.window.width) = (0x7fff, 0x7fff));
    conv2d(TooLarge, |op| op.output_image.channels = u32::MAX);
    conv2d(TooLarge, |op| op.input_image.channels = u32::MAX);

    let depthwise = |error, edit: fn(&mut PackedDepthwiseConv2d)| {
        assert_eq!(edited(packed_depthwise_conv2d(), edit), Err(error));
    };
    depthwise(Inconsistent, |op| op.window.width = 16);
    depthwise(Inconsistent, |op| op.window.stride_width = 14);
    depthwise(Inconsistent, |op| (op.window.stride_height, op.window.stride_width) = (0, 0));
    depthwise(Inconsistent, |op| op.window.dilation_width = 2);
    depthwise(Inconsistent, |op| (op.input_image.channels, op.output_image.channels) = (3, 3));
    depthwise(Inconsistent, |op| op.output_image.channels = 12);
    depthwise(Inconsistent, |op| op.output_image.batches = 1);
    depthwise(Inconsistent, |op| op.input_image.width = 0);
    depthwise(Inconsistent, |op| op.output_image.height = 0);
    depthwise(Inconsistent, |op| op.strip = 0);
    depthwise(TooLarge, |op| op.window.pad_top = 1 << 15);
    depthwise(TooLarge, |op| op.output_image.width = 1 << 15);
    depthwise(TooLarge, |op| op.input_image.height = u32::MAX);
    depthwise(TooLarge, |op| {
        (op.input_image, op.output_image) = (
            Image { batches: 1, height: 1, width: 1, channels: 4 },
            Image { batches: 1, height: 0x7fff, width: 0x7fff, channels: 4 },
        );
        op.strip = u32::MAX;
    });

    let fully_connected = |error, edit: fn(&mut PackedFullyConnected)| {
        assert_eq!(edited(packed_fully_connected(), edit), Err(error));
    };
    fully_connected(Inconsistent, |op| op.input_depth = 13);
    fully_connected(Inconsistent, |op| op.input_depth = 0);
    fully_connected(Inconsistent, |op| op.rows = 0);
    fully_connected(Inconsistent, |op| op.output_depth = 0);
    fully_connected(TooLarge, |op| op.input_depth = u32::MAX - 3);
    fully_connected(TooLarge, |op| op.output_depth = u32::MAX);
    fully_connected(TooLarge, |op| op.rows = 1 << 25);
}

#[test]
fn broadcast_operands_span_from_their_first_to_their_last_element() {
    let mul = |a_strides, b_strides| {
        regions(Mul {
            a: arena(0),
            b: constant(7),
            output: arena(1000),
            dims: [1, 1, 1, 2, 3, 4],
            a_strides,
            b_strides,
            a_zero_point: 0,
            b_zero_point: 0,
            output_scale: SCALE,
            output_zero_point: 0,
            clamp: CLAMP,
            rounding: Rounding::Twice,
        })
    };
    assert_eq!(mul([0, 0, 0, 12, 4, 1], [0; 6]), Ok(vec![(0, 24), (7, 1), (1000, 24)]));
    assert_eq!(mul([9; 6], [0, 0, 0, 0, 0, 5]), Ok(vec![(0, 55), (7, 16), (1000, 24)]));
    assert_eq!(mul([0, 0, 0, 0, 0, 1 << 28], [0; 6]), Err(GeometryError::TooLarge));
    assert_eq!(mul([u32::MAX; 6], [0; 6]), Err(GeometryError::TooLarge));
}

#[test]
fn pools_do_not_dilate() {
    let pool = |dilation_height, channels| {
        regions(AveragePool2d {
            input: arena(0),
            output: arena(64),
            input_image: Image { batches: 1, height: 4, width: 4, channels: 2 },
            output_image: Image { batches: 1, height: 2, width: 3, channels },
            window: Window { dilation_height, ..WINDOW },
            clamp: CLAMP,
            zero_point: 0,
            rounding: Rounding::Twice,
        })
    };
    assert_eq!(pool(1, 2), Ok(vec![(0, 32), (64, 12)]));
    assert_eq!(pool(2, 2), Err(GeometryError::Inconsistent));
    assert_eq!(pool(1, 1), Err(GeometryError::Inconsistent));
}

#[test]
fn a_mean_reads_no_element_twice() {
    let mean = |reduced, reduced_strides| {
        regions(Mean {
            input: arena(0),
            output: arena(64),
            kept: [1, 1, 1, 1, 2, 3],
            kept_strides: [0, 0, 0, 0, 15, 1],
            reduced,
            reduced_strides,
            bias: 0,
            scale: SCALE,
            output_zero_point: 0,
            rounding: Rounding::Twice,
        })
    };
    assert_eq!(mean([1, 1, 1, 1, 1, 5], [0, 0, 0, 0, 0, 3]), Ok(vec![(0, 30), (64, 6)]));
    assert_eq!(mean([1, 1, 1, 1, 1, 5], [0; 6]), Err(GeometryError::Inconsistent));
    assert_eq!(mean([1, 1, 1, 1, 1 << 14, 1 << 14], [0; 6]), Err(GeometryError::TooLarge));
}

#[test]
fn copies_reach_below_their_start_with_negative_strides() {
    let copy = |input: u32, input_strides, output_strides| {
        regions(StridedCopy {
            input: arena(input),
            output: arena(64),
            dims: [1, 1, 1, 2, 3, 4],
            input_strides,
            output_strides,
        })
    };
    let dense = [0, 0, 0, 12, 4, 1];
    assert_eq!(copy(8, dense, dense), Ok(vec![(8, 24), (64, 24)]));
    assert_eq!(copy(8, [0, 0, 0, 12, -4, 1], dense), Ok(vec![(0, 24), (64, 24)]));
    assert_eq!(copy(7, [0, 0, 0, 12, -4, 1], dense), Err(GeometryError::Inconsistent));
    assert_eq!(copy(0, [0; 6], [0, 0, 0, 40, 4, 1]), Ok(vec![(0, 1), (64, 52)]));
    assert_eq!(copy(0, dense, [0, 0, 0, 1, 1, 1]), Err(GeometryError::Inconsistent));
    assert_eq!(copy(0, [i32::MIN; 6], dense), Err(GeometryError::TooLarge));
    assert_eq!(copy(0, dense, [i32::MAX; 6]), Err(GeometryError::TooLarge));
}

#[test]
fn wide_types_take_more_bytes() {
    let softmax =
        |output| regions(Softmax { input: arena(1), output, rows: 2, depth: 5, scale: SCALE, diff_min: 0 });
    let output = |dtype, offset| TensorRef::new(Space::Arena, dtype, offset);
    assert_eq!(softmax(output(DType::Int8, 33)), Ok(vec![(1, 10), (33, 10)]));
    assert_eq!(softmax(output(DType::Int16, 32)), Ok(vec![(1, 10), (32, 20)]));
    assert_eq!(softmax(output(DType::Int16, 33)), Err(GeometryError::Misaligned));
    assert_eq!(softmax(output(DType::Int32, 32)), Err(GeometryError::WrongType));
    assert_eq!(softmax(TensorRef::new(Space::Const, DType::Int8, 0)), Err(GeometryError::WrongSpace));
    assert_eq!(
        regions(Fill { output: arena(0), length: (1 << 28) + 1, value: 0 }),
        Err(GeometryError::TooLarge)
    );
}

#[test]
fn overlap_is_one_common_byte_of_one_space() {
    let region = |space, offset, bytes| Operand {
        tensor: TensorRef::new(space, DType::Int8, offset),
        bytes,
        access: Access::Read,
    };
    let here = region(Space::Arena, 10, 5);
    assert!(here.overlaps(&region(Space::Arena, 14, 1)));
    assert!(here.overlaps(&region(Space::Arena, 0, 11)));
    assert!(!here.overlaps(&region(Space::Arena, 15, 1)));
    assert!(!here.overlaps(&region(Space::Arena, 0, 10)));
    assert!(!here.overlaps(&region(Space::Const, 10, 5)));
    assert!(!here.overlaps(&region(Space::Arena, 12, 0)));
}
