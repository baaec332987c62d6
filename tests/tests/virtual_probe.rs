//! Boards that a debug probe programs, without hardware: probe-rs as it is, over the virtual probe, to emulated chips.
#![cfg(unix)]

use std::ops::Range;

use edgepkg::deploy::{Connection, FlashKept, Reach, Written, connect, virtual_chip};
use edgepkg::device::probed::{self, Installation, ProbedRunner, RunnerChoice};
use edgepkg::device::{Device, DeviceError, LinkDevice, OpenOptions};
use edgepkg_boards::{Board, Memory, Region};
use edgepkg_format::slot::Commit;
use edgepkg_tests::models::{self, Int8Model};
use edgepkg_vprobe::{Change, SharedChip, TracedChange};

/// nRF51822's RAM.
const RAM: Range<u32> = 0x2000_0000..0x2000_4000;

fn microbit() -> Board {
    Board::find("microbit").unwrap()
}

fn chip(board: &Board) -> SharedChip {
    virtual_chip(board, FlashKept::Nowhere).unwrap()
}

fn reach(board: &Board, chip: &SharedChip) -> Connection {
    connect(board, Reach::Virtual(chip.clone())).unwrap()
}

fn check_runs(device: &mut dyn Device, model: &Int8Model, runs: usize) {
    for (run, (input, output)) in model.inputs.iter().zip(&model.outputs).take(runs).enumerate() {
        assert_eq!(device.run(&[input]).unwrap().outputs, [&output[..]], "{}, run {run}", model.name);
    }
}

#[test]
fn the_chips_own_algorithm_writes_runner_and_models_and_they_run_bit_for_bit() {
    let board = microbit();
    let (first, second) = (models::of_reference("hello_world_sine"), models::of_reference("digits_mlp"));
    let (chip, runner) = (chip(&board), ProbedRunner::of(&board).unwrap());
    let connection = reach(&board, &chip);
    assert_eq!(connection.chip(), "nRF51822_xxAA");
    let artifact = first.artifact(board.isa);
    let opened = probed::open(&board, connection, &artifact, OpenOptions::default(), &mut |_| ());
    check_runs(&mut opened.unwrap().0, &first, usize::MAX);
    let before = chip.lock().unwrap().flash().unwrap().to_vec();
    for (address, bytes) in runner.segments() {
        assert!(before[*address as usize..].starts_with(bytes), "runner at {address:#x}");
    }
    let memory = board.memory.as_ref().unwrap();
    check_holds(&before, memory, memory.model_slot, &artifact);

    chip.lock().unwrap().record();
    let artifact = second.artifact(board.isa);
    let mut connection = reach(&board, &chip);
    let plan = runner.plan(&board, &mut connection, &artifact).unwrap();
    connection.write(&plan, &mut |_| ()).unwrap();
    let (after, trace) = {
        let mut chip = chip.lock().unwrap();
        (chip.flash().unwrap().to_vec(), chip.take_trace())
    };
    check_written_by_the_core(before, &trace, &after);
    check_holds(&after, memory, memory.second_model_slot.unwrap(), &artifact);
    let mut device = runner.start(connection, OpenOptions::default(), RunnerChoice::Keep).unwrap();
    device.verify_digest().unwrap();
    check_runs(&mut device, &second, usize::MAX);
}

/// The flash is what the core made of it, by code in RAM: erasures and writes of the flash's controller, which a watchpoint
/// saw. What a debugger writes to the bus is in no trace.
#[track_caller]
fn check_written_by_the_core(mut flash: Vec<u8>, trace: &[TracedChange], after: &[u8]) {
    for TracedChange { change, program_counter } in trace {
        assert!(RAM.contains(program_counter), "{change:?} by {program_counter:#x}");
        change.apply(&mut flash);
    }
    let written = trace.iter().filter(|traced| matches!(traced.change, Change::Written { .. })).count();
    assert!(written > 500, "{written} words");
    assert!(flash == after, "the trace is all that changed the flash");
}

/// `slot` holds the artifact and its commit record, byte for byte.
#[track_caller]
fn check_holds(flash: &[u8], memory: &Memory, slot: Region, artifact: &[u8]) {
    let slot = &flash[slot.start as usize..slot.end() as usize];
    assert!(slot.starts_with(artifact));
    let record = Commit::from_bytes(&slot[memory.model_limit_bytes() as usize..]).unwrap();
    assert_eq!(record.committed(slot), Some(artifact));
}

#[test]
fn a_flashed_model_is_tried_before_it_is_valid_and_not_written_twice() {
    let board = microbit();
    let (model, chip) = (models::kws(), chip(&board));
    let artifact = model.artifact(board.isa);
    let install = |artifact: &[u8]| {
        let reach = Reach::Virtual(chip.clone());
        let installation = Installation {
            board: &board,
            reach: &reach,
            runner: RunnerChoice::WriteWhereItDiffers,
            artifact,
        };
        let mut tried = 0;
        let mut check = |device: &mut LinkDevice| {
            check_runs(device, &model, 2);
            tried += 1;
            Ok::<(), DeviceError>(())
        };
        let (mut device, written) =
            probed::install(installation, &mut |_, _| (), &mut check, &mut |_| ()).unwrap();
        check_runs(&mut device, &model, 2);
        (tried, written)
    };
    let (tried, written) = install(&artifact);
    assert_eq!(tried, 1);
    assert_eq!(written.unchanged_bytes, 0);
    let (tried, again) = install(&artifact);
    assert_eq!((tried, again.written_bytes), (0, 0), "it is there, and valid");
    // Another model: the runner stays, and the first model stays in its slot.
    let renamed = Int8Model { name: "another".to_owned(), ..model.clone() }.artifact(board.isa);
    let (tried, Written { written_bytes, unchanged_bytes }) = install(&renamed);
    assert_eq!(tried, 1);
    assert!(written_bytes < 80 << 10 && unchanged_bytes > 50 << 10, "{written_bytes}, {unchanged_bytes}");
    let memory = board.memory.as_ref().unwrap();
    let flash = chip.lock().unwrap().flash().unwrap().to_vec();
    let second = memory.second_model_slot.unwrap();
    assert!(flash[memory.model_slot.start as usize..].starts_with(&artifact));
    assert!(flash[second.start as usize..].starts_with(&renamed));
}

#[test]
fn kws_runs_on_a_cortex_m4_with_simulated_flash() {
    let board = Board::find("qemu-cortex-m4-probe").unwrap();
    let (model, chip) = (models::kws(), chip(&board));
    let connection = reach(&board, &chip);
    assert!(connection.simulation().unwrap().contains("its flash is simulated"));
    let opened =
        probed::open(&board, connection, &model.artifact(board.isa), OpenOptions::default(), &mut |_| ());
    check_runs(&mut opened.unwrap().0, &model, usize::MAX);
}
