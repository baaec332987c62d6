//! int8 models with the outputs that TensorFlow Lite Micro gives.

use std::path::{Path, PathBuf};

use edgepkg::device::{Device as _, HostDevice};
use edgepkg_boards::Board;
use edgepkg_format::Isa;
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::emit::{Emitted, Options, emit};
use edgepkg_quantize::optimize::Optimize;

use crate::import::int8_tflite;
use crate::samples::integer_samples;
use crate::tflite_reference::References;

/// A model file, inputs, and TFLM's outputs for them.
#[derive(Clone, Debug)]
pub struct Int8Model {
    /// The zoo's name for it.
    pub name: String,
    /// The `.tflite` file.
    pub tflite: Vec<u8>,
    /// One input a run, as bytes.
    pub inputs: Vec<Vec<u8>>,
    /// The output of each.
    pub outputs: Vec<Vec<u8>>,
}

impl Int8Model {
    /// The artifact for `isa`.
    ///
    /// # Panics
    ///
    /// When the file cannot be read or lowered.
    pub fn artifact(&self, isa: Isa) -> Vec<u8> {
        self.emitted(isa, DeadChannels::Drop).artifact
    }

    /// The artifact for `isa`, with what is known of it.
    ///
    /// # Panics
    ///
    /// When the file cannot be read or lowered.
    pub fn emitted(&self, isa: Isa, dead_channels: DeadChannels) -> Emitted {
        let graph = int8_tflite(&self.tflite).expect("an int8 model file");
        let options = Options {
            isa,
            name: &self.name,
            version: "0.1.0",
            labels: &[],
            graph_digest: [0; 32],
            dead_channels,
            optimize: Optimize::Speed,
        };
        emit(&graph, &options).expect("every operator is there")
    }
}

/// Keyword spotting, which this repository holds.
pub fn kws() -> Int8Model {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws"), "kws")
}

/// Boards that every model runs on.
const BOARDS_OF_ALL: [&str; 3] = ["host", "qemu-cortex-m4", "rpi"];
const ALL: [&str; 4] = ["kws", "ad", "ic", "vww"];
/// What the other boards run: their code is that of one of those, or portable.
const SMALL: [&str; 2] = ["kws", "ad"];
/// What the boards of this flash and less have room for.
const SMALL_FLASH_BYTES: u64 = 256 << 10;
const SMALLEST: [&str; 1] = ["kws"];

/// The models that `board` runs in tests, of those at hand. Says aloud which are not.
pub fn on_board(board: &Board) -> Vec<Int8Model> {
    let is_small = board.memory.as_ref().is_some_and(|memory| memory.image().length <= SMALL_FLASH_BYTES);
    let names = match BOARDS_OF_ALL.contains(&board.name.as_str()) {
        true => &ALL[..],
        false if is_small => &SMALLEST[..],
        false => &SMALL[..],
    };
    names.iter().filter_map(|name| named(name)).collect()
}

/// The boards that this machine is, or stands in for.
pub fn boards() -> impl Iterator<Item = Board> {
    Board::shipped().filter(|board| board.is_host() || board.emulator.is_some())
}

/// The model of this name; `None`, said aloud, where it is one of the zoo and `EDGEPKG_ZOO` names no folder.
pub fn named(name: &str) -> Option<Int8Model> {
    let model = if name == "kws" { Some(kws()) } else { zoo(name) };
    if model.is_none() {
        println!("skipped {name}: set EDGEPKG_ZOO to the folder of models");
    }
    model
}

/// A model of the zoo; `None` where `EDGEPKG_ZOO` names no folder.
pub fn zoo(name: &str) -> Option<Int8Model> {
    let folder = PathBuf::from(std::env::var_os("EDGEPKG_ZOO")?);
    Some(read(&folder.join(name), name))
}

/// An int8 model of TensorFlow Lite's references whose file the repository has, with this computer's outputs.
///
/// # Panics
///
/// When it does not run here.
pub fn of_reference(name: &str) -> Int8Model {
    let references = References::load();
    let tflite = references.model(name).to_vec();
    let inputs: Vec<Vec<u8>> = references.runs(name).into_iter().map(|(input, _)| input).collect();
    let mut model = Int8Model { name: name.to_owned(), tflite, inputs, outputs: Vec::new() };
    let mut host = HostDevice::open(&model.artifact(Isa::Portable)).expect("it runs here");
    let outputs =
        model.inputs.iter().map(|input| host.run(&[input]).expect("it runs here").outputs.remove(0));
    model.outputs = outputs.collect();
    model
}

fn read(folder: &Path, name: &str) -> Int8Model {
    let file = |path: &str| {
        let path = folder.join(path);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    Int8Model {
        name: name.to_owned(),
        tflite: file("reference_int8.tflite"),
        inputs: integer_samples(&file("tflm/inputs_i8.npy")),
        outputs: integer_samples(&file("tflm/outputs_i8.npy")),
    }
}
