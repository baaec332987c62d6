//! Models that keep state: fed piece by piece they give the bytes that they give at once.

use edgepkg_quantize::graph::{Op, QuantizedGraph, SequenceOrder, Stateful};
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::import::int8_tflite;
use edgepkg_tests::tflm_ops::{Case, Cases};

/// Which dimension of a sequence its steps are; `None` where a graph is no recurrent layer of one sequence.
fn axis_of_steps(graph: &QuantizedGraph) -> Option<usize> {
    let [node] = &graph.nodes[..] else { return None };
    let Op::Stateful(Stateful::Lstm { order, .. }) = node.op else { return None };
    let (batches, steps) = match order {
        SequenceOrder::BatchMajor => (0, 1),
        SequenceOrder::TimeMajor => (1, 0),
    };
    (graph.tensor(graph.inputs[0]).shape[batches] == 1).then_some(steps)
}

/// `graph` on sequences of so many steps.
fn with_steps(graph: &QuantizedGraph, axis: usize, steps: usize) -> QuantizedGraph {
    let mut graph = graph.clone();
    for id in [graph.inputs[0], graph.outputs[0]] {
        graph.tensors[id.0].shape[axis] = steps;
    }
    graph
}

/// Outputs for `inputs` one after the other, each cut into runs of `bytes`.
fn run(session: &mut HostSession, inputs: &[u8], bytes: usize) -> Vec<u8> {
    inputs.chunks(bytes).flat_map(|chunk| session.run(&[chunk.to_vec()]).remove(0)).collect()
}

fn sessions(graph: &QuantizedGraph, axis: usize) -> Vec<(usize, HostSession)> {
    let steps = graph.tensor(graph.inputs[0]).shape[axis];
    let chunks = (1..=steps).filter(|chunk| steps.is_multiple_of(*chunk));
    chunks.map(|chunk| (chunk, HostSession::new(&with_steps(graph, axis, chunk)).unwrap())).collect()
}

fn samples(cases: &Cases, case: &Case) -> (Vec<u8>, Vec<u8>) {
    let join = |samples: Vec<Vec<Vec<u8>>>| samples.into_iter().flatten().flatten().collect();
    (join(cases.inputs(case)), join(cases.outputs(case)))
}

#[test]
fn sequences_in_pieces_give_the_bytes_of_whole_ones() {
    let cases = Cases::load();
    let mut models = 0;
    for case in &cases.cases {
        let Ok(graph) = int8_tflite(cases.model(case)) else { continue };
        let Some(axis) = axis_of_steps(&graph) else { continue };
        let (inputs, expected) = samples(&cases, case);
        let steps = graph.tensor(graph.inputs[0]).shape[axis];
        let step_bytes = inputs.len() / steps / cases.inputs(case).len();
        for (chunk, mut session) in sessions(&graph, axis) {
            let outputs = run(&mut session, &inputs, chunk * step_bytes);
            assert_eq!(outputs, expected, "{} in pieces of {chunk} steps", case.path);
        }
        models += 1;
    }
    assert!(models >= 20, "{models} models");
}

#[test]
fn a_reset_brings_back_the_first_answers() {
    let cases = Cases::load();
    let keeps_state =
        |case: &&Case| ["VAR_STREAM", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"].contains(&case.group());
    for case in cases.cases.iter().filter(keeps_state) {
        let mut session = HostSession::new(&int8_tflite(cases.model(case)).unwrap()).unwrap();
        let (inputs, expected) = (cases.inputs(case), cases.outputs(case));
        let mut answer = || inputs.iter().map(|inputs| session.run(inputs)).collect::<Vec<_>>();
        assert_eq!(answer(), expected, "{}", case.path);
        let later = answer();
        session.reset_state();
        let mut answer = || inputs.iter().map(|inputs| session.run(inputs)).collect::<Vec<_>>();
        assert_eq!(answer(), expected, "{} after a reset", case.path);
        assert_eq!(answer(), later, "{} goes on as before", case.path);
    }
}
