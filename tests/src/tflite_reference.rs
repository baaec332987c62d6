//! What TensorFlow Lite's reference interpreter computes: `data/tflite_reference.tar.xz`, which
//! `python/tflite_reference.py` writes.

use std::collections::HashMap;
use std::fs;

use serde::Deserialize;

use crate::samples::{float_samples, integer_samples};
use crate::{archive, zoo};

/// The archive, unpacked in memory.
#[derive(Debug)]
pub struct References {
    /// What it holds.
    pub index: Index,
    files: HashMap<String, Vec<u8>>,
}

/// What the archive holds.
#[derive(Clone, Debug, Deserialize)]
pub struct Index {
    /// int8 models.
    pub int8: Vec<Int8Reference>,
    /// Float models made of them.
    pub float: Vec<MadeModel>,
    /// uint8 models made of them.
    pub uint8: Vec<MadeModel>,
}

/// An int8 model of the zoo.
#[derive(Clone, Debug, Deserialize)]
pub struct Int8Reference {
    /// The zoo's name for it.
    pub name: String,
    /// Whether the archive has its file; the zoo has the others.
    pub has_model: bool,
    /// The tensors that are kept, by name.
    pub tensors: Vec<String>,
}

/// A file of another kind with the layers of an int8 model.
#[derive(Clone, Debug, Deserialize)]
pub struct MadeModel {
    /// What it is called.
    pub name: String,
    /// The int8 model.
    pub of: String,
    /// What its weights are stored as, in a float model.
    #[serde(default)]
    pub weights: String,
}

impl References {
    /// Reads the archive.
    ///
    /// # Panics
    ///
    /// When it is not there or not sound.
    pub fn load() -> Self {
        let files = archive::unpack("tflite_reference");
        let index = serde_json::from_slice(&files["index.json"]).expect("an index");
        Self { index, files }
    }

    /// The model file `name` of the archive.
    pub fn model(&self, name: &str) -> &[u8] {
        self.file(name, "model.tflite")
    }

    /// The file of an int8 model; `None`, which is said, where only the zoo has it and there is none.
    ///
    /// # Panics
    ///
    /// When the zoo lacks it.
    pub fn int8_model(&self, reference: &Int8Reference) -> Option<Vec<u8>> {
        if reference.has_model {
            return Some(self.model(&reference.name).to_vec());
        }
        let path = zoo::folder()?.join(&reference.name).join("reference_int8.tflite");
        Some(fs::read(path).expect("the zoo holds this file"))
    }

    /// The bytes of each input, and of the interpreter's output for it.
    pub fn runs(&self, name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let [inputs, outputs] =
            ["inputs.npy", "outputs.npy"].map(|file| integer_samples(self.file(name, file)));
        inputs.into_iter().zip(outputs).collect()
    }

    /// The elements of each input, and of the interpreter's output for it.
    pub fn float_runs(&self, name: &str) -> Vec<(Vec<f32>, Vec<f32>)> {
        let [inputs, outputs] =
            ["inputs.npy", "outputs.npy"].map(|file| float_samples(self.file(name, file)));
        inputs.into_iter().zip(outputs).collect()
    }

    /// The bytes of every kept tensor of the first inputs' runs, by the tensors' names.
    pub fn tensors(&self, reference: &Int8Reference) -> HashMap<String, Vec<Vec<u8>>> {
        let named = reference.tensors.iter().enumerate();
        let tensor = |number| integer_samples(self.file(&reference.name, &format!("tensor{number}.npy")));
        named.map(|(number, name)| (name.clone(), tensor(number))).collect()
    }

    fn file(&self, name: &str, file: &str) -> &[u8] {
        &self.files[&format!("{name}/{file}")]
    }
}
