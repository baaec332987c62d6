//! `v1-recurrent.epa`: an artifact with recurrent layers. Frozen with version 1 of the format.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::plan::{
    ChannelParameters, Direction, PlanEntry, Recurrent, RecurrentCell, Scale, SequenceOrder, Shown,
};
use edgepkg_format::tensor::Shape;
use edgepkg_format::write::{Contents, PortDescription};
use edgepkg_format::{Artifact, ArtifactError, DType, Isa, OperatorKind, Record, Space, TensorRef};

use crate::{assert_same, whole};

const GOLDEN: &[u8] = include_bytes!("v1-recurrent.epa");

/// Bytes of a run: the input, a state that starts anew, outputs.
const RUN_BYTES: u32 = 144;
const RUN_STATE: u32 = 64;
const OUTPUTS: u32 = 32;
const OUTPUT_BYTES: u32 = 28;
/// Bytes of what is kept: hidden state, cells, a step's units.
const STATE_BYTES: u32 = 2 * (6 + 6 + 3);
const UNITS: u32 = 3;

fn constant(constants: &mut Vec<u8>, dtype: DType, bytes: impl IntoIterator<Item = u8>) -> TensorRef {
    constants.resize(constants.len().next_multiple_of(4), 0);
    let offset = constants.len() as u32;
    constants.extend(bytes);
    TensorRef::new(Space::Const, dtype, offset)
}

/// A layer whose output lies behind the outputs before.
fn layer(constants: &mut Vec<u8>, cell: RecurrentCell, at: u32) -> Recurrent {
    let rows = UNITS * cell.gates();
    let (space, offset) =
        if cell == RecurrentCell::Lstm { (Space::State, 0) } else { (Space::Arena, RUN_STATE) };
    let channel = |i: u32| ChannelParameters {
        bias: 700 * i as i32 - 4_000,
        scale: Scale { multiplier: 1_300_000_000, shift: if i.is_multiple_of(2) { 3 } else { -9 } },
    };
    let weights = (0..rows * (4 + UNITS)).map(|i| (i * 37 + 11) as u8);
    Recurrent {
        input: TensorRef::new(Space::Arena, DType::Int8, 0),
        output: TensorRef::new(Space::Arena, DType::Int8, OUTPUTS + at),
        weights: constant(constants, DType::Int8, weights),
        channels: constant(constants, DType::Int32, (0..2 * rows).flat_map(|i| channel(i).to_bytes())),
        table: constant(
            constants,
            DType::Int16,
            (0..256).flat_map(|i| (32_768 + 128 * i as u16).to_le_bytes()),
        ),
        state: TensorRef::new(space, DType::Int16, offset),
        batches: 2,
        steps: 2,
        inputs: 4,
        units: UNITS,
        order: SequenceOrder::TimeMajor,
        direction: if at == 0 { Direction::Forward } else { Direction::Backward },
        cell,
        shown: if at == 0 { Shown::LastCells } else { Shown::LastStep },
        hidden_exponent: 1,
        cell_exponent: 2,
        output_scale: Scale { multiplier: 1 << 30, shift: -7 },
        output_zero_point: 3,
    }
}

fn plan() -> (Vec<PlanEntry>, Vec<u8>) {
    let mut constants = Vec::new();
    let cells = [
        (RecurrentCell::Lstm, 0),
        (RecurrentCell::GruResetAfter, 6),
        (RecurrentCell::GruResetBefore, 12),
        (RecurrentCell::Tanh, 18),
        (RecurrentCell::Relu, 22),
    ];
    let records = cells.map(|(cell, at)| Record::from(layer(&mut constants, cell, at)));
    let entries = records.into_iter().enumerate();
    (entries.map(|(index, record)| PlanEntry { layer: index as u32, record }).collect(), constants)
}

fn written(run_bytes: u32, state_bytes: u32) -> Vec<u8> {
    let (plan, constants) = plan();
    let port = |name: &str, offset, extent| PortDescription {
        name: name.into(),
        tensor: TensorRef::new(Space::Arena, DType::Int8, offset),
        shape: Shape::from_slice(&[1, extent]).unwrap(),
        scale: 0.05,
        zero_point: -3,
        labels: vec![],
    };
    let state: Vec<u8> = (0..state_bytes).map(|i| (i * 9) as u8).collect();
    Contents {
        isa: Isa::Portable,
        name: "recurrent",
        version: "1.0.0",
        run_bytes,
        inputs: &[port("rows", 0, 16)],
        outputs: &[port("all", OUTPUTS, OUTPUT_BYTES)],
        plan: &plan,
        constants: &constants,
        state: &state,
        graph_digest: *b"digest of the quantized graph ..",
    }
    .write()
}

#[test]
fn recurrent_layers_are_still_written_and_read() {
    let written = written(RUN_BYTES, STATE_BYTES);
    assert_same(&written, GOLDEN);

    let bytes = AlignedBytes::from(GOLDEN);
    let artifact = whole(&bytes);
    assert_eq!(artifact.state().len(), STATE_BYTES as usize);
    assert!(artifact.info().operators.iter().eq([OperatorKind::Recurrent]));
}

#[test]
fn states_stay_inside_of_their_space() {
    let parse = |run_bytes, state_bytes| {
        Artifact::parse(&AlignedBytes::from(&written(run_bytes, state_bytes)[..])).map(|_| ()).unwrap_err()
    };
    let outside = |record| ArtifactError::OutOfBounds { record, kind: OperatorKind::Recurrent };
    assert_eq!(parse(RUN_BYTES, STATE_BYTES - 1), outside(0));
    assert_eq!(parse(RUN_STATE, STATE_BYTES), outside(1), "a state in the arena");
}
