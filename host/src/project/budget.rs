//! What a package takes on its project's targets, against what it may.

use edgepkg_boards::{Board, BoardError};
use edgepkg_format::Isa;

use super::{OutOfLimits, Project};
use crate::model::{BoardModel, Choices};
use edgepkg_quantize::package::Package;

/// The instruction set of a target: a board's, or one named itself.
///
/// # Errors
///
/// When there is no such board.
pub fn target_isa(name: &str) -> Result<Isa, BoardError> {
    match Isa::from_name(name) {
        Some(isa) => Ok(isa),
        None => Board::find(name).map(|board| board.isa),
    }
}

/// Lowers `package` for each target of the project, and gives each budget that it exceeds.
///
/// # Errors
///
/// When it cannot be lowered, or a target is none.
pub fn check_budgets(project: &Project, package: &Package) -> Result<Vec<OutOfLimits>, crate::error::Error> {
    let mut exceeded = Vec::new();
    for (name, target) in &project.schema.targets {
        let isa = target_isa(name)?;
        let model = BoardModel::lower(package, isa, Choices::default())?;
        let (flash, arena) = (model.artifact.len() as u64, u64::from(model.arena_bytes));
        let sizes = [("flash", flash, target.flash_bytes), ("arena", arena, target.arena_bytes)];
        exceeded.extend(sizes.into_iter().filter_map(|(what, needed_bytes, budget)| {
            let budget_bytes = budget.filter(|&budget| needed_bytes > budget)?;
            Some(OutOfLimits::Budget { target: name.clone(), what, needed_bytes, budget_bytes })
        }));
    }
    Ok(exceeded)
}
