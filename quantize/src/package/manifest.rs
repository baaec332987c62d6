//! `edgepkg.toml` as a package holds it: everything resolved, nothing left to a default.

use crate::graph::{QuantizedGraph, TensorId};
use serde::{Deserialize, Serialize};

use super::{PackageName, Port, Version};

/// The schema that is written.
const SCHEMA_VERSION: u32 = 1;

/// Who a package is, and what goes in and comes out.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// What its model file says of it; may be empty.
    pub description: String,
    /// Nodes whose weights lie apart, so that packages on one base share the base; may be empty.
    pub head: Vec<String>,
    /// The model's inputs, in its order.
    pub inputs: Vec<Port>,
    /// The model's outputs, in its order.
    pub outputs: Vec<Port>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    schema_version: u32,
    package: RawPackage,
    model: RawModel,
    input: Vec<Port>,
    output: Vec<Port>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPackage {
    name: PackageName,
    version: Version,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    head: Vec<String>,
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
            head: Vec::new(),
            inputs: ports(&graph.inputs),
            outputs,
        }
    }

    pub(super) fn from_toml(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        let raw: RawManifest = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if raw.schema_version != SCHEMA_VERSION {
            let found = raw.schema_version;
            return Err(format!("it has schema version {found}, this program reads {SCHEMA_VERSION}"));
        }
        Ok(Self {
            name: raw.package.name,
            version: raw.package.version,
            description: raw.package.description,
            head: raw.model.head,
            inputs: raw.input,
            outputs: raw.output,
        })
    }

    pub(super) fn to_toml(&self) -> Vec<u8> {
        let raw = RawManifest {
            schema_version: SCHEMA_VERSION,
            package: RawPackage {
                name: self.name.clone(),
                version: self.version.clone(),
                description: self.description.clone(),
            },
            model: RawModel { head: self.head.clone() },
            input: self.inputs.clone(),
            output: self.outputs.clone(),
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
                if *port != actual {
                    return Err(format!("{direction} `{}` is not that of the graph", port.name));
                }
                port.check_labels()?;
            }
        }
        Ok(())
    }
}
