//! What the user adds to a model file that leaves its inputs' shapes open.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::Args;
use edgepkg_quantize::import::ImportOptions;

use crate::model::ModelError;

/// Shapes of inputs.
#[derive(Args, Clone, Debug)]
pub struct ShapeArguments {
    /// Shape of an input that the model file leaves open; may be repeated
    #[arg(long, value_name = "INPUT=1,3,96,96")]
    shape: Vec<InputShape>,
    /// The batch, where the model file leaves it open [default: 1]
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroUsize>,
}

impl ShapeArguments {
    /// The shapes by the inputs' names.
    ///
    /// # Errors
    ///
    /// When an input is given two shapes.
    pub fn import_options(&self) -> Result<ImportOptions, ModelError> {
        let mut shapes = BTreeMap::new();
        for InputShape { input, shape } in &self.shape {
            if shapes.insert(input.clone(), shape.clone()).is_some_and(|before| before != *shape) {
                return Err(ModelError::ShapeTwice(input.clone()));
            }
        }
        Ok(ImportOptions { shapes, batch: self.batch.map(NonZeroUsize::get), folder: None })
    }
}

/// An input's shape, `NAME=1,3,96,96`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct InputShape {
    input: String,
    shape: Vec<usize>,
}

impl FromStr for InputShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Names may have `=` in them, extents may not.
        let (input, extents) = text.rsplit_once('=').ok_or("it has the form NAME=1,3,96,96")?;
        let extent = |text: &str| match text.trim().parse() {
            Ok(extent @ 1..) => Ok(extent),
            _ => Err(format!("`{text}` is no extent: extents are whole numbers from 1")),
        };
        Ok(Self { input: input.to_owned(), shape: extents.split(',').map(extent).collect::<Result<_, _>>()? })
    }
}
