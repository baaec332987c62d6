//! `edgepkg.toml` as a package holds it: everything resolved, nothing left to a default.

use crate::graph::{QuantizedGraph, TensorId};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

use super::{License, PackageName, Port, Version};

/// The schema of packages of which nothing more is said than their model.
const FIRST_SCHEMA_VERSION: u32 = 1;
/// The schema that has what a project says of its package.
const SCHEMA_VERSION: u32 = 2;

/// Who a package is, and what goes in and comes out.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// What it is for; may be empty.
    pub description: String,
    /// What a project says of it beside that.
    pub about: About,
    /// The package whose base its base is.
    pub base: Option<Base>,
    /// The digest of the model file it was made from, where a project made it.
    pub model_digest: Option<Digest>,
    /// Nodes whose weights lie apart, so that packages on one base share the base; may be empty.
    pub head: Vec<String>,
    /// The model's inputs, in its order.
    pub inputs: Vec<Port>,
    /// The model's outputs, in its order.
    pub outputs: Vec<Port>,
}

/// What a project says of its package.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// Its licence, an SPDX expression.
    pub license: Option<License>,
    /// Who made it; may be empty.
    pub authors: Vec<String>,
    /// What it is found by; may be empty.
    pub keywords: Vec<String>,
    /// Where it is made.
    pub repository: Option<String>,
    /// The model card: whatever tables and values its makers have; may be empty.
    pub metadata: toml::Table,
}

/// A package that another stands on, to the byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// Digest of its release.
    pub digest: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    schema_version: u32,
    package: RawPackage,
    model: RawModel,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<Base>,
    input: Vec<Port>,
    output: Vec<Port>,
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    metadata: toml::Table,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPackage {
    name: PackageName,
    version: Version,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<License>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    authors: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keywords: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    head: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
}

impl Manifest {
    /// The manifest of `graph`; `labels` name the classes of its first output.
    pub fn of(graph: &QuantizedGraph, name: PackageName, version: Version, labels: Vec<String>) -> Self {
        let ports = |ids: &[TensorId]| ids.iter().map(|&id| Port::of(graph.tensor(id))).collect();
        let mut outputs: Vec<Port> = ports(&graph.outputs);
        if let Some(first) = outputs.first_mut() {
            first.labels = labels;
        }
        Self {
            name,
            version,
            description: String::new(),
            about: About::default(),
            base: None,
            model_digest: None,
            head: Vec::new(),
            inputs: ports(&graph.inputs),
            outputs,
        }
    }

    pub(super) fn from_toml(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        let raw: RawManifest = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let schema_version = raw.schema_version;
        if !(FIRST_SCHEMA_VERSION..=SCHEMA_VERSION).contains(&schema_version) {
            return Err(format!(
                "it has schema version {schema_version}, this program reads {FIRST_SCHEMA_VERSION} to \
                 {SCHEMA_VERSION}"
            ));
        }
        let manifest = Self {
            name: raw.package.name,
            version: raw.package.version,
            description: raw.package.description,
            about: About {
                license: raw.package.license,
                authors: raw.package.authors,
                keywords: raw.package.keywords,
                repository: raw.package.repository,
                metadata: raw.metadata,
            },
            base: raw.base,
            model_digest: raw.model.digest,
            head: raw.model.head,
            inputs: raw.input,
            outputs: raw.output,
        };
        match manifest.schema_version() > schema_version {
            true => Err(format!("it has keys that schema version {schema_version} does not have")),
            false => Ok(manifest),
        }
    }

    /// The least schema that has all that is said.
    fn schema_version(&self) -> u32 {
        let mut ports = self.inputs.iter().chain(&self.outputs);
        let is_first = self.about == About::default()
            && self.base.is_none()
            && self.model_digest.is_none()
            && !ports.any(Port::is_described);
        if is_first { FIRST_SCHEMA_VERSION } else { SCHEMA_VERSION }
    }

    pub(super) fn to_toml(&self) -> Vec<u8> {
        let raw = RawManifest {
            schema_version: self.schema_version(),
            package: RawPackage {
                name: self.name.clone(),
                version: self.version.clone(),
                description: self.description.clone(),
                license: self.about.license.clone(),
                authors: self.about.authors.clone(),
                keywords: self.about.keywords.clone(),
                repository: self.about.repository.clone(),
            },
            model: RawModel { head: self.head.clone(), digest: self.model_digest },
            base: self.base.clone(),
            input: self.inputs.clone(),
            output: self.outputs.clone(),
            metadata: self.about.metadata.clone(),
        };
        toml::to_string(&raw).expect("a manifest is plain tables").into_bytes()
    }

    /// Whether it describes `graph`.
    pub(super) fn check(&self, graph: &QuantizedGraph) -> Result<(), String> {
        for (direction, ports, ids) in
            [("input", &self.inputs, &graph.inputs), ("output", &self.outputs, &graph.outputs)]
        {
            if ports.len() != ids.len() {
                return Err(format!("it has {} {direction}s, the graph {}", ports.len(), ids.len()));
            }
            for (port, &id) in ports.iter().zip(ids) {
                let actual = Port { labels: port.labels.clone(), ..Port::of(graph.tensor(id)) };
                if !port.is_compatible(&actual) {
                    return Err(format!("{direction} `{}` is not that of the graph", port.name));
                }
                port.check_labels()?;
            }
        }
        Ok(())
    }
}
