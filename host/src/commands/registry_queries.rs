//! `edgepkg search`, `edgepkg info` and `edgepkg versions`.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::registry_arguments::RegistryArguments;
use super::{Outcome, write_json};
use crate::catalog::CatalogError;
use crate::cli::OutputArguments;
use crate::error::Error;
use crate::project::Requirement;
use crate::registry::{self, Published, Reference, Registry, RegistryError, Yanked};
use crate::release::Release;
use crate::table::{Align, Table, printable};
use edgepkg_quantize::package::PackageName;

/// The most packages that a search shows.
const MAX_RESULTS: usize = 50;
/// With more packages than this in a registry, only names are searched.
const MAX_DESCRIBED: usize = 500;

/// Arguments of `edgepkg search`.
#[derive(Args, Debug)]
pub struct SearchArguments {
    /// What a name, a description or a keyword must contain; left out, everything is listed
    #[arg(value_name = "TEXT", default_value = "")]
    text: String,
    #[command(flatten)]
    registry: RegistryArguments,
    #[command(flatten)]
    format: OutputArguments,
}

/// Arguments of `edgepkg info`.
#[derive(Args, Debug)]
pub struct InfoArguments {
    /// A package, and the versions that will do: the newest of them is shown
    #[arg(value_name = "NAME@VERSIONS")]
    requirement: Requirement,
    #[command(flatten)]
    registry: RegistryArguments,
    #[command(flatten)]
    format: OutputArguments,
}

/// Arguments of `edgepkg versions`.
#[derive(Args, Debug)]
pub struct VersionsArguments {
    /// A package
    #[arg(value_name = "NAME")]
    name: PackageName,
    #[command(flatten)]
    registry: RegistryArguments,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct SearchResult {
    packages: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    name: String,
    version: String,
    description: String,
    license: Option<String>,
}

#[derive(Serialize)]
struct InfoResult {
    name: String,
    version: String,
    registry: String,
    digest: String,
    description: String,
    license: Option<String>,
    authors: String,
    repository: Option<String>,
    keywords: Vec<String>,
    dependencies: Vec<String>,
    targets: Vec<&'static str>,
    yanked: Option<String>,
}

#[derive(Serialize)]
struct VersionsResult {
    name: String,
    versions: Vec<VersionEntry>,
}

#[derive(Serialize)]
struct VersionEntry {
    version: String,
    /// Why it was yanked, where it was.
    yanked: Option<String>,
}

/// The newest version that `wanted` lets pass and was not yanked; else the newest at all.
fn newest(published: &[Published], wanted: impl Fn(&Published) -> bool) -> Option<&Published> {
    let offered = published.iter().rev().find(|found| found.yanked == Yanked::No && wanted(found));
    offered.or_else(|| published.iter().rev().find(|found| wanted(found)))
}

fn release(registry: &dyn Registry, name: &PackageName, published: &Published) -> Result<Release, Error> {
    let version = &published.version;
    let bytes = registry.manifest(name, &Reference::Tag(registry::tag(version)))?;
    let release = Release::from_index(name, version, &bytes).map_err(|source| CatalogError::Release {
        name: name.clone(),
        version: version.clone(),
        registry: registry.location().to_string(),
        source,
    });
    Ok(release.map_err(crate::install::InstallError::from)?)
}

/// Searches a registry.
///
/// # Errors
///
/// When it cannot be asked.
pub fn search(arguments: &SearchArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let registry = arguments.registry.open()?;
    let text = arguments.text.to_lowercase();
    let names = registry.packages()?;
    let is_described = names.len() <= MAX_DESCRIBED;
    let mut packages = Vec::new();
    for name in names.iter().filter(|name| is_described || name.as_str().contains(&text)) {
        if packages.len() == MAX_RESULTS {
            break;
        }
        let published = registry::versions(&*registry, name)?;
        let Some(newest) = newest(&published, |_| true) else { continue };
        let release = release(&*registry, name, newest)?;
        let said = format!("{name} {} {}", release.description, release.keywords.join(" ")).to_lowercase();
        if said.contains(&text) {
            packages.push(Found {
                name: name.to_string(),
                version: newest.version.to_string(),
                description: release.description,
                license: release.license.map(|license| license.to_string()),
            });
        }
    }
    if arguments.format.json {
        write_json(out, &SearchResult { packages })?;
    } else if packages.is_empty() {
        writeln!(out, "nothing of `{}` in {}", printable(&arguments.text), registry.location())?;
    } else {
        let mut table = Table::new([
            ("package", Align::Left),
            ("version", Align::Left),
            ("licence", Align::Left),
            ("description", Align::Left),
        ]);
        for Found { name, version, description, license } in packages {
            table.row([name, version, license.unwrap_or_default(), description]);
        }
        write!(out, "{table}")?;
    }
    Ok(Outcome::Good)
}

/// Shows what a release says of itself.
///
/// # Errors
///
/// When there is none, or the registry cannot be asked.
pub fn info(arguments: &InfoArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let registry = arguments.registry.open()?;
    let Requirement { name, versions } = &arguments.requirement;
    let published = registry::versions(&*registry, name)?;
    let found = newest(&published, |found| arguments.requirement.matches(&found.version));
    let found = found.ok_or_else(|| RegistryError::NotFound {
        registry: registry.location().to_string(),
        name: name.clone(),
        what: format!("version {versions}"),
    })?;
    let release = release(&*registry, name, found)?;
    let result = InfoResult {
        name: name.to_string(),
        version: found.version.to_string(),
        registry: registry.location().to_string(),
        digest: release.digest.to_string(),
        description: release.description,
        license: release.license.map(|license| license.to_string()),
        authors: release.authors,
        repository: release.repository,
        keywords: release.keywords,
        dependencies: release.dependencies.iter().map(ToString::to_string).collect(),
        targets: release.targets.keys().map(|target| target.name()).collect(),
        yanked: reason(found),
    };
    match arguments.format.json {
        true => write_json(out, &result)?,
        false => write_info(out, &result)?,
    }
    Ok(Outcome::Good)
}

fn reason(published: &Published) -> Option<String> {
    match &published.yanked {
        Yanked::No => None,
        Yanked::Because(reason) => Some(reason.clone()),
    }
}

fn write_info(out: &mut dyn Write, result: &InfoResult) -> Result<(), Error> {
    writeln!(out, "{} {}", result.name, result.version)?;
    let lines = [
        ("description", result.description.clone()),
        ("licence", result.license.clone().unwrap_or_default()),
        ("authors", result.authors.clone()),
        ("repository", result.repository.clone().unwrap_or_default()),
        ("keywords", result.keywords.join(", ")),
        ("needs", result.dependencies.join(", ")),
        ("for", result.targets.join(", ")),
        ("registry", result.registry.clone()),
        ("digest", result.digest.clone()),
    ];
    for (what, text) in lines.iter().filter(|(_, text)| !text.is_empty()) {
        writeln!(out, "  {what:<12} {}", printable(text))?;
    }
    if let Some(reason) = &result.yanked {
        writeln!(
            out,
            "  {:<12} {}",
            "yanked",
            if reason.is_empty() { "yes".into() } else { printable(reason) }
        )?;
    }
    Ok(())
}

/// Lists the versions of a package.
///
/// # Errors
///
/// When there is none, or the registry cannot be asked.
pub fn versions(arguments: &VersionsArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let registry = arguments.registry.open()?;
    let published = registry::versions(&*registry, &arguments.name)?;
    let entry =
        |found: &Published| VersionEntry { version: found.version.to_string(), yanked: reason(found) };
    let result = VersionsResult {
        name: arguments.name.to_string(),
        versions: published.iter().rev().map(entry).collect(),
    };
    if arguments.format.json {
        write_json(out, &result)?;
        return Ok(Outcome::Good);
    }
    for VersionEntry { version, yanked } in &result.versions {
        match yanked {
            None => writeln!(out, "{version}")?,
            Some(reason) if reason.is_empty() => writeln!(out, "{version} (yanked)")?,
            Some(reason) => writeln!(out, "{version} (yanked: {})", printable(reason))?,
        }
    }
    Ok(Outcome::Good)
}
