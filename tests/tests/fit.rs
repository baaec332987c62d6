//! The fit certificate against what emulated boards use.

use edgepkg::device::{self, OpenOptions};
use edgepkg::fit::{self, Certificate, FitError};
use edgepkg::runners;
use edgepkg_boards::{Board, Region};
use edgepkg_format::Isa;
use edgepkg_tests::models::{self, Int8Model, kws};

/// How much more stack may be predicted than is used.
const SLACK_BYTES: u64 = 256;

fn runner(board: &Board) -> Vec<u8> {
    runners::find(board).unwrap_or_else(|error| panic!("{error}")).elf
}

fn certify(board: &Board, model: &Int8Model) -> Certificate {
    fit::certify(board, &runner(board), &model.artifact(board.isa)).expect("the model fits")
}

/// Boards with an emulator.
fn emulated_boards() -> impl Iterator<Item = Board> {
    Board::shipped().filter(|board| board.emulator.is_some())
}

/// Boards with an emulator, and the models that they run.
fn for_each_board_and_model(check: impl Fn(&Board, &Int8Model)) {
    for board in emulated_boards() {
        for model in models::on_board(&board) {
            check(&board, &model);
        }
    }
}

#[test]
fn the_stack_of_the_deepest_model_is_predicted_to_256_bytes() {
    for board in emulated_boards() {
        let mut deepest = 0;
        let mut predicted = 0;
        for model in models::on_board(&board) {
            // Of the runner, whatever its model.
            predicted = certify(&board, &model).ram.stack_bytes;
            let mut device =
                device::open(&board, &model.artifact(board.isa), OpenOptions::default()).expect("it starts");
            let measurement = device.measure(&[&model.inputs[0]]).expect("it runs");
            let measured = u64::from(measurement.stack_bytes.expect("the runner paints its stack"));
            println!("{} on {}: {measured} bytes of stack, {predicted} predicted", model.name, board.name);
            deepest = deepest.max(measured);
        }
        let tolerated = deepest..=deepest + SLACK_BYTES;
        assert!(tolerated.contains(&predicted), "{}: {deepest}, {predicted}", board.name);
    }
}

#[test]
fn the_arena_is_what_the_device_uses() {
    for_each_board_and_model(|board, model| {
        let stated = certify(board, model).ram;
        let mut device =
            device::open(board, &model.artifact(board.isa), OpenOptions::default()).expect("it starts");
        let description = device.description().unwrap();
        assert_eq!(stated.arena_bytes, u64::from(description.arena_bytes));
        let memory = board.memory.as_ref().unwrap();
        let beside_arena = stated.static_bytes + memory.stack_bytes;
        assert_eq!(memory.ram.length - beside_arena, description.arena_limit_bytes, "{}", board.name);
    });
}

#[test]
fn the_deepest_calls_are_named_from_the_start_on() {
    let board = Board::find("rpi").unwrap();
    let stack = certify(&board, &kws()).stack.unwrap();
    assert_eq!(stack.path[0].function, "_start");
    assert_eq!(stack.path.iter().map(|frame| frame.bytes).sum::<u32>(), stack.bytes);
}

#[test]
fn a_model_that_is_too_large_is_refused_with_what_is_missing() {
    let mut board = Board::find("qemu-cortex-m4").unwrap();
    let memory = board.memory.as_mut().unwrap();
    memory.ram = Region { length: 12 << 10, ..memory.ram };
    memory.model_slot = Region { length: 16 << 10, ..memory.model_slot };
    board.name = "small".to_owned();
    let limit_bytes = (12 << 10) - memory.stack_bytes;
    let error = fit::certify(&board, &runner(&board_named("qemu-cortex-m4")), &kws().artifact(board.isa));
    let Err(FitError::TooLarge { shortages, roomy_boards, .. }) = error else {
        panic!("{error:?}");
    };
    let [flash, ram] = &shortages[..] else { panic!("{shortages:?}") };
    assert_eq!(flash.limit_bytes, (16 << 10) - 16);
    assert_eq!(ram.limit_bytes, limit_bytes);
    assert!(ram.needed_bytes > ram.limit_bytes && flash.needed_bytes > flash.limit_bytes);
    assert_eq!(roomy_boards, Board::names().collect::<Vec<_>>());
}

fn board_named(name: &str) -> Board {
    Board::find(name).unwrap()
}

#[test]
fn the_host_has_no_limits_but_the_same_needs() {
    let model = kws();
    let artifact = model.artifact(Isa::Portable);
    let certificate = fit::certify(&board_named("host"), &[], &artifact).unwrap();
    assert_eq!(certificate.flash.model_bytes, artifact.len() as u64);
    assert_eq!(certificate.flash.limit_bytes, None);
    assert_eq!(certificate.ram.arena_bytes, 10_048);
}

#[test]
fn the_image_lies_where_the_board_file_says() {
    use object::{Object as _, ObjectSymbol as _};

    for board in Board::shipped().filter(|board| board.memory.is_some()) {
        let elf = runner(&board);
        let file = object::File::parse(&*elf).unwrap();
        let symbol = |name: &str| {
            let found = file.symbols().find(|symbol| symbol.name() == Ok(name));
            found.unwrap_or_else(|| panic!("{} has no {name}", board.name)).address()
        };
        let memory = board.memory.unwrap();
        assert_eq!(symbol("_stack_end"), memory.ram.start);
        assert_eq!(symbol("_stack_start"), memory.ram.start + memory.stack_bytes);
        assert_eq!(symbol("_arena_end"), memory.ram.end());
        assert_eq!(symbol("_model_slot_start"), memory.model_slot.start);
        assert_eq!(symbol("_model_slot_end"), memory.model_slot.end());
    }
}
