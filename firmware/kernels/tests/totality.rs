//! No value of any field panics, loops beyond its data or reaches outside of an operand.

mod harness;

use edgepkg_format::plan::*;
use edgepkg_format::{DType, OperatorKind, Record, Space, TensorRef};
use edgepkg_kernels::OPERATORS;
use harness::{Random, arena, constant, lengths, run_arena, run_const};

/// A record of `kind` with any numbers and shapes that are mostly sound.
fn any_record(random: &mut Random, kind: OperatorKind) -> Record {
    let dtype = if is_wide(kind) { DType::Int16 } else { DType::Int8 };
    let [input, output, weights] = [arena(dtype), arena(dtype), constant(DType::Int8)];
    let channels = constant(DType::Int32);
    let (input_zero_point, output_zero_point) = (random.word(), random.word());
    let (scale, clamp) = (random.any_scale(), random.any_clamp());
    let (mut input_image, mut output_image) = (random.image(), random.image());
    output_image.batches = input_image.batches;
    let window = any_window(random);
    let rounding = random.one_of(&Rounding::ALL);
    let (dims, length) = (random.dims(), random.extent(40));
    match kind {
        OperatorKind::Conv2d => {
            let groups = random.extent(3);
            input_image.channels *= groups;
            output_image.channels *= groups;
            Conv2d {
                input,
                output,
                weights,
                channels,
                input_image,
                output_image,
                window: smaller_kernel(window),
                groups,
                input_zero_point,
                output_zero_point,
                clamp,
                rounding,
            }
            .into()
        }
        OperatorKind::DepthwiseConv2d => {
            output_image.channels = input_image.channels * random.extent(3);
            DepthwiseConv2d {
                input,
                output,
                weights,
                channels,
                input_image,
                output_image,
                window: smaller_kernel(window),
                input_zero_point,
                output_zero_point,
                clamp,
                rounding,
            }
            .into()
        }
        OperatorKind::FullyConnected => FullyConnected {
            input,
            output,
            weights,
            channels,
            rows: random.extent(3),
            input_depth: length,
            output_depth: random.extent(9),
            output_zero_point,
            clamp,
            rounding,
        }
        .into(),
        OperatorKind::Add | OperatorKind::Add16 | OperatorKind::Sub16 | OperatorKind::SquaredDifference16 => {
            let op = Add {
                a: input,
                b: input,
                output,
                dims,
                a_strides: any_strides(random),
                b_strides: any_strides(random),
                a_zero_point: random.word(),
                b_zero_point: random.word(),
                left_shift: random.word() as u32,
                a_scale: random.any_scale(),
                b_scale: random.any_scale(),
                output_scale: scale,
                output_zero_point,
                clamp,
                rounding,
            };
            match kind {
                OperatorKind::Add => op.into(),
                OperatorKind::Add16 => Record::Add16(op),
                OperatorKind::Sub16 => Record::Sub16(op),
                _ => Record::SquaredDifference16(op),
            }
        }
        OperatorKind::Mul | OperatorKind::Div | OperatorKind::Mul16 => {
            let op = Mul {
                a: input,
                b: input,
                output,
                dims,
                a_strides: any_strides(random),
                b_strides: any_strides(random),
                a_zero_point: random.word(),
                b_zero_point: random.word(),
                output_scale: scale,
                output_zero_point,
                clamp,
                rounding,
            };
            match kind {
                OperatorKind::Div => Record::Div(op),
                OperatorKind::Mul16 => Record::Mul16(op),
                _ => op.into(),
            }
        }
        OperatorKind::AveragePool2d | OperatorKind::AveragePool2d16 => {
            output_image.channels = input_image.channels;
            let window = Window { dilation_height: 1, dilation_width: 1, ..window };
            let op = AveragePool2d {
                input,
                output,
                input_image,
                output_image,
                window,
                clamp,
                zero_point: input_zero_point,
                rounding,
            };
            if is_wide(kind) { Record::AveragePool2d16(op) } else { op.into() }
        }
        OperatorKind::MaxPool2d | OperatorKind::MaxPool2d16 => {
            output_image.channels = input_image.channels;
            let window = Window { dilation_height: 1, dilation_width: 1, ..window };
            let op = MaxPool2d { input, output, input_image, output_image, window, clamp };
            if is_wide(kind) { Record::MaxPool2d16(op) } else { op.into() }
        }
        OperatorKind::Mean | OperatorKind::Mean16 => {
            let op = Mean {
                input,
                output,
                kept: dims,
                kept_strides: any_strides(random),
                reduced: random.dims(),
                reduced_strides: any_strides(random),
                bias: random.word(),
                scale,
                output_zero_point,
                rounding,
            };
            if is_wide(kind) { Record::Mean16(op) } else { op.into() }
        }
        OperatorKind::Softmax => Softmax {
            input,
            output: arena(random.one_of(&[DType::Int8, DType::Int16])),
            rows: random.extent(3),
            depth: random.one_of(&[1, 2, 17, 600]),
            scale,
            diff_min: random.word(),
        }
        .into(),
        OperatorKind::Lookup => Lookup { input, output, table: weights, length }.into(),
        OperatorKind::Fill => Fill { output, length, value: random.word() }.into(),
        OperatorKind::StridedCopy => {
            let mut op = StridedCopy {
                input,
                output,
                dims,
                input_strides: any_strides(random).map(|stride| stride as i32 - 20),
                output_strides: any_strides(random).map(|stride| stride as i32 - 20),
            };
            op.input.offset = 1 << 20;
            op.output.offset = 1 << 20;
            op.into()
        }
        OperatorKind::Requantize => Requantize {
            input: arena(random.one_of(&[DType::Int8, DType::Int16])),
            output: arena(random.one_of(&[DType::Int8, DType::Int16])),
            length,
            input_zero_point,
            scale,
            output_zero_point,
            rounding,
        }
        .into(),
        OperatorKind::Gather => Gather {
            input,
            output,
            indices: arena(DType::Int32),
            batches: random.extent(2),
            outer: random.extent(3),
            extent: random.extent(5),
            count: random.extent(4),
            inner: random.extent(6),
        }
        .into(),
        OperatorKind::Binary | OperatorKind::Binary16 => {
            let op = Binary {
                a: input,
                b: input,
                output,
                dims,
                a_strides: any_strides(random),
                b_strides: any_strides(random),
                function: random.one_of(&[
                    BinaryFunction::Subtract,
                    BinaryFunction::SquaredDifference,
                    BinaryFunction::Maximum,
                    BinaryFunction::Minimum,
                    BinaryFunction::ParametricRelu,
                    BinaryFunction::Equal,
                    BinaryFunction::NotEqual,
                    BinaryFunction::Greater,
                    BinaryFunction::GreaterOrEqual,
                ]),
                a_zero_point: random.word(),
                b_zero_point: random.word(),
                left_shift: random.word() as u32,
                a_scale: random.any_scale(),
                b_scale: random.any_scale(),
                output_scale: scale,
                output_zero_point,
                clamp,
                rounding,
            };
            if kind == OperatorKind::Binary { op.into() } else { Record::Binary16(op) }
        }
        OperatorKind::Select => Select {
            condition: input,
            a: input,
            b: input,
            output,
            dims,
            condition_strides: any_strides(random),
            a_strides: any_strides(random),
            b_strides: any_strides(random),
        }
        .into(),
        OperatorKind::LogSoftmax => LogSoftmax {
            input,
            output,
            rows: random.extent(3),
            depth: random.one_of(&[1, 2, 17, 600]),
            scale,
            inverse_scale: random.any_scale(),
            diff_min: random.word(),
        }
        .into(),
        OperatorKind::ResizeBilinear => {
            output_image.channels = input_image.channels;
            ResizeBilinear {
                input,
                output,
                input_image,
                output_image,
                row_step: random.word(),
                row_offset: random.word(),
                column_step: random.word(),
                column_offset: random.word(),
            }
            .into()
        }
        OperatorKind::TransposeConv2d => TransposeConv2d {
            input,
            output,
            weights,
            channels,
            input_image,
            output_image,
            window: smaller_kernel(window),
            input_zero_point,
            output_zero_point,
            clamp,
            rounding,
        }
        .into(),
        OperatorKind::BatchMatMul | OperatorKind::BatchMatMul16 => {
            let op = BatchMatMul {
                a: input,
                b: input,
                output,
                batches: dims,
                a_strides: any_strides(random),
                b_strides: any_strides(random),
                rows: random.extent(3),
                depth: random.extent(5),
                columns: random.extent(3),
                a_row_stride: random.one_of(&[1, 7, 1 << 20]),
                a_depth_stride: random.one_of(&[1, 7, u32::MAX]),
                b_depth_stride: random.one_of(&[1, 7, u32::MAX]),
                b_column_stride: random.one_of(&[1, 7, 1 << 20]),
                a_zero_point: input_zero_point,
                b_zero_point: random.word(),
                scale,
                output_zero_point,
                clamp,
                rounding,
            };
            if kind == OperatorKind::BatchMatMul { op.into() } else { Record::BatchMatMul16(op) }
        }
        OperatorKind::CumulativeSum => CumulativeSum {
            input,
            output,
            outer: random.extent(3),
            count: random.extent(5),
            inner: random.extent(3),
            direction: random.one_of(&[Direction::Forward, Direction::Backward]),
            running: random.one_of(&[Running::Including, Running::Excluding]),
            input_zero_point,
            left_shift: random.word() as u32,
            input_scale: random.any_scale(),
            start: random.word(),
            output_scale: scale,
            output_zero_point,
            rounding,
        }
        .into(),
        OperatorKind::ArgExtreme => ArgExtreme {
            input,
            output: arena(DType::Int32),
            outer: random.extent(3),
            count: random.extent(5),
            inner: random.extent(3),
            extreme: random.one_of(&[Extreme::Greatest, Extreme::Least]),
        }
        .into(),
        OperatorKind::TopIndices => {
            let count = random.extent(4);
            TopIndices {
                input: arena(random.one_of(&[DType::Int8, DType::Int16])),
                output: arena(DType::Int32),
                rows: random.extent(4),
                depth: count + random.extent(4) - 1,
                count,
                extreme: random.one_of(&[Extreme::Greatest, Extreme::LastLeast]),
            }
            .into()
        }
        OperatorKind::NonMaxSuppression => {
            let count = random.extent(6);
            NonMaxSuppression {
                boxes: arena(random.one_of(&[DType::Int8, DType::Int16])),
                scores: arena(random.one_of(&[DType::Int8, DType::Int16])),
                output: arena(DType::Int32),
                batches: random.extent(3),
                classes: random.extent(3),
                count,
                most: random.extent(8),
                form: random.one_of(&[BoxForm::Corners, BoxForm::Center]),
                boxes_zero_point: random.word(),
                least_score: random.one_of(&[i32::MIN, -10, 0, i32::MAX]),
                overlap: random.word() as u32,
            }
            .into()
        }
        OperatorKind::Conv2d16 => {
            let groups = random.extent(3);
            input_image.channels *= groups;
            output_image.channels *= groups;
            Conv2d16 {
                input,
                output,
                weights,
                channels: constant(DType::Int64),
                input_image,
                output_image,
                window: smaller_kernel(window),
                spread: [0; 2].map(|_| random.one_of(&[1, 2, 3, (1 << 15) - 1])),
                groups,
                accumulation: random.one_of(&[Accumulation::Narrow, Accumulation::Wide]),
                output_zero_point,
                clamp,
            }
            .into()
        }
        OperatorKind::Svdf => {
            let dtype = random.one_of(&[DType::Int8, DType::Int16]);
            Svdf {
                input,
                output,
                feature_weights: weights,
                time_weights: constant(dtype),
                bias: constant(DType::Int32),
                state: TensorRef::new(Space::State, dtype, 0),
                batches: random.extent(3),
                inputs: random.extent(9),
                units: random.extent(4),
                rank: random.extent(3),
                memory: random.extent(5),
                input_zero_point,
                feature_scale: scale,
                state_zero_point: random.word(),
                output_scale: random.any_scale(),
                output_zero_point,
            }
            .into()
        }
        OperatorKind::Lstm => {
            let dtype = random.one_of(&[DType::Int8, DType::Int16]);
            let mut gate = || GateScales { input: random.any_scale(), hidden: random.any_scale() };
            Lstm {
                gates: [(); 4].map(|()| gate()),
                input: arena(dtype),
                output: arena(dtype),
                weights,
                biases: constant(DType::Int64),
                table: constant(DType::Int16),
                state: TensorRef::new(Space::State, DType::Int16, 0),
                batches: random.extent(3),
                steps: random.extent(3),
                inputs: random.extent(5),
                units: random.extent(5),
                order: random.one_of(&[SequenceOrder::BatchMajor, SequenceOrder::TimeMajor]),
                accumulation: random.one_of(&[Accumulation::Narrow, Accumulation::Wide]),
                cell_scale: scale,
                cell_clamp: clamp,
                tanh_multiplier: random.word(),
                tanh_shift: random.word() as u32,
                output_scale: random.any_scale(),
                output_zero_point,
            }
            .into()
        }
        OperatorKind::Recurrent => {
            let dtype = random.one_of(&[DType::Int8, DType::Int16]);
            Recurrent {
                input: arena(dtype),
                output: arena(dtype),
                weights,
                channels,
                table: constant(DType::Int16),
                state: TensorRef::new(Space::State, DType::Int16, 0),
                batches: random.extent(3),
                steps: random.extent(3),
                inputs: random.extent(5),
                units: random.extent(5),
                order: random.one_of(&[SequenceOrder::BatchMajor, SequenceOrder::TimeMajor]),
                direction: random.one_of(&[Direction::Forward, Direction::Backward]),
                cell: random.one_of(&[
                    RecurrentCell::Lstm,
                    RecurrentCell::GruResetAfter,
                    RecurrentCell::GruResetBefore,
                    RecurrentCell::Tanh,
                    RecurrentCell::Relu,
                ]),
                shown: random.one_of(&[Shown::EveryStep, Shown::LastStep, Shown::LastCells]),
                hidden_exponent: random.word() as u32,
                cell_exponent: random.word() as u32,
                output_scale: scale,
                output_zero_point,
            }
            .into()
        }
        OperatorKind::Softmax16 => Softmax16 {
            input,
            output,
            tables: constant(DType::Int16),
            rows: random.extent(3),
            depth: random.one_of(&[1, 2, 17, 600]),
            scale,
        }
        .into(),
        OperatorKind::Sigmoid16 => Sigmoid16 {
            input,
            output,
            table: constant(DType::Int16),
            length,
            function: random.one_of(&[Sigmoid::Logistic, Sigmoid::Tanh]),
            multiplier: random.word(),
            shift: random.word() as u32,
        }
        .into(),
        OperatorKind::LeakyRelu16 => LeakyRelu16 {
            input,
            output,
            length,
            input_zero_point,
            identity: scale,
            alpha: random.any_scale(),
            output_zero_point,
            clamp,
        }
        .into(),
        OperatorKind::Interpolate16 => {
            Interpolate16 { input, output, table: constant(DType::Int16), length }.into()
        }
        other => panic!("{} has no case", other.name()),
    }
}

/// Whether records of `kind` are of int16.
fn is_wide(kind: OperatorKind) -> bool {
    kind.name().ends_with("16")
}

/// A window within the format's limits.
fn any_window(random: &mut Random) -> Window {
    let mut any = |least: u32| random.one_of(&[least, 1, 2, 3, 5, 255, 1 << 15]);
    Window {
        height: any(1).min(1 << 13),
        width: any(1),
        stride_height: any(1),
        stride_width: any(1),
        dilation_height: any(1),
        dilation_width: any(1),
        pad_top: any(0),
        pad_left: any(0),
    }
}

/// Weights of so many taps still fit a test.
fn smaller_kernel(window: Window) -> Window {
    Window { height: window.height.min(9), width: window.width.min(9), ..window }
}

fn any_strides(random: &mut Random) -> Dims {
    [0; 6].map(|_| random.between(0, 40) as u32)
}

#[test]
fn every_record_runs() {
    for kind in OPERATORS.iter() {
        let mut random = Random(kind as u64);
        let mut runs = 0;
        for _ in 0..400 {
            let record = any_record(&mut random, kind);
            if record.operands().is_err() {
                continue;
            }
            let inputs: Vec<_> = lengths(&record).0.into_iter().map(|bytes| random.bytes(bytes)).collect();
            let output = run_arena(&record, &inputs);
            if kind != OperatorKind::StridedCopy {
                assert_eq!(output, run_const(&record, &inputs), "all of the output is written: {record:?}");
            }
            runs += 1;
        }
        assert!(runs >= 100, "{runs} sound records of {}", kind.name());
    }
}
