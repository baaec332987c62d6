//! The blobs of a package, and the OCI manifest that names them.

use std::collections::HashMap;

use crate::graph::{QuantizedGraph, Tensor as _};
use oci_spec::image::{Descriptor, ImageManifestBuilder, MediaType};
use serde::Serialize;

use super::compression::{self, Compression};
use super::layout::{Layout, LayoutWriter};
use super::{Manifest, PackageError, Source, media_type};

/// A package's blobs.
#[derive(Default)]
pub struct Parts {
    pub manifest: Vec<u8>,
    pub structure: Vec<u8>,
    pub weights: Vec<Vec<u8>>,
    pub vectors: Vec<u8>,
    pub report: Vec<u8>,
    pub source: Option<Source>,
}

impl Parts {
    /// Reads the blobs of a layout's manifest. Layers of unknown types are left alone: they are from
    /// programs that know more.
    pub fn read(layout: &Layout) -> Result<Self, PackageError> {
        let manifest = layout.manifest()?;
        let one = |kind: &str, name: &str| {
            let layer = manifest.layers().iter().find(|layer| kind_of(layer) == kind);
            layer.map(|layer| layout.layer(layer, name))
        };
        let required = |kind: &str, name: &str| one(kind, name).unwrap_or_else(|| Err(layout.missing(name)));
        layout.blob(manifest.config(), "config")?;
        let weights = manifest.layers().iter().filter(|layer| kind_of(layer) == media_type::WEIGHTS);
        let weights = weights.enumerate().map(|(index, layer)| {
            let name = media_type::WEIGHTS_FILES.get(index).copied().unwrap_or("weights");
            layout.layer(layer, name)
        });
        Ok(Self {
            manifest: required(media_type::MANIFEST, media_type::MANIFEST_FILE)?,
            structure: required(media_type::STRUCTURE, media_type::STRUCTURE_FILE)?,
            weights: weights.collect::<Result<_, _>>()?,
            vectors: required(media_type::VECTORS, media_type::VECTORS_FILE)?,
            report: required(media_type::REPORT, media_type::REPORT_FILE)?,
            source: read_source(layout, manifest.layers())?,
        })
    }

    /// Adds the blobs and the manifest that names them, and gives the descriptor of that.
    pub fn write(
        self,
        layout: &mut LayoutWriter,
        manifest: &Manifest,
        graph: &QuantizedGraph,
        compression: Compression,
    ) -> Descriptor {
        let mut layers = Vec::new();
        let mut add = |kind: &str, file: &str, bytes: Vec<u8>| {
            layers.push(add_layer(layout, compression, Layer { kind, file, bytes }));
        };
        add(media_type::MANIFEST, media_type::MANIFEST_FILE, self.manifest);
        add(media_type::STRUCTURE, media_type::STRUCTURE_FILE, self.structure);
        for (file, bytes) in media_type::WEIGHTS_FILES.into_iter().zip(self.weights) {
            add(media_type::WEIGHTS, file, bytes);
        }
        add(media_type::VECTORS, media_type::VECTORS_FILE, self.vectors);
        add(media_type::REPORT, media_type::REPORT_FILE, self.report);
        if let Some(source) = self.source {
            add(
                media_type::SOURCE,
                &format!("{}{}", media_type::SOURCE_FOLDER, source.file_name),
                source.bytes,
            );
        }
        let config = layout.add_document(media_type::CONFIG, &Config::of(manifest, graph, &layers));
        let image = ImageManifestBuilder::default()
            .schema_version(2u32)
            .media_type(MediaType::ImageManifest)
            .artifact_type(media_type::ARTIFACT_TYPE)
            .config(config)
            .layers(layers)
            .build()
            .expect("every required field is set");
        let mut descriptor = layout.add_document(MediaType::ImageManifest.as_ref(), &image);
        descriptor.set_artifact_type(Some(media_type::ARTIFACT_TYPE.into()));
        let version = manifest.version.as_str().replace('+', "_");
        descriptor.set_annotations(Some(HashMap::from([(media_type::REF_NAME_ANNOTATION.into(), version)])));
        descriptor
    }
}

/// A layer to be added.
pub struct Layer<'a> {
    /// Its media type.
    pub kind: &'a str,
    /// The name under which tools unpack it.
    pub file: &'a str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Adds a layer, compressed where that is wanted and helps.
pub fn add_layer(layout: &mut LayoutWriter, compression: Compression, layer: Layer<'_>) -> Descriptor {
    let mut annotations = file_annotations(layer.file);
    let compressed = match compression {
        Compression::None => None,
        Compression::Zstd => compression::compress(&layer.bytes),
    };
    let mut descriptor = match compressed {
        Some(compressed) => {
            annotations.insert(media_type::SIZE_ANNOTATION.into(), layer.bytes.len().to_string());
            layout.add_blob(&format!("{}{}", layer.kind, media_type::ZSTD_SUFFIX), compressed)
        }
        None => layout.add_blob(layer.kind, layer.bytes),
    };
    descriptor.set_annotations(Some(annotations));
    descriptor
}

/// A layer's media type without what says that it is compressed.
fn kind_of(layer: &Descriptor) -> &str {
    let kind = layer.media_type().as_ref();
    kind.strip_suffix(media_type::ZSTD_SUFFIX).unwrap_or(kind)
}

fn file_annotations(file: &str) -> HashMap<String, String> {
    [media_type::FILE_PATH_ANNOTATION, media_type::TITLE_ANNOTATION]
        .into_iter()
        .map(|key| (key.to_owned(), file.to_owned()))
        .collect()
}

fn read_source(layout: &Layout, layers: &[Descriptor]) -> Result<Option<Source>, PackageError> {
    let Some(layer) = layers.iter().find(|layer| kind_of(layer) == media_type::SOURCE) else {
        return Ok(None);
    };
    let annotations = layer.annotations().as_ref();
    let path = annotations.and_then(|all| all.get(media_type::FILE_PATH_ANNOTATION));
    let name = path.and_then(|path| path.strip_prefix(media_type::SOURCE_FOLDER)).unwrap_or("model");
    // The name comes from a stranger: it never becomes a path.
    let file_name = name.replace(['/', '\\'], "_");
    Ok(Some(Source {
        bytes: layout.layer(layer, &format!("{}{file_name}", media_type::SOURCE_FOLDER))?,
        file_name,
    }))
}

/// ModelPack's configuration.
#[derive(Serialize)]
struct Config {
    descriptor: ConfigDescriptor,
    config: ConfigModel,
    modelfs: ConfigLayers,
}

#[derive(Serialize)]
struct ConfigDescriptor {
    name: String,
    version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigModel {
    format: &'static str,
    precision: &'static str,
    param_size: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigLayers {
    r#type: &'static str,
    diff_ids: Vec<String>,
}

impl Config {
    fn of(manifest: &Manifest, graph: &QuantizedGraph, layers: &[Descriptor]) -> Self {
        let parameters: usize =
            graph.tensors.iter().filter(|tensor| tensor.is_constant()).map(|tensor| tensor.len()).sum();
        Self {
            descriptor: ConfigDescriptor {
                name: manifest.name.to_string(),
                version: manifest.version.to_string(),
            },
            config: ConfigModel {
                format: "edgepkg",
                precision: "int8",
                param_size: format!("{:.1}k", parameters as f64 / 1000.0),
            },
            modelfs: ConfigLayers {
                r#type: "layers",
                diff_ids: layers.iter().map(|layer| layer.digest().to_string()).collect(),
            },
        }
    }
}
