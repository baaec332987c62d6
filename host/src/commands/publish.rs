//! `edgepkg publish`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use edgepkg_format::Isa;
use serde::Serialize;

use super::registry_arguments::RegistryArguments;
use super::{Outcome, write_json};
use crate::cli::{ImportArguments, OutputArguments};
use crate::error::Error;
use crate::model::Model;
use crate::progress::Progress;
use crate::project::{Project, Requirement, target_isa};
use crate::publish::{self, PublishError, Step};
use crate::release::{Change, NewRelease};
use crate::store::Home;
use crate::table::Bytes;
use crate::trust::{self, Keys};
use edgepkg_quantize::package::{Package, PackageName};

/// The instruction sets that a release has artifacts for where its project names none.
const DEFAULT_TARGETS: [Isa; 4] = [Isa::Armv7m, Isa::Armv7em, Isa::Armv8mMainDsp, Isa::Aarch64];

/// Arguments of `edgepkg publish`.
#[derive(Args, Debug)]
pub struct PublishArguments {
    /// A package (.edgepkg) [default: that of the project one stands in]
    #[arg(value_name = "PKG")]
    package: Option<PathBuf>,
    /// Do everything but publish
    #[arg(long)]
    dry_run: bool,
    /// Sign it with this key of yours
    #[arg(long, value_name = "KEY")]
    sign: Option<PackageName>,
    #[command(flatten)]
    registry: RegistryArguments,
    #[command(flatten)]
    import: ImportArguments,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct PublishResult<'a> {
    name: &'a str,
    version: &'a str,
    registry: String,
    digest: String,
    targets: Vec<&'static str>,
    before: Option<String>,
    change: Option<Change>,
    total_bytes: u64,
    sent_bytes: u64,
    signed_by: Option<String>,
    dry_run: bool,
}

/// Publishes a package.
///
/// # Errors
///
/// When it cannot be made a release, its version does not say what changed, or the registry does not take it.
pub fn execute(arguments: &PublishArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let (package, project) = arguments.read()?;
    let new = NewRelease::of(&package, &targets(project.as_ref())?, dependencies(project.as_ref()))
        .map_err(PublishError::from)?;
    let key = match &arguments.sign {
        Some(name) => Some(Keys::within(&Home::find()?.configuration).find(name)?),
        None => None,
    };
    let registry = arguments.registry.open()?;
    let step = publish::check(&new.release, &*registry)?;
    let progress = Progress::new("publishing");
    let show = |done: u64, total: u64| progress.show("publishing", done as usize, total as usize);
    let sent_bytes = match arguments.dry_run {
        true => 0,
        false => publish::push(&new, &*registry, &show).map_err(PublishError::from)?,
    };
    if let (Some(key), false) = (&key, arguments.dry_run) {
        trust::sign(&new.release, key, &*registry)?;
    }
    drop(progress);
    let release = &new.release;
    let result = PublishResult {
        name: release.name.as_str(),
        version: release.version.as_str(),
        registry: registry.location().to_string(),
        digest: release.digest.to_string(),
        targets: release.targets.keys().map(|target| target.name()).collect(),
        before: step.before.as_ref().map(ToString::to_string),
        change: step.change,
        total_bytes: new.total_bytes(),
        sent_bytes,
        signed_by: key.as_ref().map(|key| key.public().id()),
        dry_run: arguments.dry_run,
    };
    match arguments.format.json {
        true => write_json(out, &result)?,
        false => write_summary(out, &result, &step)?,
    }
    Ok(Outcome::Good)
}

impl PublishArguments {
    fn read(&self) -> Result<(Package, Option<Project>), Error> {
        let importer = self.import.importer();
        let (model, project) = match &self.package {
            Some(path) => (Model::read(path, &importer)?, None),
            None => {
                let project = Project::here()?;
                (Model::of_project(&project, &importer)?, Some(project))
            }
        };
        match model {
            Model::Package(package) => Ok((*package, project)),
            Model::Artifact(_) => Err(Error::NeedsPackage { command: "publish" }),
        }
    }
}

/// The instruction sets of the project's targets.
fn targets(project: Option<&Project>) -> Result<Vec<Isa>, Error> {
    let named = project.map(|project| &project.schema.targets).filter(|targets| !targets.is_empty());
    let Some(named) = named else { return Ok(DEFAULT_TARGETS.to_vec()) };
    let mut isas = BTreeSet::new();
    for name in named.keys() {
        isas.insert(target_isa(name)?.code());
    }
    Ok(isas.into_iter().filter_map(Isa::from_code).collect())
}

/// What users of the package need beside it. Its base is in it.
fn dependencies(project: Option<&Project>) -> Vec<Requirement> {
    let Some(project) = project else { return Vec::new() };
    let base = project.base().map(|requirement| requirement.name);
    project
        .schema
        .requirements()
        .map(|(needed, _)| needed)
        .filter(|needed| Some(&needed.name) != base.as_ref())
        .collect()
}

fn write_summary(out: &mut dyn Write, result: &PublishResult<'_>, step: &Step) -> Result<(), Error> {
    writeln!(out, "{} {}", result.name, result.version)?;
    if let (Some(before), Some(change)) = (&step.before, step.change) {
        writeln!(out, "  since {before} {} changed", change.meaning())?;
    }
    writeln!(out, "  for {}", result.targets.join(", "))?;
    writeln!(out, "  {}", result.digest)?;
    if let Some(key) = &result.signed_by {
        writeln!(out, "  signed by {key}")?;
    }
    let (total, sent) = (Bytes(result.total_bytes), Bytes(result.sent_bytes));
    match result.dry_run {
        true => writeln!(out, "would be published to {} ({total})", result.registry)?,
        false => writeln!(out, "published to {} ({total}, {sent} sent)", result.registry)?,
    }
    Ok(())
}
