//! A board on a desk, reached by the debug probe that `EDGEPKG_PROBE` names (`VID:PID[:SERIAL]`, as `edgepkg probes` lists
//! them). `EDGEPKG_PROBE_BOARD` says which board it is: `microbit`, where it is left out.

use edgepkg::deploy::{ProbeOptions, Reach};
use edgepkg::device::probed::{self, Installation, RunnerChoice};
use edgepkg::device::{Device, DeviceError, LinkDevice};
use edgepkg_boards::Board;
use edgepkg_tests::models::kws;

#[test]
fn a_board_computes_what_tflm_does_and_is_not_written_twice() {
    let Ok(selector) = std::env::var("EDGEPKG_PROBE") else {
        println!("skipped: set EDGEPKG_PROBE to a debug probe with a board (`edgepkg probes` lists them)");
        return;
    };
    let name = std::env::var("EDGEPKG_PROBE_BOARD").unwrap_or_else(|_| "microbit".to_owned());
    let board = Board::find(&name).unwrap();
    let model = kws();
    let artifact = model.artifact(board.isa);
    let reach = Reach::Probe(ProbeOptions { selector: Some(selector), ..ProbeOptions::default() });
    let mut written = Vec::new();
    for _ in 0..2 {
        let installation = Installation {
            board: &board,
            reach: &reach,
            runner: RunnerChoice::WriteWhereItDiffers,
            artifact: &artifact,
        };
        let mut check = |device: &mut LinkDevice| {
            for (input, expected) in model.inputs.iter().zip(&model.outputs) {
                assert_eq!(device.run(&[input])?.outputs, std::slice::from_ref(expected));
            }
            Ok::<(), DeviceError>(())
        };
        let installed = probed::install(installation, &mut |_, _| (), &mut check, &mut |_| ());
        let (mut device, done) = installed.unwrap_or_else(|error| panic!("{name}: {error}"));
        check(&mut device).unwrap();
        written.push(done);
    }
    assert_eq!(written[1].written_bytes, 0);
}
