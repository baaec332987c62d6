//! int8 models with the outputs that TensorFlow Lite Micro gives.

use std::path::{Path, PathBuf};

use edgepkg_format::Isa;
use edgepkg_quantize::drop_dead_channels::DeadChannels;
use edgepkg_quantize::emit::{Emitted, Options, emit};

use crate::import::int8_tflite;
use crate::samples::integer_samples;

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
        };
        emit(&graph, &options).expect("every operator is there")
    }
}

/// Keyword spotting, which this repository holds.
pub fn kws() -> Int8Model {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kws"), "kws")
}

/// A model of the zoo; `None` where `EDGEPKG_ZOO` names no folder.
pub fn zoo(name: &str) -> Option<Int8Model> {
    let folder = PathBuf::from(std::env::var_os("EDGEPKG_ZOO")?);
    Some(read(&folder.join(name), name))
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
