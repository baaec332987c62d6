//! The schema of `edgepkg.toml`. `PROJECT.md` describes it for users.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;

use super::{ProjectError, Requirement};
use edgepkg_quantize::package::{License, PackageName, Version};

/// All that a project's file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Who the package is.
    pub package: PackageTable,
    /// The model it is made of; none in a project that only uses other packages.
    pub model: Option<ModelTable>,
    /// What inputs mean, by their names in the model file.
    #[serde(default)]
    pub input: Vec<PortTable>,
    /// What outputs mean, by their names in the model file.
    #[serde(default)]
    pub output: Vec<PortTable>,
    /// How the model becomes int8.
    #[serde(default)]
    pub quantize: QuantizeTable,
    /// What it is tested with.
    #[serde(default)]
    pub tests: TestsTable,
    /// Boards, or instruction sets, that it is built for, with the most it may take there.
    #[serde(default)]
    pub targets: BTreeMap<String, Target>,
    /// Other packages. The one called `base` is what this package stands on, to the byte.
    #[serde(default)]
    pub dependencies: BTreeMap<PackageName, Dependency>,
    /// Registries by name; the one called `default` is asked where no other is named.
    #[serde(default)]
    pub registries: BTreeMap<String, String>,
    /// Whose packages are let in.
    #[serde(default)]
    pub trust: Trust,
    /// The model card: whatever its makers have to say.
    #[serde(default)]
    pub metadata: toml::Table,
}

/// `[package]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageTable {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// Its licence.
    pub license: Option<License>,
    /// What it is for, in a line.
    #[serde(default)]
    pub description: String,
    /// Who made it.
    #[serde(default)]
    pub authors: Vec<String>,
    /// What it is found by.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Where it is made.
    pub repository: Option<String>,
}

/// `[model]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelTable {
    /// The model file.
    pub file: PathBuf,
    /// Shapes of inputs that the file leaves open.
    #[serde(default)]
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// The batch, where the file leaves it open.
    pub batch: Option<usize>,
    /// Layers whose weights are kept apart.
    #[serde(default)]
    pub head: Vec<String>,
    /// What of the file goes into the package.
    #[serde(default)]
    pub keep: KeepName,
}

/// Names of what is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeepName {
    /// What was made from it.
    #[default]
    Result,
    /// The file too.
    File,
}

/// `[[input]]` and `[[output]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortTable {
    /// Its name in the model file.
    pub name: String,
    /// What it stands for.
    #[serde(default)]
    pub meaning: String,
    /// The unit of its values.
    #[serde(default)]
    pub unit: String,
    /// What is done to raw data before it is this input.
    #[serde(default)]
    pub preprocessing: String,
    /// Names of classes.
    #[serde(default)]
    pub labels: Vec<String>,
    /// A file with the names of classes, a line each.
    pub labels_file: Option<PathBuf>,
}

/// `[quantize]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantizeTable {
    /// Files with typical inputs, one for each input.
    #[serde(default)]
    pub calibration: Vec<PathBuf>,
    /// How a value range is chosen.
    pub calibrator: Option<CalibratorName>,
    /// The percentile that ranges end at.
    pub percentile: Option<f64>,
    /// How often results are rounded.
    pub rounding: Option<RoundingName>,
    /// Layers that compute in int16.
    #[serde(default)]
    pub int16_layers: Vec<String>,
    /// The most top-1 accuracy that may be lost against the float model, as a share of the test samples.
    pub max_accuracy_drop: Option<f64>,
    /// The least top-1 accuracy of the int8 model, as a share of the test samples.
    pub min_accuracy: Option<f64>,
}

/// `[tests]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestsTable {
    /// Files with test inputs, one for each input. The first samples become the package's test vectors.
    #[serde(default)]
    pub inputs: Vec<PathBuf>,
    /// The right class of each.
    pub labels: Option<PathBuf>,
}

/// `[targets.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The most flash that the model may take, in bytes.
    pub flash_bytes: Option<u64>,
    /// The most RAM that its arena may take, in bytes.
    pub arena_bytes: Option<u64>,
}

/// A dependency: `NAME@VERSIONS`, versions alone, or a table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawDependency")]
pub struct Dependency {
    /// The package, where it is called otherwise than the key.
    pub package: Option<PackageName>,
    /// The versions that will do.
    pub versions: semver::VersionReq,
    /// The registry it is in, by its name in `[registries]`.
    pub registry: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawDependency {
    Text(String),
    Table(DependencyTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DependencyTable {
    package: Option<PackageName>,
    version: String,
    registry: Option<String>,
}

impl TryFrom<RawDependency> for Dependency {
    type Error = super::RequirementError;

    fn try_from(raw: RawDependency) -> Result<Self, Self::Error> {
        let any = || PackageName::nearest("any");
        match raw {
            RawDependency::Text(text) if text.contains('@') => {
                let Requirement { name, versions } = text.parse()?;
                Ok(Self { package: Some(name), versions, registry: None })
            }
            RawDependency::Text(text) => {
                Ok(Self { package: None, versions: Requirement::new(any(), &text)?.versions, registry: None })
            }
            RawDependency::Table(DependencyTable { package, version, registry }) => {
                Ok(Self { package, versions: Requirement::new(any(), &version)?.versions, registry })
            }
        }
    }
}

/// `[trust]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// What becomes of packages that no key is named for.
    pub unsigned: Option<Unsigned>,
    /// Whose signatures are needed, for which names.
    #[serde(default)]
    pub keys: Vec<TrustKey>,
    /// Licences that are accepted, by their SPDX identifiers; every one, where there is none.
    #[serde(default)]
    pub licenses: Vec<String>,
}

/// What becomes of packages that no key is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unsigned {
    /// They are let in.
    Allow,
    /// They are refused.
    Refuse,
}

/// `[[trust.keys]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustKey {
    /// The public key, as `edgepkg key list` shows it.
    pub key: String,
    /// Names of packages that it signs; `*` at the end stands for anything.
    pub names: Vec<String>,
}

/// Names of calibrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CalibratorName {
    /// From the least value to the greatest
    Minmax,
    /// Leaves out the rarest values
    Percentile,
    /// The range with the least squared error
    Mse,
}

/// Names of roundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoundingName {
    /// As TensorFlow Lite Micro does, which gives the same bytes for the exported .tflite file
    Twice,
    /// As ONNX Runtime does, which answers like the package for the exported .onnx file
    Once,
}

impl Schema {
    /// What `text` says; `path` is what errors call it.
    ///
    /// # Errors
    ///
    /// When it is not TOML, has a key that there is not, or a value that cannot be.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ProjectError> {
        toml::from_str(text).map_err(|error| ProjectError::of_toml(path, text, &error))
    }

    /// The packages that are needed, with the name of the registry of each.
    pub fn requirements(&self) -> impl Iterator<Item = (Requirement, Option<&str>)> {
        self.dependencies.iter().map(|(key, dependency)| {
            let name = dependency.package.clone().unwrap_or_else(|| key.clone());
            (Requirement { name, versions: dependency.versions.clone() }, dependency.registry.as_deref())
        })
    }
}
