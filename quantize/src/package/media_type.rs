//! What a package's blobs are called: CNCF ModelPack's media types where it has one, ours elsewhere.

/// `artifactType` of the OCI manifest (ModelPack).
pub const ARTIFACT_TYPE: &str = "application/vnd.cncf.model.manifest.v1+json";
/// The OCI config (ModelPack).
pub const CONFIG: &str = "application/vnd.cncf.model.config.v1+json";
/// Values of constants (ModelPack).
pub const WEIGHTS: &str = "application/vnd.cncf.model.weight.v1.raw";
/// `edgepkg.toml` as resolved.
pub const MANIFEST: &str = "application/vnd.edgepkg.manifest.v1+toml";
/// The graph's structure.
pub const STRUCTURE: &str = "application/vnd.edgepkg.graph.v1+postcard";
/// Test vectors.
pub const VECTORS: &str = "application/vnd.edgepkg.vectors.v1+postcard";
/// The quantization report.
pub const REPORT: &str = "application/vnd.edgepkg.report.v1+json";
/// The model file the package was made from.
pub const SOURCE: &str = "application/vnd.edgepkg.source.v1";

/// ModelPack's annotation for the file a layer is unpacked to.
pub const FILE_PATH_ANNOTATION: &str = "org.cncf.model.filepath";
/// OCI's annotation for the same, which ORAS reads.
pub const TITLE_ANNOTATION: &str = "org.opencontainers.image.title";
/// OCI's annotation for the tag a manifest has in a layout.
pub const REF_NAME_ANNOTATION: &str = "org.opencontainers.image.ref.name";

/// The end of the media type of a layer that is compressed.
pub const ZSTD_SUFFIX: &str = "+zstd";
/// Annotation of a compressed layer: its length before that, in bytes.
pub const SIZE_ANNOTATION: &str = "dev.edgepkg.size";

/// Where blobs are unpacked to, and what messages call them.
pub const MANIFEST_FILE: &str = "edgepkg.toml";
/// The graph's structure.
pub const STRUCTURE_FILE: &str = "graph.postcard";
/// Weights, in the order of the graph's weight blobs.
pub const WEIGHTS_FILES: [&str; 2] = ["weights/base.bin", "weights/head.bin"];
/// Test vectors.
pub const VECTORS_FILE: &str = "vectors.postcard";
/// The quantization report.
pub const REPORT_FILE: &str = "report.json";
/// The folder of the model file.
pub const SOURCE_FOLDER: &str = "source/";
