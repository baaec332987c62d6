//! A release: one version of a package as registries hold it. `PACKAGE.md` specifies it.
//!
//! It is an OCI index. One of its manifests is the package, the others are artifacts, each lowered for one instruction
//! set, so that whoever has one core fetches what that core needs and no more.

use std::collections::{BTreeMap, HashMap};

use edgepkg_format::Isa;
use edgepkg_quantize::wire::WireError;
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, ImageManifestBuilder, MediaType};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{BoardModel, Choices, ModelError};
use crate::project::Requirement;
use edgepkg_quantize::digest::{Digest, canonical_json, image_index};
use edgepkg_quantize::package::{
    Compression, Layer, LayoutWriter, License, Manifest, Package, PackageName, Version, add_layer, media_type,
};

/// `artifactType` of a release.
pub const RELEASE_TYPE: &str = "application/vnd.edgepkg.release.v1";
/// `artifactType` of the manifest of an artifact, and the media type of its layer.
pub const ARTIFACT_TYPE: &str = "application/vnd.edgepkg.artifact.v1";
/// OCI's empty config.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

const NAME: &str = "org.opencontainers.image.title";
const VERSION: &str = "org.opencontainers.image.version";
const LICENSES: &str = "org.opencontainers.image.licenses";
const DESCRIPTION: &str = "org.opencontainers.image.description";
const SOURCE: &str = "org.opencontainers.image.source";
const AUTHORS: &str = "org.opencontainers.image.authors";
const KEYWORDS: &str = "dev.edgepkg.keywords";
const DEPENDENCIES: &str = "dev.edgepkg.dependencies";
const FACE: &str = "dev.edgepkg.interface";
const WEIGHTS: &str = "dev.edgepkg.weights";
const ISA: &str = "dev.edgepkg.isa";

/// The most dependencies that are read of a release.
const MAX_DEPENDENCIES: usize = 1024;

/// What a release says of itself: all that resolving and searching need.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// The package's name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// The digest of its index, which names all of it.
    pub digest: Digest,
    /// The length of the index.
    pub index_bytes: u64,
    /// Its licence.
    pub license: Option<License>,
    /// What it is for; may be empty.
    pub description: String,
    /// Who made it; may be empty.
    pub authors: String,
    /// Where it is made.
    pub repository: Option<String>,
    /// What it is found by.
    pub keywords: Vec<String>,
    /// The packages it needs.
    pub dependencies: Vec<Requirement>,
    /// The digest of what goes in and comes out: it differs where users must change their programs.
    pub interface: Digest,
    /// The digest of what was trained: of the model file, else of the weights.
    pub weights: Digest,
    /// Its manifests, by what they are for.
    pub targets: BTreeMap<Target, Descriptor>,
}

/// What a manifest of a release is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The package itself, from which any board's artifact can be built.
    Package,
    /// An artifact for one instruction set.
    Isa(Isa),
}

impl Target {
    /// Its name in locks and messages.
    pub fn name(self) -> &'static str {
        match self {
            Target::Package => "package",
            Target::Isa(isa) => isa.name(),
        }
    }

    /// The target of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "package" => Some(Target::Package),
            name => Isa::from_name(name).map(Target::Isa),
        }
    }
}

impl Ord for Target {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let code = |target: &Target| match target {
            Target::Package => None,
            Target::Isa(isa) => Some(isa.code()),
        };
        code(self).cmp(&code(other))
    }
}

impl PartialOrd for Target {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What in a release cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the release cannot be read: {0}")]
pub struct ReleaseError(pub String);

/// A release with all its blobs, to be published.
#[derive(Clone, Debug)]
pub struct NewRelease {
    /// What it says of itself.
    pub release: Release,
    /// The bytes of its index.
    pub index: Vec<u8>,
    /// Manifests, each with its blobs.
    pub manifests: Vec<(Descriptor, Vec<u8>)>,
    /// Every blob that a manifest names.
    pub blobs: Vec<(Descriptor, Vec<u8>)>,
}

/// What cannot be released.
#[derive(Debug, Error)]
pub enum NewReleaseError {
    /// The package.
    #[error(transparent)]
    Graph(#[from] WireError),
    /// An instruction set that it cannot be lowered for.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// What goes in and comes out, as far as a program that uses it must know.
#[derive(Serialize)]
struct Face<'a> {
    name: &'a str,
    shape: &'a [usize],
    element: &'static str,
    labels: &'a [String],
}

/// The digest of what goes in and comes out. Scales and zero points are no part of it: they differ with each
/// quantization, and programs read them.
pub fn interface(manifest: &Manifest) -> Digest {
    let faces = |ports: &'_ [edgepkg_quantize::package::Port]| {
        let face = |port: &edgepkg_quantize::package::Port| {
            let labels = &port.labels;
            serde_json::to_value(Face {
                name: &port.name,
                shape: &port.shape,
                element: port.element.name(),
                labels,
            })
            .expect("plain values")
        };
        ports.iter().map(face).collect::<Vec<_>>()
    };
    Digest::of(&canonical_json(&[faces(&manifest.inputs), faces(&manifest.outputs)]))
}

impl NewRelease {
    /// The release of `package`, with artifacts for `targets`.
    ///
    /// # Errors
    ///
    /// When it cannot be lowered for one of them.
    pub fn of(
        package: &Package,
        targets: &[Isa],
        dependencies: Vec<Requirement>,
    ) -> Result<Self, NewReleaseError> {
        let manifest = &package.manifest;
        let mut layout = LayoutWriter::default();
        let mut described = Vec::new();
        let mut targets_of = BTreeMap::new();
        let mut descriptor = package.add_to(&mut layout, Compression::Zstd)?;
        // Clients that copy an index write its descriptors anew, and some (skopeo 1.9) without this: the digest would be another.
        descriptor.set_artifact_type(None);
        targets_of.insert(Target::Package, descriptor.clone());
        described.push(descriptor);
        let weights = match &manifest.model_digest {
            Some(digest) => *digest,
            None => Digest::from(edgepkg_quantize::wire::graph_digest(&package.graph)),
        };
        for &isa in targets {
            let model = BoardModel::lower(package, isa, Choices::default())?;
            let descriptor = add_artifact(&mut layout, &model, isa);
            targets_of.insert(Target::Isa(isa), descriptor.clone());
            described.push(descriptor);
        }
        let about = &manifest.about;
        let mut release = Release {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: Digest::of(b""),
            index_bytes: 0,
            license: about.license.clone(),
            description: manifest.description.clone(),
            authors: about.authors.join(", "),
            repository: about.repository.clone(),
            keywords: about.keywords.clone(),
            dependencies,
            interface: interface(manifest),
            weights,
            targets: targets_of,
        };
        let index = release.to_index(described);
        release.digest = Digest::of(&index);
        release.index_bytes = index.len() as u64;
        Ok(Self::with_blobs(release, index, layout.into_blobs()))
    }

    fn with_blobs(release: Release, index: Vec<u8>, blobs: Vec<Vec<u8>>) -> Self {
        let by_digest: HashMap<Digest, Vec<u8>> =
            blobs.into_iter().map(|bytes| (Digest::of(&bytes), bytes)).collect();
        let take = |descriptor: &Descriptor| {
            let digest = Digest::of_descriptor(descriptor).expect("made here");
            (descriptor.clone(), by_digest[&digest].clone())
        };
        let manifests: Vec<_> = release.targets.values().map(take).collect();
        let mut seen = std::collections::BTreeSet::new();
        let mut blobs = Vec::new();
        for (_, bytes) in &manifests {
            let manifest: ImageManifest = serde_json::from_slice(bytes).expect("made here");
            for descriptor in blobs_of(&manifest) {
                if seen.insert(descriptor.digest().to_string()) {
                    blobs.push(take(&descriptor));
                }
            }
        }
        Self { release, index, manifests, blobs }
    }

    /// Bytes of everything, each blob once.
    pub fn total_bytes(&self) -> u64 {
        let parts = self.manifests.iter().chain(&self.blobs).map(|(descriptor, _)| descriptor.size());
        parts.sum::<u64>() + self.index.len() as u64
    }
}

/// Adds the manifest of an artifact.
fn add_artifact(layout: &mut LayoutWriter, model: &BoardModel, isa: Isa) -> Descriptor {
    let file = format!("{}.epa", model.name);
    let layer = Layer { kind: ARTIFACT_TYPE, file: &file, bytes: model.artifact.clone() };
    let layer = add_layer(layout, Compression::Zstd, layer);
    let manifest = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .artifact_type(ARTIFACT_TYPE)
        .config(layout.add_blob(EMPTY_TYPE, b"{}".to_vec()))
        .layers(vec![layer])
        .annotations(HashMap::from([(ISA.to_owned(), isa.name().to_owned())]))
        .build()
        .expect("every required field is set");
    let mut descriptor = layout.add_document(MediaType::ImageManifest.as_ref(), &manifest);
    descriptor.set_annotations(Some(HashMap::from([(ISA.to_owned(), isa.name().to_owned())])));
    descriptor
}

/// The blobs that a manifest names.
pub fn blobs_of(manifest: &ImageManifest) -> Vec<Descriptor> {
    std::iter::once(manifest.config()).chain(manifest.layers()).cloned().collect()
}

impl Release {
    fn to_index(&self, manifests: Vec<Descriptor>) -> Vec<u8> {
        let mut annotations = HashMap::from([
            (NAME.to_owned(), self.name.to_string()),
            (VERSION.to_owned(), self.version.to_string()),
            (FACE.to_owned(), self.interface.to_string()),
            (WEIGHTS.to_owned(), self.weights.to_string()),
        ]);
        let mut add = |key: &str, value: String| {
            if !value.is_empty() {
                annotations.insert(key.to_owned(), value);
            }
        };
        add(LICENSES, self.license.as_ref().map(License::to_string).unwrap_or_default());
        add(DESCRIPTION, self.description.clone());
        add(AUTHORS, self.authors.clone());
        add(SOURCE, self.repository.clone().unwrap_or_default());
        add(KEYWORDS, self.keywords.join(","));
        let dependencies: Vec<String> = self.dependencies.iter().map(Requirement::to_string).collect();
        add(DEPENDENCIES, dependencies.join(" & "));
        let mut index = image_index(manifests);
        index.set_artifact_type(Some(RELEASE_TYPE.into()));
        index.set_annotations(Some(annotations));
        canonical_json(&index)
    }

    /// What the bytes of an index say.
    ///
    /// # Errors
    ///
    /// When they are no index of a release of this name and version.
    pub fn from_index(name: &PackageName, version: &Version, bytes: &[u8]) -> Result<Self, ReleaseError> {
        let wrong = |reason: String| ReleaseError(reason);
        let index: ImageIndex = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        let kind = index.artifact_type().as_ref().map(ToString::to_string);
        if kind.as_deref() != Some(RELEASE_TYPE) {
            return Err(wrong(format!(
                "it is of another kind, {}",
                kind.unwrap_or_else(|| "an image".into())
            )));
        }
        let empty = HashMap::new();
        let annotations = index.annotations().as_ref().unwrap_or(&empty);
        let text = |key: &str| annotations.get(key).cloned().unwrap_or_default();
        let stated = (text(NAME), text(VERSION));
        if (stated.0.as_str(), stated.1.as_str()) != (name.as_str(), version.as_str()) {
            return Err(wrong(format!("it says that it is {} {}", stated.0, stated.1)));
        }
        let digest = |key: &str| text(key).parse::<Digest>().map_err(|error| wrong(error.to_string()));
        let license = match text(LICENSES) {
            license if license.is_empty() => None,
            license => Some(
                license
                    .parse()
                    .map_err(|error: edgepkg_quantize::package::LicenseError| wrong(error.to_string()))?,
            ),
        };
        let dependencies = text(DEPENDENCIES);
        let dependencies = dependencies.split(" & ").filter(|text| !text.is_empty()).take(MAX_DEPENDENCIES);
        let dependencies: Result<Vec<Requirement>, _> = dependencies.map(str::parse).collect();
        let keywords = text(KEYWORDS);
        let mut targets = BTreeMap::new();
        for descriptor in index.manifests() {
            // Manifests of other kinds are from programs that know more.
            if let Some(target) = target_of(descriptor)
                && targets.insert(target, descriptor.clone()).is_some()
            {
                return Err(wrong(format!("it has two manifests for {}", target.name())));
            }
        }
        Ok(Self {
            name: name.clone(),
            version: version.clone(),
            digest: Digest::of(bytes),
            index_bytes: bytes.len() as u64,
            license,
            description: text(DESCRIPTION),
            authors: text(AUTHORS),
            repository: Some(text(SOURCE)).filter(|text| !text.is_empty()),
            keywords: keywords.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect(),
            dependencies: dependencies.map_err(|error| wrong(error.to_string()))?,
            interface: digest(FACE)?,
            weights: digest(WEIGHTS)?,
            targets,
        })
    }
}

fn target_of(descriptor: &Descriptor) -> Option<Target> {
    let isa = descriptor.annotations().as_ref().and_then(|annotations| annotations.get(ISA));
    let kind = descriptor.artifact_type().as_ref().map(ToString::to_string);
    match (isa, kind.as_deref()) {
        (Some(isa), None | Some(ARTIFACT_TYPE)) => Isa::from_name(isa).map(Target::Isa),
        (None, None | Some(media_type::ARTIFACT_TYPE)) => Some(Target::Package),
        _ => None,
    }
}

/// What changed from one release to the next, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Requantization, or what is said of the package.
    Patch,
    /// New weights.
    Minor,
    /// Inputs, outputs or labels.
    Major,
}

impl Change {
    /// What changed from `old` to `new`.
    pub fn between(old: &Release, new: &Release) -> Self {
        if old.interface != new.interface {
            Change::Major
        } else if old.weights != new.weights {
            Change::Minor
        } else {
            Change::Patch
        }
    }

    /// What a user sees of it.
    pub fn meaning(self) -> &'static str {
        match self {
            Change::Patch => "only quantization or what is said of it",
            Change::Minor => "the weights",
            Change::Major => "inputs, outputs or labels",
        }
    }

    /// The least version after `version` that says it. Before 1.0.0 what stands second says what would stand first.
    pub fn next(self, version: &Version) -> Version {
        let semver::Version { major, minor, patch, .. } = version.number();
        let text = match (self, major, minor) {
            (Change::Major, 1.., _) => format!("{}.0.0", major + 1),
            (Change::Major, 0, 1..) | (Change::Minor, 1.., _) => format!("{major}.{}.0", minor + 1),
            _ => format!("{major}.{minor}.{}", patch + 1),
        };
        text.parse().expect("numbers make a version")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_say_what_changed() {
        let next = |change: Change, version: &str| change.next(&version.parse().unwrap()).to_string();
        assert_eq!(next(Change::Major, "1.2.3"), "2.0.0");
        assert_eq!(next(Change::Minor, "1.2.3"), "1.3.0");
        assert_eq!(next(Change::Patch, "1.2.3"), "1.2.4");
        assert_eq!(next(Change::Major, "0.2.3"), "0.3.0");
        assert_eq!(next(Change::Minor, "0.2.3"), "0.2.4");
        assert_eq!(next(Change::Major, "0.0.3"), "0.0.4");
    }
}
