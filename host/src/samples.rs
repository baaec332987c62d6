//! Samples from `.npy` files, as a model's inputs.

use std::path::PathBuf;

use edgepkg_quantize::samples::{Array, InputForm, Samples, SamplesError};
use thiserror::Error;

use edgepkg_quantize::package::{Element, Port};
use edgepkg_quantize::tensor_file::{self, TensorFile, TensorFileError, Values};

/// Why files are not a model's inputs.
#[derive(Debug, Error)]
pub enum InputError {
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// Files that do not fit the model.
    #[error("{} {} the model", list(.files), if .files.len() == 1 { "does not fit" } else { "do not fit" })]
    Samples {
        /// The files.
        files: Vec<PathBuf>,
        /// What does not fit.
        source: SamplesError,
    },
    /// Raw elements of another type than the input's.
    #[error("`{}` holds {found}, and the model's input `{input}` is {expected}", file.display())]
    RawType {
        /// The file.
        file: PathBuf,
        /// Type in the file.
        found: &'static str,
        /// The input's name.
        input: String,
        /// Type of the input.
        expected: &'static str,
    },
    /// Labels that are no whole numbers from 0 on.
    #[error("`{}` does not hold labels: they are whole numbers from 0 on", .0.display())]
    Labels(PathBuf),
}

fn list(files: &[PathBuf]) -> String {
    files.iter().map(|file| format!("`{}`", file.display())).collect::<Vec<_>>().join(", ")
}

/// How files give a model's inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// Numbers in the model's own units.
    Real,
    /// Integers as the model stores them.
    Raw,
}

/// A model's inputs.
#[derive(Clone, Copy, Debug)]
pub struct ModelInputs<'a> {
    /// What they are.
    pub ports: &'a [Port],
    /// Of each that holds indices, for each element how many elements it chooses among, where that is known.
    pub index_extents: &'a [Option<Vec<usize>>],
}

impl<'a> ModelInputs<'a> {
    fn forms(self) -> impl Iterator<Item = InputForm<'a>> {
        let form = |(port, extents): (&'a Port, &'a Option<Vec<usize>>)| InputForm {
            name: &port.name,
            shape: &port.shape,
            index_extents: extents.as_deref(),
        };
        self.ports.iter().zip(self.index_extents).map(form)
    }
}

/// Reads the files as they are, one for each input.
///
/// # Errors
///
/// When one cannot be read.
pub fn read_arrays(files: &[PathBuf]) -> Result<Vec<Array>, InputError> {
    files.iter().map(|file| Ok(array(tensor_file::read(file)?))).collect()
}

fn array(file: TensorFile) -> Array {
    Array { elements: file.to_f32(), shape: file.shape }
}

/// Raw bytes of the inputs of each sample in `files`: `[sample][input]`.
///
/// # Errors
///
/// When a file cannot be read, has another shape than its input, NaN, or, with [`Units::Raw`], another
/// type.
pub fn read_inputs(
    files: &[PathBuf],
    inputs: ModelInputs<'_>,
    units: Units,
) -> Result<Vec<Vec<Vec<u8>>>, InputError> {
    let ports = inputs.ports;
    let mut arrays = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let tensor = tensor_file::read(file)?;
        if let (Units::Raw, Some(port)) = (units, ports.get(index)) {
            check_raw(&tensor, port, file)?;
        }
        arrays.push(array(tensor));
    }
    let samples = fit(files, inputs, arrays)?;
    let bytes = |values: &[f32], port: &Port| match units {
        Units::Real => port.quantize(values),
        Units::Raw => port.to_bytes(values.iter().map(|&value| value as i32)),
    };
    let inputs = |sample: Vec<&[f32]>| {
        sample.into_iter().zip(ports).map(|(values, port)| bytes(values, port)).collect()
    };
    Ok(samples.iter().map(inputs).collect())
}

fn check_raw(tensor: &TensorFile, port: &Port, file: &std::path::Path) -> Result<(), InputError> {
    // Indices stand for themselves, whatever type holds them.
    let is_index = port.element == Element::Int32 && !tensor.element_type().starts_with("float");
    if tensor.element_type() == port.element.name() || is_index {
        return Ok(());
    }
    Err(InputError::RawType {
        file: file.into(),
        found: tensor.element_type(),
        input: port.name.clone(),
        expected: port.element.name(),
    })
}

fn fit(files: &[PathBuf], inputs: ModelInputs<'_>, arrays: Vec<Array>) -> Result<Samples, InputError> {
    let forms: Vec<InputForm<'_>> = inputs.forms().collect();
    Samples::of(&forms, arrays).map_err(|source| InputError::Samples { files: files.into(), source })
}

/// The labels in a file: for each sample the index of the right class.
///
/// # Errors
///
/// When it cannot be read, or holds anything but whole numbers from 0 on.
pub fn read_labels(file: &std::path::Path) -> Result<Vec<usize>, InputError> {
    let labels = tensor_file::read(file)?.to_i64();
    let labels =
        labels.and_then(|labels| labels.into_iter().map(|label| usize::try_from(label).ok()).collect());
    labels.ok_or_else(|| InputError::Labels(file.into()))
}

/// The file for an output of `samples`, int32 where that is indices: a leading axis of samples, in place of a leading 1 where the
/// model has one. `outputs` are its raw bytes in each sample.
pub fn output_file(port: &Port, outputs: &[&[u8]], units: Units) -> TensorFile {
    let mut shape = vec![outputs.len()];
    shape.extend(port.shape.strip_prefix(&[1]).unwrap_or(&port.shape));
    let elements = || outputs.iter().flat_map(|bytes| port.elements(bytes));
    let values = match (units, port.element) {
        (_, Element::Int32) => Values::Int32(elements().collect()),
        (Units::Real, _) => {
            Values::Float32(outputs.iter().flat_map(|bytes| port.dequantize(bytes)).collect())
        }
        (Units::Raw, Element::Int8) => Values::Int8(elements().map(|q| q as i8).collect()),
        (Units::Raw, Element::Int16) => Values::Int16(elements().map(|q| q as i16).collect()),
    };
    TensorFile { shape, values }
}
