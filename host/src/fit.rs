//! The fit certificate: flash, RAM and stack that a model takes on a board, against what it has. It is
//! made before anything is flashed.

mod runner_size;
pub mod stack;

use edgepkg_boards::{Board, Memory, Resource, Shortage};
use edgepkg_format::aligned::AlignedBytes;
use edgepkg_format::{Artifact, ArtifactError};
use serde::Serialize;

use self::runner_size::RunnerSize;
use self::stack::{StackBound, StackError};

/// What a model takes on a board that has room for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// What keeps its contents without power.
    pub flash: FlashUse,
    /// What is worked in.
    pub ram: RamUse,
    /// The calls with which the stack is deepest; none on `host`.
    #[serde(skip)]
    pub stack: Option<StackBound>,
}

/// Use of a board's flash, or of the memory that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FlashUse {
    /// The runner: code, constants, initial values of its variables. 0 on `host`, and where the program is not known.
    pub code_bytes: u64,
    /// The artifact.
    pub model_bytes: u64,
    /// What the board has for both; none on `host`.
    pub limit_bytes: Option<u64>,
}

/// Use of a board's RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RamUse {
    /// The model's arena.
    pub arena_bytes: u64,
    /// Of the arena, what the model keeps between runs.
    pub state_bytes: u64,
    /// The runner's variables. 0 on `host`.
    pub static_bytes: u64,
    /// The most stack that is ever in use, as its machine code shows. 0 on `host`.
    pub stack_bytes: u64,
    /// What the board has for all three; none on `host`.
    pub limit_bytes: Option<u64>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The model is too large.
    #[error("the model does not fit `{board}`: {}", list(shortages))]
    TooLarge {
        /// The board's name.
        board: String,
        /// What is missing, at least one thing.
        shortages: Vec<Shortage>,
        /// The shipped boards that have room for it.
        roomy_boards: Vec<String>,
    },
    /// The artifact is not sound.
    #[error("the artifact cannot be read: {0}")]
    Artifact(ArtifactError),
    /// The runner is not an ELF file.
    #[error("the runner is no ELF file that can be read: {0}")]
    NotElf(#[from] object::Error),
    /// The runner does not say where its memory ends.
    #[error("the runner has no symbol `{name}`")]
    NoSymbol {
        /// The symbol's name.
        name: &'static str,
    },
    /// The runner's stack has no known bound.
    #[error(transparent)]
    Stack(#[from] StackError),
}

fn list(shortages: &[Shortage]) -> String {
    shortages.iter().map(Shortage::to_string).collect::<Vec<_>>().join("; ")
}

impl FitError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            FitError::TooLarge { roomy_boards, .. } => {
                let names: Vec<_> = roomy_boards.iter().map(|name| format!("`{name}`")).collect();
                Some(format!(
                    "these boards have room for it: {}; or choose a smaller model",
                    names.join(", ")
                ))
            }
            FitError::NoSymbol { .. } | FitError::NotElf(_) | FitError::Stack(_) => {
                Some("build the runners anew with `cargo xtask runners`".to_owned())
            }
            FitError::Artifact(_) => Some("build it again from its package with `edgepkg build`".to_owned()),
        }
    }
}

/// The certificate of `artifact` in this process, which has no limits that are known.
///
/// # Errors
///
/// When the artifact is not sound.
pub fn certify_host(artifact: &[u8]) -> Result<Certificate, FitError> {
    let bytes = AlignedBytes::from(artifact);
    let artifact = Artifact::parse(&bytes).map_err(FitError::Artifact)?;
    let model_bytes = artifact.bytes().len() as u64;
    let arena_bytes = u64::from(artifact.arena_bytes());
    let state_bytes = artifact.state().len() as u64;
    Ok(Certificate {
        flash: FlashUse { code_bytes: 0, model_bytes, limit_bytes: None },
        ram: RamUse { arena_bytes, state_bytes, static_bytes: 0, stack_bytes: 0, limit_bytes: None },
        stack: None,
    })
}

/// Shows that `artifact` fits `board`, whose linked runner is the ELF file `runner`.
///
/// # Errors
///
/// [`FitError::TooLarge`] when it does not; others when artifact or runner cannot be judged.
pub fn certify(board: &Board, runner: &[u8], artifact: &[u8]) -> Result<Certificate, FitError> {
    let host = certify_host(artifact)?;
    let Some(memory) = &board.memory else {
        return Ok(host);
    };
    let flash = FlashUse {
        code_bytes: RunnerSize::of(runner, memory)?.code_bytes,
        limit_bytes: Some(memory.code.length + memory.model_limit_bytes()),
        ..host.flash
    };
    let certificate = certificate(memory, runner, artifact, flash)?;
    certificate.for_board(board, Certificate::shortages)
}

/// Shows that `image`, an ELF file that holds `artifact`, fits `board`.
///
/// # Errors
///
/// [`FitError::TooLarge`] when it does not; others when artifact or image cannot be judged.
pub fn certify_embedded(board: &Board, image: &[u8], artifact: &[u8]) -> Result<Certificate, FitError> {
    let host = certify_host(artifact)?;
    let Some(memory) = &board.memory else {
        return Ok(host);
    };
    let image_bytes = RunnerSize::of(image, memory)?.code_bytes;
    let flash = FlashUse {
        code_bytes: image_bytes.saturating_sub(host.flash.model_bytes),
        limit_bytes: Some(memory.image().length),
        ..host.flash
    };
    let certificate = certificate(memory, image, artifact, flash)?;
    certificate.for_board(board, Certificate::shortages_of_image)
}

/// Shows that `artifact` alone fits `board`: the program that is to hold it is not known.
///
/// # Errors
///
/// [`FitError::TooLarge`] when it does not; others when the artifact cannot be judged.
pub fn certify_model(board: &Board, artifact: &[u8]) -> Result<Certificate, FitError> {
    let mut certificate = certify_host(artifact)?;
    if let Some(memory) = &board.memory {
        certificate.flash.limit_bytes = Some(memory.image().length);
        certificate.ram.limit_bytes = Some(memory.ram.length);
    }
    certificate.for_board(board, Certificate::shortages_of_image)
}

/// What `image` takes with `artifact`, whether there is room for it or not.
fn certificate(
    memory: &Memory,
    image: &[u8],
    artifact: &[u8],
    flash: FlashUse,
) -> Result<Certificate, FitError> {
    let bytes = AlignedBytes::from(artifact);
    let artifact = Artifact::parse(&bytes).map_err(FitError::Artifact)?;
    let stack = stack::bound(image, artifact.info().operators)?;
    let ram = RamUse {
        arena_bytes: u64::from(artifact.arena_bytes()),
        state_bytes: artifact.state().len() as u64,
        static_bytes: RunnerSize::of(image, memory)?.static_bytes,
        stack_bytes: u64::from(stack.bytes),
        limit_bytes: Some(memory.ram.length),
    };
    Ok(Certificate { flash, ram, stack: Some(stack) })
}

impl Certificate {
    /// The certificate, if `shortages` finds none on `board`.
    fn for_board(
        self,
        board: &Board,
        shortages: impl Fn(&Self, &Memory) -> Vec<Shortage>,
    ) -> Result<Self, FitError> {
        let on =
            |board: &Board| board.memory.as_ref().map(|memory| shortages(&self, memory)).unwrap_or_default();
        let found = on(board);
        if found.is_empty() {
            return Ok(self);
        }
        let roomy_boards =
            Board::shipped().filter(|other| on(other).is_empty()).map(|other| other.name).collect();
        Err(FitError::TooLarge { board: board.name.clone(), shortages: found, roomy_boards })
    }

    /// What `memory` has too little of for a runner and a model in its slot.
    fn shortages(&self, memory: &Memory) -> Vec<Shortage> {
        let flash = [
            (Resource::RunnerFlash, self.flash.code_bytes, memory.code.length),
            (Resource::ModelFlash, self.flash.model_bytes, memory.model_limit_bytes()),
        ];
        self.shortages_of(memory, &flash)
    }

    /// What `memory` has too little of for an image that holds its model.
    fn shortages_of_image(&self, memory: &Memory) -> Vec<Shortage> {
        let image_bytes = self.flash.code_bytes + self.flash.model_bytes;
        self.shortages_of(memory, &[(Resource::ImageFlash, image_bytes, memory.image().length)])
    }

    fn shortages_of(&self, memory: &Memory, flash: &[(Resource, u64, u64)]) -> Vec<Shortage> {
        let beside_stack_bytes = memory.ram.length - memory.stack_bytes;
        let ram = [
            (Resource::Ram, self.ram.static_bytes + self.ram.arena_bytes, beside_stack_bytes),
            (Resource::Stack, self.ram.stack_bytes, memory.stack_bytes),
        ];
        flash
            .iter()
            .copied()
            .chain(ram)
            .filter_map(|(of, needed_bytes, limit_bytes)| Shortage::find(of, needed_bytes, limit_bytes))
            .collect()
    }
}

#[cfg(test)]
mod tests;
