//! The package `*.edgepkg`: what is made once, shared, and put on any board. `PACKAGE.md` specifies it.
//!
//! It is an OCI image layout in one tar file, so that any OCI registry holds it as it is. Everything
//! in it is named by its digest, and every digest is checked when it is read.

mod compression;
mod layout;
mod license;
mod manifest;
pub mod media_type;
mod name;
mod parts;
mod port;
mod vectors;

use std::io;
use std::path::{Path, PathBuf};

use edgepkg_format::Isa;
use oci_spec::image::Descriptor;
use thiserror::Error;

use crate::emit::{self, Choices, Emitted};
use crate::graph::QuantizedGraph;
use crate::lower::LowerError;
use crate::report::Report;
use crate::wire::{self, Split, WireError};
use crate::{digest, whole_file};

pub use compression::Compression;
pub use layout::{LayoutWriter, digest_text};
pub use license::{License, LicenseError};
pub use manifest::{About, Base, Manifest};
pub use name::{NameError, PackageName, Version};
pub use parts::{Layer, add_layer};
pub use port::{Element, Port};
pub use vectors::{TestVector, TestVectors};

use layout::Layout;
use parts::Parts;

/// The end of a package's file name.
pub const EXTENSION: &str = "edgepkg";

/// A package in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// Its name and version, and what goes in and comes out.
    pub manifest: Manifest,
    /// The model.
    pub graph: QuantizedGraph,
    /// Inputs, and the outputs that every board must give for them.
    pub vectors: TestVectors,
    /// How the quantization went.
    pub report: Report,
    /// The model file it was made from, where it is kept.
    pub source: Option<Source>,
}

/// The model file a package was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name, without folders.
    pub file_name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What in a package cannot be read, or contradicts the rest.
#[derive(Debug, Error)]
pub enum PackageError {
    /// There is nothing at the path.
    #[error("there is no package `{}`", .0.display())]
    NotFound(PathBuf),
    /// The system refuses to read or write.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Bytes that are no package, or not a whole one.
    #[error("`{}` is not a readable package: {reason}", path.display())]
    NotAPackage {
        /// The file or folder.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A blob whose bytes are not those its digest names.
    #[error("blob `{blob}` of `{}` has been changed: its digest is {found}, it should be {expected}", path.display())]
    Changed {
        /// The file or folder.
        path: PathBuf,
        /// What the blob is.
        blob: String,
        /// The digest of its bytes.
        found: String,
        /// The digest that names it.
        expected: String,
    },
    /// A blob that is not there.
    #[error("`{}` lacks its blob `{blob}`", path.display())]
    Missing {
        /// The file or folder.
        path: PathBuf,
        /// What is not there.
        blob: String,
    },
    /// A blob whose length is not the one stated, or past what is read.
    #[error("blob `{blob}` of `{}` has {found_bytes} bytes, it should have {expected_bytes}", path.display())]
    Length {
        /// The file or folder.
        path: PathBuf,
        /// What the blob is.
        blob: String,
        /// Its length.
        found_bytes: u64,
        /// What is stated, or the limit.
        expected_bytes: u64,
    },
    /// A blob that is whole and makes no sense.
    #[error("blob `{blob}` of `{}` cannot be read: {reason}", path.display())]
    Malformed {
        /// The file or folder.
        path: PathBuf,
        /// What the blob is.
        blob: String,
        /// What is wrong.
        reason: String,
    },
    /// The graph's bytes.
    #[error("`{}`: {source}", path.display())]
    Graph {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        source: WireError,
    },
}

impl PackageError {
    /// The way out, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            PackageError::Changed { .. } | PackageError::Missing { .. } | PackageError::Length { .. } => {
                Some("get the package again from where it came from")
            }
            PackageError::NotFound(_) => Some(whole_file::PATH_HINT),
            PackageError::Io { action: "write", .. } => Some(whole_file::WRITE_HINT),
            PackageError::NotAPackage { .. } => {
                Some("see that the file is a package (`.edgepkg`) and was copied completely")
            }
            _ => None,
        }
    }
}

impl Package {
    /// Reads a package from its file, or from the folder it was unpacked into.
    ///
    /// # Errors
    ///
    /// When anything in it is not as its digest says, or contradicts the rest.
    pub fn read(path: &Path) -> Result<Self, PackageError> {
        let layout = Layout::open(path)?;
        Self::from_parts(Parts::read(&layout)?, path)
    }

    /// Whether `folder` is one that a package was unpacked into.
    pub fn is_layout(folder: &Path) -> bool {
        folder.join(layout::INDEX_FILE).is_file()
    }

    /// The package in a `.edgepkg` file's bytes; `path` is what errors call it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<Self, PackageError> {
        let layout = Layout::from_tar(bytes, path)?;
        Self::from_parts(Parts::read(&layout)?, path)
    }

    /// Reads the package whose manifest `manifest` names in a store; `name` is what errors call it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_store(folder: &Path, manifest: Descriptor, name: &str) -> Result<Self, PackageError> {
        let path = Path::new(name);
        Self::from_parts(Parts::read(&Layout::in_store(folder, manifest, path))?, path)
    }

    fn from_parts(parts: Parts, path: &Path) -> Result<Self, PackageError> {
        let malformed = |blob: &str, reason: String| PackageError::Malformed {
            path: path.into(),
            blob: blob.into(),
            reason,
        };
        let manifest = Manifest::from_toml(&parts.manifest)
            .map_err(|reason| malformed(media_type::MANIFEST_FILE, reason))?;
        let weights: Vec<&[u8]> = parts.weights.iter().map(Vec::as_slice).collect();
        let graph = wire::decode(&parts.structure, &weights)
            .map_err(|source| PackageError::Graph { path: path.into(), source })?;
        manifest.check(&graph).map_err(|reason| malformed(media_type::MANIFEST_FILE, reason))?;
        let vectors = TestVectors::from_bytes(&parts.vectors, &graph)
            .map_err(|reason| malformed(media_type::VECTORS_FILE, reason))?;
        let report = serde_json::from_slice(&parts.report)
            .map_err(|error| malformed(media_type::REPORT_FILE, error.to_string()))?;
        Ok(Self { manifest, graph, vectors, report, source: parts.source })
    }

    /// A package of `graph` alone, with no test vectors: what a model file that is int8 already, or was just quantized,
    /// is for every other step.
    pub fn of(manifest: Manifest, graph: QuantizedGraph, report: Report) -> Self {
        Self { manifest, graph, vectors: TestVectors::default(), report, source: None }
    }

    /// Its artifact for `isa`.
    ///
    /// # Errors
    ///
    /// When the graph cannot be lowered.
    pub fn emit(&self, isa: Isa, choices: Choices) -> Result<Emitted, LowerError> {
        let labels: Vec<_> = self.manifest.outputs.iter().map(|port| port.labels.clone()).collect();
        let options = emit::Options {
            isa,
            name: self.manifest.name.as_str(),
            version: self.manifest.version.as_str(),
            labels: &labels,
            graph_digest: wire::graph_digest(&self.graph),
            dead_channels: choices.dead_channels,
            optimize: choices.optimize,
        };
        emit::emit(&self.graph, &options)
    }

    /// The bytes of its `.edgepkg` file: a function of the package alone.
    ///
    /// # Errors
    ///
    /// When the manifest's head names a node that the graph does not have.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut layout = LayoutWriter::default();
        let manifest = self.add_to(&mut layout, Compression::None)?;
        layout.add_index(&digest::image_index(vec![manifest]));
        Ok(layout.into_tar())
    }

    /// Its blobs with its manifest among them, for registries: compressed where that helps.
    ///
    /// # Errors
    ///
    /// As [`to_bytes`](Self::to_bytes).
    pub fn add_to(
        &self,
        layout: &mut LayoutWriter,
        compression: Compression,
    ) -> Result<Descriptor, WireError> {
        let split = match &self.manifest.head[..] {
            [] => Split::Whole,
            head => Split::Head(head),
        };
        let encoded = wire::encode(&self.graph, split)?;
        let parts = Parts {
            manifest: self.manifest.to_toml(),
            structure: encoded.structure,
            weights: encoded.weights,
            vectors: self.vectors.to_bytes(),
            report: serde_json::to_vec_pretty(&self.report).expect("a report is plain values"),
            source: self.source.clone(),
        };
        Ok(parts.write(layout, &self.manifest, &self.graph, compression))
    }

    /// The digest of the weights of its base, which packages that stand on it share; `None` where it has no head.
    ///
    /// # Errors
    ///
    /// As [`to_bytes`](Self::to_bytes).
    pub fn base_digest(&self) -> Result<Option<digest::Digest>, WireError> {
        if self.manifest.head.is_empty() {
            return Ok(None);
        }
        let encoded = wire::encode(&self.graph, Split::Head(&self.manifest.head))?;
        Ok(encoded.weights.first().map(|weights| digest::Digest::of(weights)))
    }

    /// Writes its `.edgepkg` file, or nothing at all.
    ///
    /// # Errors
    ///
    /// When the system refuses, or the manifest's head names a node that the graph does not have.
    pub fn write(&self, path: &Path) -> Result<(), PackageError> {
        let bytes = self.to_bytes().map_err(|source| PackageError::Graph { path: path.into(), source })?;
        whole_file::write(path, &bytes).map_err(|source| PackageError::Io {
            action: "write",
            path: path.into(),
            source,
        })
    }
}

#[cfg(test)]
mod tests;
