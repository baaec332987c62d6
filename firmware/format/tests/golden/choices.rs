//! `v1-choices.epa`: an artifact with records that choose among elements and boxes, and with one that divides. Frozen with version 1
//! of the format.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::plan::{
    BoxForm, Clamp, Extreme, Mul, NonMaxSuppression, PlanEntry, Rounding, Scale, Select, TopIndices,
};
use edgepkg_format::tensor::Shape;
use edgepkg_format::write::{Contents, PortDescription};
use edgepkg_format::{DType, Isa, OperatorKind, Record, Space, TensorRef};

use crate::{assert_same, whole};

const GOLDEN: &[u8] = include_bytes!("v1-choices.epa");

/// Bytes of a run: two inputs of two rows of eight, what is divided and selected, indices, boxes that are chosen.
const OTHER: u32 = 16;
const QUOTIENTS: u32 = 32;
const SELECTED: u32 = 48;
const INDICES: u32 = 64;
const CHOSEN: u32 = 88;
const RUN_BYTES: u32 = 112;

fn at(dtype: DType, offset: u32) -> TensorRef {
    TensorRef::new(Space::Arena, dtype, offset)
}

fn records() -> [Record; 4] {
    let int8 = |offset| at(DType::Int8, offset);
    let (dims, strides) = ([1, 1, 1, 1, 2, 8], [0, 0, 0, 0, 8, 1]);
    let div = Mul {
        a: int8(0),
        b: int8(OTHER),
        output: int8(QUOTIENTS),
        dims,
        a_strides: strides,
        b_strides: [0, 0, 0, 0, 0, 1],
        a_zero_point: -3,
        b_zero_point: 5,
        output_scale: Scale { multiplier: 1_400_000_000, shift: 2 },
        output_zero_point: 7,
        clamp: Clamp { min: -120, max: 110 },
        rounding: Rounding::Twice,
    };
    let select = Select {
        condition: int8(0),
        a: int8(QUOTIENTS),
        b: int8(OTHER),
        output: int8(SELECTED),
        dims,
        condition_strides: strides,
        a_strides: strides,
        b_strides: strides,
    };
    let top = TopIndices {
        input: int8(SELECTED),
        output: at(DType::Int32, INDICES),
        rows: 2,
        depth: 8,
        count: 3,
        extreme: Extreme::LastLeast,
    };
    let suppression = NonMaxSuppression {
        boxes: int8(SELECTED),
        scores: int8(QUOTIENTS),
        output: at(DType::Int32, CHOSEN),
        batches: 1,
        classes: 1,
        count: 4,
        most: 2,
        form: BoxForm::Center,
        boxes_zero_point: -9,
        least_score: -100,
        overlap: 1 << 29,
    };
    [Record::Div(div), select.into(), top.into(), suppression.into()]
}

fn written() -> Vec<u8> {
    let plan: Vec<PlanEntry> =
        (0..).zip(records()).map(|(layer, record)| PlanEntry { layer, record }).collect();
    let port = |name: &str, tensor, extents: &[u32]| PortDescription {
        name: name.into(),
        tensor,
        shape: Shape::from_slice(extents).unwrap(),
        scale: 0.05,
        zero_point: -3,
        labels: vec![],
    };
    Contents {
        isa: Isa::Portable,
        name: "choices",
        version: "1.0.0",
        run_bytes: RUN_BYTES,
        inputs: &[port("a", at(DType::Int8, 0), &[2, 8]), port("b", at(DType::Int8, OTHER), &[2, 8])],
        outputs: &[
            port("top", at(DType::Int32, INDICES), &[2, 3]),
            port("chosen", at(DType::Int32, CHOSEN), &[2, 3]),
        ],
        plan: &plan,
        constants: &[],
        state: &[],
        graph_digest: *b"digest of the quantized graph ..",
    }
    .write()
}

#[test]
fn choices_are_still_written_and_read() {
    let written = written();
    assert_same(&written, GOLDEN);

    let bytes = AlignedBytes::from(GOLDEN);
    let artifact = whole(&bytes);
    let kinds =
        [OperatorKind::Select, OperatorKind::TopIndices, OperatorKind::Div, OperatorKind::NonMaxSuppression];
    assert!(artifact.info().operators.iter().eq(kinds));
    let read: Vec<Record> = artifact.plan().map(|entry| entry.unwrap().record).collect();
    assert_eq!(read, records());
}
