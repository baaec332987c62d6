//! Inputs for the model: one array for each input, its first axis counting samples.

mod index_extents;

use std::num::NonZeroUsize;

pub use index_extents::index_extents;
use thiserror::Error;

use crate::graph::{Graph, Tensor};

/// An array as it was read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Elements in row-major order.
    pub elements: Vec<f32>,
}

/// Why arrays cannot be the model's inputs.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SamplesError {
    /// Too few arrays, or too many.
    #[error("the model has {expected} inputs, but {found} arrays are given")]
    InputCount {
        /// Inputs of the model.
        expected: usize,
        /// Arrays given.
        found: usize,
    },
    /// An array whose samples do not have the input's shape.
    #[error(
        "samples for input `{input}` have shape {found:?}; the model takes {expected:?}, one or many along a first axis"
    )]
    Shape {
        /// The input.
        input: String,
        /// Shape of the model's input.
        expected: Vec<usize>,
        /// Shape of the array.
        found: Vec<usize>,
    },
    /// Inputs with different numbers of samples.
    #[error("input `{input}` has {found} samples, the first input {expected}")]
    SampleCount {
        /// The input.
        input: String,
        /// Samples of the first input.
        expected: usize,
        /// Samples of this one.
        found: usize,
    },
    /// No sample at all.
    #[error("there is no sample")]
    Empty,
    /// A value that is no number.
    #[error("sample {sample} of input `{input}` has {value} at element {element}")]
    NotFinite {
        /// The input.
        input: String,
        /// Index of the sample.
        sample: usize,
        /// Index of the element in the sample, row-major.
        element: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// A value that is no index, for an input of indices.
    #[error(
        "sample {sample} of input `{input}` has {value} at element {element}; its values are indices, whole numbers from 0 to {}",
        extent - 1
    )]
    Index {
        /// The input.
        input: String,
        /// Index of the sample.
        sample: usize,
        /// Index of the element in the sample, row-major.
        element: usize,
        /// What is there.
        value: f32,
        /// How many elements it chooses among.
        extent: usize,
    },
}

/// What an input of a model takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputForm<'a> {
    /// Its name.
    pub name: &'a str,
    /// Extents, outermost first.
    pub shape: &'a [usize],
    /// For each of its elements, how many elements it chooses among, where it holds indices: see [`index_extents`].
    pub index_extents: Option<&'a [usize]>,
}

impl SamplesError {
    /// The way out, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            SamplesError::InputCount { .. } => Some("give one file for each input, in the model's order"),
            SamplesError::NotFinite { .. } => Some("leave such samples out, or mend what makes them"),
            SamplesError::Shape { .. } => {
                Some("the first axis counts samples, the rest is the shape of the model's input")
            }
            SamplesError::Empty => Some("give at least one"),
            SamplesError::Index { .. } => {
                Some("count from the start, and give what the model has no element for an index of its own")
            }
            SamplesError::SampleCount { .. } => None,
        }
    }
}

/// Samples that a model can take: every one complete, every value finite, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    count: usize,
    /// How many follow each other before the next one starts anew; all where it is `None`.
    stream: Option<NonZeroUsize>,
    arrays: Vec<Vec<f32>>,
}

impl Samples {
    /// Takes `arrays`, in the order of the graph's inputs; see [`Self::of`].
    ///
    /// # Errors
    ///
    /// As [`Self::of`].
    pub fn new<T: Tensor>(graph: &Graph<T>, arrays: Vec<Array>) -> Result<Self, SamplesError> {
        let extents = index_extents(graph);
        let inputs = graph.inputs.iter().map(|&id| graph.tensor(id)).zip(&extents);
        let forms: Vec<InputForm<'_>> = inputs
            .map(|(tensor, extents)| InputForm {
                name: tensor.name(),
                shape: tensor.shape(),
                index_extents: extents.as_deref(),
            })
            .collect();
        Self::of(&forms, arrays)
    }

    /// Takes `arrays`, in the order of `forms`.
    ///
    /// An array is one sample, or has a first axis that counts them. Extents of 1 need not agree: a model
    /// of `[1, 28, 28, 1]` takes samples of `[100, 28, 28]`.
    ///
    /// # Errors
    ///
    /// When shapes or counts do not fit, when there is no sample, when a value is NaN or infinite, or is no index where
    /// one must be.
    pub fn of(forms: &[InputForm<'_>], arrays: Vec<Array>) -> Result<Self, SamplesError> {
        if arrays.len() != forms.len() {
            return Err(SamplesError::InputCount { expected: forms.len(), found: arrays.len() });
        }
        let mut count = None;
        for (form, array) in forms.iter().zip(&arrays) {
            let input = || form.name.to_owned();
            let found = count_samples(&array.shape, form.shape).ok_or_else(|| SamplesError::Shape {
                input: input(),
                expected: form.shape.to_vec(),
                found: array.shape.clone(),
            })?;
            let expected = *count.get_or_insert(found);
            if found != expected {
                return Err(SamplesError::SampleCount { input: input(), expected, found });
            }
            let elements: usize = form.shape.iter().product();
            let place = |index: usize| (index / elements, index % elements, array.elements[index]);
            if let Some(index) = array.elements.iter().position(|value| !value.is_finite()) {
                let (sample, element, value) = place(index);
                return Err(SamplesError::NotFinite { input: input(), sample, element, value });
            }
            let Some(extents) = form.index_extents else { continue };
            let is_index = |(value, &extent): (&f32, &usize)| {
                extent == usize::MAX || value.fract() == 0.0 && (0.0..extent as f32).contains(value)
            };
            let mut checked = array.elements.iter().zip(extents.iter().cycle());
            if let Some(index) = checked.position(|pair| !is_index(pair)) {
                let (sample, element, value) = place(index);
                let extent = extents[element];
                return Err(SamplesError::Index { input: input(), sample, element, value, extent });
            }
        }
        match count.unwrap_or(0) {
            0 => Err(SamplesError::Empty),
            count => Ok(Self {
                count,
                stream: None,
                arrays: arrays.into_iter().map(|array| array.elements).collect(),
            }),
        }
    }

    /// How many there are: at least 1.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The same samples as streams of `length`: what a model keeps between runs has its first value before each of them.
    /// Without, they are one stream.
    #[must_use]
    pub fn in_streams_of(self, length: NonZeroUsize) -> Self {
        Self { stream: Some(length), ..self }
    }

    /// Whether a stream starts with sample `index`.
    pub fn starts_anew(&self, index: usize) -> bool {
        self.stream.map_or(index == 0, |length| index.is_multiple_of(length.get()))
    }

    /// Sample `index`: the elements of each input.
    pub fn get(&self, index: usize) -> Vec<&[f32]> {
        self.arrays
            .iter()
            .map(|elements| {
                let len = elements.len() / self.count;
                &elements[index * len..][..len]
            })
            .collect()
    }

    /// Every sample in order.
    pub fn iter(&self) -> impl Iterator<Item = Vec<&[f32]>> {
        (0..self.count).map(|index| self.get(index))
    }

    /// All samples of input `index`, one after the other.
    pub fn input(&self, index: usize) -> &[f32] {
        &self.arrays[index]
    }
}

/// How many samples of shape `input` an array of shape `array` holds.
fn count_samples(array: &[usize], input: &[usize]) -> Option<usize> {
    let squeezed =
        |shape: &[usize]| -> Vec<usize> { shape.iter().copied().filter(|&extent| extent != 1).collect() };
    match array.split_first() {
        Some((&count, sample)) if squeezed(sample) == squeezed(input) => Some(count),
        _ if squeezed(array) == squeezed(input) => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::{Array, Samples, SamplesError, count_samples};
    use crate::graph::{FloatGraph, FloatTensor, TensorId};

    fn model(shape: &[usize]) -> FloatGraph {
        FloatGraph {
            name: String::new(),
            tensors: vec![FloatTensor { name: "x".into(), shape: shape.to_vec(), data: None }],
            nodes: Vec::new(),
            inputs: vec![TensorId(0)],
            outputs: Vec::new(),
            rounding: (),
        }
    }

    #[test]
    fn counts_samples_along_a_first_axis() {
        assert_eq!(count_samples(&[96, 49, 10, 1], &[1, 49, 10, 1]), Some(96));
        assert_eq!(count_samples(&[1, 49, 10, 1], &[1, 49, 10, 1]), Some(1));
        assert_eq!(count_samples(&[49, 10], &[1, 49, 10, 1]), Some(1));
        assert_eq!(count_samples(&[100, 28, 28], &[1, 1, 28, 28]), Some(100));
        assert_eq!(count_samples(&[32, 1], &[1, 1]), Some(32));
        assert_eq!(count_samples(&[5, 5, 5], &[1, 5, 5]), Some(5));
        assert_eq!(count_samples(&[96, 10, 49], &[1, 49, 10, 1]), None);
        assert_eq!(count_samples(&[0, 4], &[1, 4]), Some(0));
    }

    #[test]
    fn names_the_sample_that_is_not_finite() {
        let array = Array { shape: vec![2, 2], elements: vec![0.0, 1.0, 2.0, f32::NAN] };
        let error = Samples::new(&model(&[1, 2]), vec![array]).unwrap_err();
        assert_eq!(error.to_string(), "sample 1 of input `x` has NaN at element 1");
    }

    #[test]
    fn refuses_what_is_not_the_inputs_shape() {
        let array = Array { shape: vec![2, 3], elements: vec![0.0; 6] };
        let error = Samples::new(&model(&[1, 2]), vec![array]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "samples for input `x` have shape [2, 3]; the model takes [1, 2], one or many along a first axis"
        );
        let none = Array { shape: vec![0, 2], elements: Vec::new() };
        assert_eq!(Samples::new(&model(&[1, 2]), vec![none]), Err(SamplesError::Empty));
        let error = Samples::new(&model(&[1, 2]), Vec::new()).unwrap_err();
        assert_eq!(error, SamplesError::InputCount { expected: 1, found: 0 });
    }

    #[test]
    fn hands_out_samples() {
        let array = Array { shape: vec![2, 2], elements: vec![0.0, 1.0, 2.0, 3.0] };
        let samples = Samples::new(&model(&[1, 2]), vec![array]).unwrap();
        assert_eq!(samples.get(1), [[2.0, 3.0]]);
        assert_eq!(samples.count(), 2);
        assert_eq!([0, 1].map(|index| samples.starts_anew(index)), [true, false]);
        let each = samples.in_streams_of(NonZeroUsize::MIN);
        assert_eq!([0, 1].map(|index| each.starts_anew(index)), [true, true]);
    }
}
