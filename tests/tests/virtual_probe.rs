//! Boards that a debug probe programs, without hardware: probe-rs as it is, over the virtual probe, to emulated chips.
#![cfg(unix)]

use edgepkg::deploy::{Reach, Written, connect, virtual_chip};
use edgepkg::device::probed::{self, ProbedRunner, RunnerChoice};
use edgepkg::device::{Device, HostDevice, OpenOptions};
use edgepkg_boards::Board;
use edgepkg_format::Isa;
use edgepkg_tests::models::{self, Int8Model};
use edgepkg_tests::random_graphs::Random;

fn microbit() -> Board {
    Board::find("microbit").unwrap()
}

/// Runs `model` on `device` and in this process, on inputs made up from `seed`.
fn check_runs(device: &mut dyn Device, model: &Int8Model, runs: usize) {
    let mut host = HostDevice::open(&model.artifact(Isa::Portable)).unwrap();
    let mut random = Random::new(7);
    for run in 0..runs {
        let input = random.bytes(model.input_bytes());
        let expected = host.run(&[&input]).unwrap().outputs;
        assert_eq!(device.run(&[&input]).unwrap().outputs, expected, "{}, run {run}", model.name);
    }
}

#[test]
fn models_run_as_here() {
    for model in ["digits_mlp", "hello_world_sine"].into_iter().filter_map(models::of_zoo) {
        let board = microbit();
        let connection = connect(&board, Reach::Virtual(virtual_chip(&board).unwrap())).unwrap();
        assert_eq!(connection.chip(), "nRF51822_xxAA");
        let artifact = model.artifact(board.isa);
        let opened = probed::open(&board, connection, &artifact, OpenOptions::default(), &mut |_| ());
        check_runs(&mut opened.unwrap().0, &model, 20);
    }
}

#[test]
fn what_is_there_already_is_not_written_again() {
    let board = microbit();
    let model = models::kws();
    let artifact = model.artifact(board.isa);
    let chip = virtual_chip(&board).unwrap();
    let runner = ProbedRunner::of(&board).unwrap();
    let mut written = Vec::new();
    for _ in 0..2 {
        let mut connection = connect(&board, Reach::Virtual(chip.clone())).unwrap();
        let plan = runner.plan(&board, &mut connection, &artifact).unwrap();
        written.push(connection.write(&plan, &mut |_| ()).unwrap());
        let mut device = runner.start(connection, OpenOptions::default(), RunnerChoice::Keep).unwrap();
        check_runs(&mut device, &model, 1);
    }
    let Written { written_bytes, unchanged_bytes } = written[0];
    assert_eq!(unchanged_bytes, 0);
    assert_eq!(written[1], Written { written_bytes: 0, unchanged_bytes: written_bytes });
}

#[test]
fn kws_runs_on_a_cortex_m4_with_simulated_flash() {
    let board = Board::find("qemu-cortex-m4-probe").unwrap();
    let model = models::kws();
    let chip = virtual_chip(&board).unwrap();
    let connection = connect(&board, Reach::Virtual(chip)).unwrap();
    assert!(connection.simulation().unwrap().contains("its flash is simulated"));
    let opened =
        probed::open(&board, connection, &model.artifact(board.isa), OpenOptions::default(), &mut |_| ());
    let (mut device, _) = opened.unwrap();
    for (input, expected) in model.inputs.iter().zip(&model.outputs) {
        assert_eq!(device.run(&[input]).unwrap().outputs, std::slice::from_ref(expected));
    }
}
