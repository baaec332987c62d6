//! `v1-int16.epa`: an artifact with every kind of record of int16. Frozen with version 1 of the format.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::plan::{
    Accumulation, Add, AveragePool2d, Clamp, Conv2d16, Image, Interpolate16, LeakyRelu16, MaxPool2d, Mean,
    Mul, PlanEntry, Rounding, Scale, Sigmoid, Sigmoid16, Softmax16, WideChannelParameters, Window,
};
use edgepkg_format::tensor::Shape;
use edgepkg_format::write::{Contents, PortDescription};
use edgepkg_format::{DType, Isa, OperatorKind, Record, Space, TensorRef};

use crate::{assert_same, whole};

const GOLDEN: &[u8] = include_bytes!("v1-int16.epa");

const INT16: Clamp = Clamp { min: -32768, max: 32767 };
const HALF: Scale = Scale { multiplier: 1 << 30, shift: 0 };
const ARENA_BYTES: u32 = 448;

fn arena(offset: u32) -> TensorRef {
    TensorRef::new(Space::Arena, DType::Int16, offset)
}

fn image(extent: u32, channels: u32) -> Image {
    Image { batches: 1, height: extent, width: extent, channels }
}

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
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let offset = self.0.len() as u32;
        self.0.extend(bytes);
        TensorRef::new(Space::Const, dtype, offset)
    }

    fn weights(&mut self, count: u32) -> TensorRef {
        self.put(DType::Int8, (0..count).map(|i| (i * 37 + 11) as u8))
    }

    fn channels(&mut self, count: i64) -> TensorRef {
        let entries = (0..count).map(|channel| WideChannelParameters {
            bias: 100_000 * channel - 150_000,
            scale: Scale {
                multiplier: (1 << 30) + 12_345_678 * channel as i32,
                shift: -7 - channel as i32 % 2,
            },
        });
        self.put(DType::Int64, entries.flat_map(|entry| entry.to_bytes()))
    }

    fn table(&mut self, points: i32, point: impl Fn(i32) -> i32) -> TensorRef {
        self.put(DType::Int16, (0..points).flat_map(|i| (point(i) as i16).to_le_bytes()))
    }
}

fn add(a: TensorRef, b: TensorRef, output: TensorRef, left_shift: u32) -> Add {
    Add {
        a,
        b,
        output,
        dims: [1, 1, 1, 4, 4, 2],
        a_strides: [0, 0, 0, 8, 2, 1],
        b_strides: [0, 0, 0, 8, 2, 1],
        a_zero_point: 0,
        b_zero_point: 0,
        left_shift,
        a_scale: HALF,
        b_scale: Scale { multiplier: 1_500_000_000, shift: -1 },
        output_scale: Scale { multiplier: 1_300_000_000, shift: -14 },
        output_zero_point: 0,
        clamp: INT16,
        rounding: Rounding::Twice,
    }
}

fn plan() -> (Vec<PlanEntry>, Vec<u8>) {
    let mut constants = Constants::default();
    let [x, y, z] = [0, 64, 128].map(arena);
    let convolution = Conv2d16 {
        input: x,
        output: y,
        weights: constants.weights(2 * 3 * 3 * 2),
        channels: constants.channels(2),
        input_image: image(4, 2),
        output_image: image(4, 2),
        window: window(3, 1, 1),
        spread: [1, 1],
        groups: 1,
        accumulation: Accumulation::Wide,
        output_zero_point: 0,
        clamp: INT16,
    };
    let transposed = Conv2d16 {
        input: z,
        output: arena(192),
        weights: constants.weights(4 * 2 * 2),
        channels: constants.channels(4),
        input_image: image(2, 2),
        output_image: image(4, 4),
        window: window(2, 1, 1),
        spread: [2, 2],
        groups: 2,
        accumulation: Accumulation::Narrow,
        output_zero_point: 0,
        clamp: Clamp { min: 0, max: 32767 },
    };
    let slopes = LeakyRelu16 {
        input: x,
        output: y,
        length: 32,
        input_zero_point: 0,
        identity: Scale { multiplier: 1_700_000_000, shift: 1 },
        alpha: Scale { multiplier: -1_200_000_000, shift: -2 },
        output_zero_point: 0,
        clamp: INT16,
    };
    let pooled = (image(4, 2), image(2, 2), window(2, 2, 0));
    let average = AveragePool2d {
        input: y,
        output: z,
        input_image: pooled.0,
        output_image: pooled.1,
        window: pooled.2,
        clamp: INT16,
        zero_point: 0,
        rounding: Rounding::Twice,
    };
    let max = MaxPool2d {
        input: y,
        output: z,
        input_image: pooled.0,
        output_image: pooled.1,
        window: pooled.2,
        clamp: INT16,
    };
    let mean = Mean {
        input: arena(192),
        output: arena(320),
        kept: [1, 1, 1, 1, 1, 4],
        kept_strides: [0, 0, 0, 0, 0, 1],
        reduced: [1, 1, 1, 1, 1, 16],
        reduced_strides: [0, 0, 0, 0, 0, 4],
        bias: 0,
        scale: Scale { multiplier: 1_908_874_353, shift: -4 },
        output_zero_point: 0,
        rounding: Rounding::Twice,
    };
    let product = add(x, y, x, 0);
    let product = Mul {
        a: product.a,
        b: product.b,
        output: product.output,
        dims: product.dims,
        a_strides: product.a_strides,
        b_strides: product.b_strides,
        a_zero_point: 0,
        b_zero_point: 0,
        output_scale: Scale { multiplier: 1_400_000_000, shift: -14 },
        output_zero_point: 0,
        clamp: INT16,
        rounding: Rounding::Twice,
    };
    let tables = constants.table(2 * 513, |i| if i < 513 { 64 * i - 1 } else { 32_767 - 31 * (i - 513) });
    let line = constants.table(513, |i| 100 * (i - 256));
    let sigmoid = constants.table(256, |i| 32_768 + 128 * i);
    let plan: Vec<Record> = vec![
        convolution.into(),
        Record::Add16(add(x, y, x, 15)),
        slopes.into(),
        Record::Sub16(add(x, y, y, 15)),
        Record::SquaredDifference16(add(x, y, x, 0)),
        Record::Mul16(product),
        Interpolate16 { input: x, output: x, table: line, length: 32 }.into(),
        Record::MaxPool2d16(max),
        Record::AveragePool2d16(average),
        transposed.into(),
        Record::Mean16(mean),
        Sigmoid16 {
            input: arena(320),
            output: arena(328),
            table: sigmoid,
            length: 4,
            function: Sigmoid::Tanh,
            multiplier: 20_000,
            shift: 3,
        }
        .into(),
        Softmax16 {
            input: arena(320),
            output: arena(320),
            tables,
            rows: 1,
            depth: 8,
            scale: Scale { multiplier: 1 << 30, shift: 3 },
        }
        .into(),
    ];
    let entries = plan.into_iter().enumerate();
    (entries.map(|(index, record)| PlanEntry { layer: index as u32, record }).collect(), constants.0)
}

fn written(plan: &[PlanEntry], constants: &[u8]) -> Vec<u8> {
    let port = |name: &str, offset, shape: &[u32], scale| PortDescription {
        name: name.into(),
        tensor: arena(offset),
        shape: Shape::from_slice(shape).unwrap(),
        scale,
        zero_point: 0,
        labels: vec![],
    };
    Contents {
        isa: Isa::Portable,
        name: "int16",
        version: "1.0.0",
        run_bytes: ARENA_BYTES,
        inputs: &[port("image", 0, &[1, 4, 4, 2], 0.001)],
        outputs: &[port("scores", 320, &[8], 1.0 / 32_768.0)],
        plan,
        constants,
        state: &[],
        graph_digest: *b"digest of the quantized graph ..",
    }
    .write()
}

#[test]
fn kinds_of_int16_are_still_written_and_read() {
    let (plan, constants) = plan();
    let written = written(&plan, &constants);
    assert_same(&written, GOLDEN);

    let bytes = AlignedBytes::from(GOLDEN);
    let artifact = whole(&bytes);
    assert_eq!(artifact.plan().collect::<Result<Vec<_>, _>>().unwrap(), plan);
    let of_int16 = OperatorKind::ALL.iter().copied().filter(|&kind| (40..=51).contains(&(kind as u16)));
    assert!(artifact.info().operators.iter().eq(of_int16));
}
