//! TensorFlow Lite Micro's CIRCULAR_BUFFER, a custom operator: a streaming model keeps the last rows that it was given.

use edgepkg_quantize::import::tflite;
use edgepkg_tests::host_session::HostSession;
use edgepkg_tests::tflite_file::{FileGraph, FileOperator, FileTensor, file, kind};

const ZERO_POINT: i64 = -5;
/// Bytes of a row: an image of two pixels, three channels.
const ROW: usize = 6;

/// FlexBuffers' `{"cycles_max": cycles}`.
fn options(cycles: u8) -> Vec<u8> {
    [b"cycles_max\0\x01\x0c\x01\x01\x01".as_slice(), &[cycles], b"\x04\x02\x24\x01"].concat()
}

/// A buffer of `rows`, behind which another one keeps `longer` of its rows, one each time.
fn model(options: &[u8], rows: i32, is_variable: bool) -> Vec<u8> {
    let tensor = |name, rows| FileTensor::new(name, kind::INT8, &[1, rows, 2, 3]).scaled(&[0.5], ZERO_POINT);
    let kept = tensor("y", rows);
    let kept = if is_variable { kept.variable() } else { kept };
    let operators = vec![FileOperator::custom("CIRCULAR_BUFFER", options, &[0], 1)];
    let tensors = vec![tensor("x", 1), kept];
    file(&[FileGraph { name: "stream", tensors, inputs: vec![0], outputs: vec![1], operators }])
}

fn row(run: usize) -> Vec<u8> {
    (0..ROW).map(|at| (10 * run + at) as u8).collect()
}

#[test]
fn the_last_rows_are_kept() {
    for (options, rows, is_variable) in
        [(options(1), 3, true), (options(1), 1, false), (Vec::new(), 5, true), (options(0), 13, false)]
    {
        let graph = tflite::read(&model(&options, rows, is_variable)).expect("a model file");
        let graph = graph.into_quantized().expect("an int8 model");
        let mut session = HostSession::new(&graph).expect("it can be run");
        for stream in 0..2 {
            // What comes before the first row is the zero point.
            let mut given = vec![ZERO_POINT as u8; rows as usize * ROW];
            for run in 0..20 {
                given.extend(row(run + stream));
                let found = session.run(&[row(run + stream)]).remove(0);
                assert_eq!(found, given[given.len() - found.len()..], "run {run} of {rows} rows");
                assert_eq!(found.len(), rows as usize * ROW);
            }
            session.reset_state();
        }
    }
}

#[test]
fn one_that_ends_runs_is_refused() {
    let message = |options: &[u8], rows| {
        tflite::read(&model(options, rows, true)).expect_err("a file that is refused").to_string()
    };
    let other = "CIRCULAR_BUFFER `y` lets what follows run only every second time or less often, which is not supported";
    assert_eq!(message(&options(2), 5), other);
    assert_eq!(message(&[], 6), other);
}
