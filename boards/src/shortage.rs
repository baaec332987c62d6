//! What a board has too little of.

use std::fmt;

use serde::Serialize;

use crate::Memory;

/// Something that a board has less of than is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shortage {
    /// What there is too little of.
    pub of: Resource,
    /// What is needed.
    pub needed_bytes: u64,
    /// What the board has.
    pub limit_bytes: u64,
}

/// What a board has only so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Flash for the runner.
    RunnerFlash,
    /// Flash for the model.
    ModelFlash,
    /// Flash for an image that holds its model.
    ImageFlash,
    /// RAM for variables and arena, beside the stack.
    Ram,
    /// RAM for the stack.
    Stack,
}

impl Shortage {
    /// The shortage of `of`, if `limit_bytes` are fewer than are needed.
    pub fn find(of: Resource, needed_bytes: u64, limit_bytes: u64) -> Option<Self> {
        (needed_bytes > limit_bytes).then_some(Self { of, needed_bytes, limit_bytes })
    }

    /// What `memory` has too little of for a model alone, whatever the program around it takes.
    pub fn of_model(memory: &Memory, model_bytes: u64, arena_bytes: u64) -> Vec<Self> {
        let flash = Self::find(Resource::ModelFlash, model_bytes, memory.image().length);
        let ram = Self::find(Resource::Ram, arena_bytes, memory.ram.length - memory.stack_bytes);
        flash.into_iter().chain(ram).collect()
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shortage { of, needed_bytes, limit_bytes } = self;
        let missing_bytes = needed_bytes - limit_bytes;
        let what = match of {
            Resource::RunnerFlash => "flash for the runner",
            Resource::ModelFlash => "flash for the model",
            Resource::ImageFlash => "flash for the image",
            Resource::Ram => "RAM",
            Resource::Stack => "stack",
        };
        write!(f, "{missing_bytes} bytes of {what} are missing ({needed_bytes} needed, {limit_bytes} there)")
    }
}
