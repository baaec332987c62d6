//! `v1-state.epa`: an artifact that keeps state between runs. Frozen with version 1 of the format.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::plan::{
    Accumulation, Clamp, GateScales, Lstm, PlanEntry, Scale, SequenceOrder, StridedCopy, Svdf,
};
use edgepkg_format::tensor::Shape;
use edgepkg_format::write::{Contents, PortDescription};
use edgepkg_format::{Artifact, ArtifactError, DType, Isa, OperatorKind, Record, Space, TensorRef};

use crate::{assert_same, whole};

const GOLDEN: &[u8] = include_bytes!("v1-state.epa");

/// Bytes of a run, and of what is kept: a variable of 8 bytes, the filters' features, the hidden state and cells.
const RUN_BYTES: u32 = 72;
const STATE_BYTES: usize = 64;
const VARIABLE: u32 = 0;
const FEATURES: u32 = 8;
const LSTM_STATE: u32 = 32;

fn arena(offset: u32) -> TensorRef {
    TensorRef::new(Space::Arena, DType::Int8, offset)
}

fn state(dtype: DType, offset: u32) -> TensorRef {
    TensorRef::new(Space::State, dtype, offset)
}

fn scale(shift: i32) -> Scale {
    Scale { multiplier: 1_300_000_000, shift }
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

    fn words<T>(&mut self, dtype: DType, count: i32, word: impl Fn(i32) -> T) -> TensorRef
    where
        T: IntoIterator<Item = u8>,
    {
        self.put(dtype, (0..count).flat_map(word))
    }
}

fn copy(input: TensorRef, output: TensorRef, bytes: u32) -> Record {
    let strides = [0, 0, 0, 0, 0, 1];
    StridedCopy {
        input,
        output,
        dims: [1, 1, 1, 1, 1, bytes],
        input_strides: strides,
        output_strides: strides,
    }
    .into()
}

fn plan() -> (Vec<PlanEntry>, Vec<u8>) {
    let mut constants = Constants::default();
    let weight = |i: i32| [(i * 37 + 11) as u8];
    let svdf = Svdf {
        input: arena(0),
        output: arena(8),
        feature_weights: constants.words(DType::Int8, 4 * 4, weight),
        time_weights: constants.words(DType::Int16, 4 * 3, |i| ((i * 3_001 - 9_000) as i16).to_le_bytes()),
        bias: constants.words(DType::Int32, 2, |i| (1_000 * i - 500).to_le_bytes()),
        state: state(DType::Int16, FEATURES),
        batches: 1,
        inputs: 4,
        units: 2,
        rank: 2,
        memory: 3,
        input_zero_point: -3,
        feature_scale: scale(2),
        state_zero_point: 0,
        output_scale: scale(-18),
        output_zero_point: 5,
    };
    let gate = GateScales { input: scale(-3), hidden: scale(-2) };
    let lstm = Lstm {
        input: arena(0),
        output: arena(16),
        weights: constants.words(DType::Int8, 3 * 4 * (4 + 3), weight),
        biases: constants.words(DType::Int64, 3 * 4 * 2, |i| i64::from(500 * i - 6_000).to_le_bytes()),
        table: constants.words(DType::Int16, 256, |i| ((32_768 + 128 * i) as i16).to_le_bytes()),
        state: state(DType::Int16, LSTM_STATE),
        batches: 2,
        steps: 1,
        inputs: 4,
        units: 3,
        order: SequenceOrder::TimeMajor,
        accumulation: Accumulation::Narrow,
        gates: [gate; 4],
        cell_scale: Scale { multiplier: 1 << 30, shift: -18 },
        cell_clamp: Clamp { min: -20_000, max: 20_000 },
        tanh_multiplier: 6,
        tanh_shift: 0,
        output_scale: scale(-23),
        output_zero_point: -7,
    };
    let variable = |offset| state(DType::Int8, VARIABLE + offset);
    let plan = [
        copy(variable(0), arena(32), 8),
        copy(arena(0), variable(0), 8),
        svdf.into(),
        lstm.into(),
        copy(arena(32), arena(22), 8),
    ];
    let entries = plan.into_iter().enumerate();
    (entries.map(|(index, record)| PlanEntry { layer: index as u32, record }).collect(), constants.0)
}

fn written(run_bytes: u32, state: &[u8]) -> Vec<u8> {
    let (plan, constants) = plan();
    let port = |name: &str, offset, extent| PortDescription {
        name: name.into(),
        tensor: arena(offset),
        shape: Shape::from_slice(&[1, extent]).unwrap(),
        scale: 0.05,
        zero_point: -3,
        labels: vec![],
    };
    Contents {
        isa: Isa::Portable,
        name: "state",
        version: "1.0.0",
        run_bytes,
        inputs: &[port("frame", 0, 8)],
        outputs: &[port("all", 8, 22)],
        plan: &plan,
        constants: &constants,
        state,
        graph_digest: *b"digest of the quantized graph ..",
    }
    .write()
}

fn initial() -> [u8; STATE_BYTES] {
    core::array::from_fn(|i| i as u8)
}

#[test]
fn state_is_still_written_and_read() {
    let written = written(RUN_BYTES, &initial());
    assert_same(&written, GOLDEN);

    let bytes = AlignedBytes::from(GOLDEN);
    let artifact = whole(&bytes);
    assert_eq!(artifact.state(), initial());
    assert_eq!((artifact.run_bytes(), artifact.arena_bytes()), (80, 144), "what is kept is aligned");
    assert_eq!(artifact.info().arena_bytes, 144);
    let kinds = [OperatorKind::StridedCopy, OperatorKind::Svdf, OperatorKind::Lstm];
    assert!(artifact.info().operators.iter().eq(kinds));
}

#[test]
fn records_stay_inside_the_state_and_ports_outside_of_it() {
    let parse = |run_bytes, state: &[u8]| {
        Artifact::parse(&AlignedBytes::from(&written(run_bytes, state)[..])).map(|_| ()).unwrap_err()
    };
    let outside =
        |record| ArtifactError::OutOfBounds { record, kind: plan().0[record as usize].record.kind() };
    assert_eq!(parse(RUN_BYTES, &[]), outside(0));
    assert_eq!(parse(RUN_BYTES, &initial()[..7]), outside(0));
    assert_eq!(parse(RUN_BYTES, &initial()[..31]), outside(2));
    assert_eq!(parse(RUN_BYTES, &initial()[..LSTM_STATE as usize + 17]), outside(3));
    assert_eq!(parse(16, &initial()), ArtifactError::Info, "an output in the state");
}

#[test]
fn state_leaves_a_multiple_of_16_of_its_arena() {
    for state_bytes in [STATE_BYTES as u32 - 1, 145, u32::MAX] {
        let mut bytes = written(RUN_BYTES, &initial());
        let length = 96 + 3 * 16 + 8;
        bytes[length..length + 4].copy_from_slice(&state_bytes.to_le_bytes());
        let error = Artifact::parse(&AlignedBytes::from(&bytes[..])).unwrap_err();
        assert!(matches!(error, ArtifactError::Info | ArtifactError::Sections), "{state_bytes}: {error:?}");
    }
}
