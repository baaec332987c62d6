//! Programs that link some operators and no others.

use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::info::OperatorSet;
use edgepkg_format::linked::{Linked, Only};
use edgepkg_format::needs::Needs;
use edgepkg_format::plan::{Forms, PlanError};
use edgepkg_format::{Artifact, ArtifactError, Isa, OperatorKind};
use edgepkg_runtime::{Arena, Model, ModelError, embed_model};

embed_model!(
    /// MLPerf Tiny's keyword-spotting model.
    pub(crate) Keywords = "data/kws.epa"
);

/// An artifact with every kind of record.
const EVERY_OPERATOR: &[u8] = include_bytes!("../../format/tests/golden/v1.epa");

/// What a session of `model` makes of one input.
fn scores<L: Linked>(model: &Model<'_, L>) -> Vec<i8> {
    let mut arena = Arena::<{ Keywords::ARENA_BYTES }>::new();
    let mut session = model.session(&mut arena).unwrap();
    let input: Vec<i8> = (0..490).map(|i| (i * 37 % 256 - 128) as i8).collect();
    session.input(0).unwrap().copy_from_i8(&input).unwrap();
    session.run().unwrap();
    session.output(0).unwrap().values_i8().collect()
}

#[test]
fn an_embedded_model_runs_on_its_own_operators() {
    let of_all = scores(&Model::parse(Keywords::ARTIFACT).unwrap());
    assert_eq!(scores(Keywords::MODEL), of_all);
    assert_eq!(scores(&Keywords::parse().unwrap()), of_all);
    assert!(Keywords::OPERATORS.contains(OperatorKind::Softmax));
    assert!(!Keywords::OPERATORS.contains(OperatorKind::Mul));
}

#[test]
fn needs_are_those_that_the_info_states() {
    for bytes in [Keywords::ARTIFACT, EVERY_OPERATOR] {
        let bytes = AlignedBytes::from(bytes);
        let artifact = Artifact::parse(&bytes).unwrap();
        let Needs { arena_bytes, operators, forms } = Needs::of(&bytes);
        assert_eq!(arena_bytes, artifact.arena_bytes());
        assert_eq!(operators, artifact.info().operators);
        let of_records = artifact.plan().map(|entry| entry.unwrap().record.forms());
        assert_eq!(forms, of_records.fold(Forms::NONE, Forms::or));
    }
}

/// What the compiler says of `bytes` in a program.
fn refusal(bytes: &[u8]) -> &'static str {
    let refused = std::panic::catch_unwind(|| Needs::of(bytes)).unwrap_err();
    refused.downcast_ref::<&'static str>().copied().unwrap()
}

#[test]
fn what_is_no_whole_artifact_does_not_compile() {
    let with = |at: usize, value: u8| {
        let mut bytes = Keywords::ARTIFACT.to_vec();
        bytes[at] = value;
        bytes
    };
    assert_eq!(refusal(b"GIF89a, and so on"), "these bytes are not an edgepkg artifact");
    assert_eq!(refusal(&Keywords::ARTIFACT[..200]), "the artifact is cut short");
    assert_eq!(refusal(&with(8, 2)), "the artifact is of another version of edgepkg");
    assert_eq!(refusal(&with(10, 99)), "the artifact is of another version of edgepkg");
    assert_eq!(refusal(&with(20, 1)), "the artifact is damaged");
    // The length of the first record, in its head.
    let plan = Keywords::MODEL.artifact().plan_bytes();
    let head = Keywords::ARTIFACT.windows(plan.len()).position(|window| window == plan).unwrap();
    assert_eq!(refusal(&with(head + 3, 0xff)), "the artifact's plan is damaged");
    assert_eq!(refusal(&with(head, OperatorKind::Mul as u8)), "the artifact's plan is damaged");
}

#[test]
#[should_panic = "the artifact is for another instruction set than the program"]
fn a_model_for_another_instruction_set_does_not_compile() {
    let mut bytes = Keywords::ARTIFACT.to_vec();
    bytes[10] = Isa::Armv6m.code() as u8;
    Model::<Keywords>::compiled_in(&bytes);
}

#[test]
fn operators_that_are_not_linked_are_named() {
    type WithoutSoftmax = Only<{ Keywords::OPERATORS.without(SOFTMAX).bits() }>;
    const SOFTMAX: OperatorSet = OperatorSet::of(&[OperatorKind::Softmax]);
    let refused = Model::<WithoutSoftmax>::parse_linked(Keywords::ARTIFACT).unwrap_err();
    assert_eq!(refused, ModelError::MissingOperators(SOFTMAX));
}

#[test]
fn an_operator_that_the_info_conceals_is_refused_where_it_stands() {
    const SOFTMAX: u16 = OperatorKind::Softmax as u16;
    let mut bytes = AlignedBytes::from(Keywords::ARTIFACT);
    let operators = Keywords::OPERATORS.bits();
    let bit = 1u64 << SOFTMAX;
    // Both are in the second of the number's bytes, which hold 7 bits each.
    assert_eq!(operators & !0x3fff, 0);
    let encoded = [operators as u8 | 0x80, (operators >> 7) as u8];
    let at = bytes.windows(2).position(|pair| pair == encoded).unwrap();
    bytes[at + 1] &= !((bit >> 7) as u8);
    type Concealed = Only<{ Keywords::OPERATORS.bits() & !(1 << SOFTMAX) }>;
    let refused = Model::<Concealed>::parse_linked(&bytes).unwrap_err();
    assert!(
        matches!(
            refused,
            ModelError::Artifact(ArtifactError::Plan(PlanError::UnknownOperator { kind: SOFTMAX, .. }))
        ),
        "{refused:?}"
    );
}
