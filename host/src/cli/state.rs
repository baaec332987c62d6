//! What a model keeps between runs, as the command line names it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use crate::pack::{State, StatePort};

/// Inputs that are outputs of the run before.
#[derive(Args, Clone, Debug)]
pub struct StateArguments {
    /// An input of a float model that has the value of an output of the run before: the model keeps it; may be repeated
    #[arg(long, value_name = "INPUT=OUTPUT")]
    state: Vec<Pair<String>>,
    /// The first value of such an input (.npy) [default: zeros]; may be repeated
    #[arg(long, value_name = "INPUT=X.npy", requires = "state")]
    initial: Vec<Pair<PathBuf>>,
    /// Samples that follow each other before what is kept starts anew [default: all]
    #[arg(long, value_name = "N", requires = "state")]
    reset_every: Option<NonZeroUsize>,
}

impl StateArguments {
    /// What to keep.
    pub fn state(&self) -> State {
        let named = |Pair { input, value }: &Pair<PathBuf>| (input.clone(), value.clone());
        State {
            ports: self
                .state
                .iter()
                .map(|Pair { input, value }| StatePort { input: input.clone(), output: value.clone() })
                .collect(),
            initial: self.initial.iter().map(named).collect(),
            reset_every: self.reset_every,
        }
    }
}

/// An input's name and what belongs to it, `INPUT=...`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair<T> {
    input: String,
    value: T,
}

impl<T: From<String>> FromStr for Pair<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (input, value) = text.split_once('=').ok_or("it has the form INPUT=...")?;
        Ok(Self { input: input.to_owned(), value: value.to_owned().into() })
    }
}
