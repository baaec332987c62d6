//! What a file says of itself: its description, and TensorFlow Lite metadata with the names of classes.
//!
//! Metadata is a flatbuffer of its own in one of the file's buffers. The files that it names, of which label
//! files are read, stand in a zip archive behind the model.

use miniz_oxide::inflate::decompress_to_vec_with_limit;
use rawzip::{CompressionMethod, ZipArchive, ZipVerification, crc32};

use super::file::File;
use super::flatbuffer::{self, Fields, FromTable, Result as Verified};
use crate::import::Metadata;

/// The name that the buffer of the metadata has.
const BUFFER_NAME: &str = "TFLITE_METADATA";
/// What stands at byte 4 of it.
const IDENTIFIER: &[u8] = b"M001";
/// The largest label file that is read.
const MAX_LABEL_BYTES: usize = 1 << 20;
/// The most entries of the archive that are looked at.
const MAX_ARCHIVE_ENTRIES: usize = 1 << 10;
/// Descriptions that converters write into every file.
const CONVERTERS: [&str; 2] = ["MLIR Converted.", "TOCO Converted."];

/// What `file`, whose outputs have these shapes, says of itself; what cannot be read is left out, and told in
/// `notes`.
pub(super) fn of(file: &File<'_>, outputs: &[Vec<usize>], notes: &mut Vec<String>) -> Metadata {
    let own = Some(file.model.description.clone()).filter(|text| !CONVERTERS.contains(&text.trim()));
    let mut metadata = Metadata { description: own.unwrap_or_default(), labels: Vec::new() };
    let mut leave_out =
        |what: &str, reason: &str| notes.push(format!("the file's {what} left out: {reason}"));
    match stated(file) {
        Ok(None) => {}
        Ok(Some(stated)) => {
            if !stated.description.is_empty() {
                metadata.description = stated.description;
            }
            let tensors = stated.graphs.into_iter().next().map(|graph| graph.outputs).unwrap_or_default();
            for (tensor, shape) in tensors.iter().zip(outputs) {
                let labels = labels(file, tensor, shape.last().copied().unwrap_or(1));
                metadata.labels.push(labels.unwrap_or_else(|reason| {
                    leave_out("labels are", &reason);
                    Vec::new()
                }));
            }
        }
        Err(reason) => leave_out("metadata is", reason),
    }
    metadata
}

/// The metadata; `None` where there is none.
fn stated(file: &File<'_>) -> Result<Option<ModelMetadata>, &'static str> {
    let Some(entry) = file.model.metadata.iter().find(|entry| entry.name == BUFFER_NAME) else {
        return Ok(None);
    };
    let bytes = file.model.buffers.get(entry.buffer as usize).map_or(&[][..], |buffer| buffer.data);
    if bytes.get(4..8) != Some(IDENTIFIER) {
        return Err("it does not have the identifier M001");
    }
    flatbuffer::root(bytes).map(Some).map_err(|_| "it is damaged")
}

/// The names of an output's `classes`; none where the metadata names no file with them.
fn labels(file: &File<'_>, tensor: &TensorMetadata, classes: usize) -> Result<Vec<String>, String> {
    let mut files: Vec<_> =
        tensor.files.iter().filter(|file| file.kind == AssociatedFile::AXIS_LABELS).collect();
    files.sort_by_key(|file| !file.locale.is_empty());
    let Some(associated) = files.first() else { return Ok(Vec::new()) };
    let name = &associated.name;
    let problem = |problem: &str| format!("`{name}` {problem}");
    let bytes = unpacked(file.bytes, name).map_err(problem)?;
    let text = String::from_utf8(bytes).map_err(|_| problem("is not UTF-8"))?;
    let labels: Vec<String> = text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect();
    if labels.len() != classes {
        return Err(problem(&format!("has {} lines for {classes} classes", labels.len())));
    }
    if labels.iter().any(|label| label.is_empty() || label.contains(char::is_control)) {
        return Err(problem("has an empty line, or one that is no text"));
    }
    Ok(labels)
}

/// The file `name` of the archive at the end of `bytes`.
fn unpacked(bytes: &[u8], name: &str) -> Result<Vec<u8>, &'static str> {
    let archive = ZipArchive::from_slice(bytes).map_err(|_| "is in an archive that is not there")?;
    let mut entries = archive.entries();
    for _ in 0..MAX_ARCHIVE_ENTRIES {
        let entry = entries.next_entry().map_err(|_| "is in an archive that is damaged")?;
        let Some(entry) = entry else { break };
        if entry.file_path().as_bytes() != name.as_bytes() {
            continue;
        }
        let method = entry.compression_method();
        let entry = archive.get_entry(entry.wayfinder()).map_err(|_| "is in an archive that is damaged")?;
        let data = entry.data();
        let unpacked = match method {
            CompressionMethod::STORE if data.len() <= MAX_LABEL_BYTES => data.to_vec(),
            CompressionMethod::DEFLATE => decompress_to_vec_with_limit(data, MAX_LABEL_BYTES)
                .map_err(|_| "is damaged or larger than 1 MiB")?,
            CompressionMethod::STORE => return Err("is larger than 1 MiB"),
            _ => return Err("is compressed in another way than deflate"),
        };
        let found = ZipVerification { crc: crc32(&unpacked), uncompressed_size: unpacked.len() as u64 };
        entry.claim_verifier().valid(found).map_err(|_| "is damaged")?;
        return Ok(unpacked);
    }
    Err("is not in the file's archive")
}

struct ModelMetadata {
    description: String,
    graphs: Vec<SubGraphMetadata>,
}

impl FromTable<'_> for ModelMetadata {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Verified<Self> {
        Ok(Self { description: fields.text(1)?, graphs: fields.tables(3)? })
    }
}

struct SubGraphMetadata {
    outputs: Vec<TensorMetadata>,
}

impl FromTable<'_> for SubGraphMetadata {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Verified<Self> {
        Ok(Self { outputs: fields.tables(3)? })
    }
}

struct TensorMetadata {
    files: Vec<AssociatedFile>,
}

impl FromTable<'_> for TensorMetadata {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Verified<Self> {
        Ok(Self { files: fields.tables(6)? })
    }
}

/// A file of the archive.
struct AssociatedFile {
    name: String,
    kind: i8,
    locale: String,
}

impl AssociatedFile {
    /// Names of the elements along an axis, a line each.
    const AXIS_LABELS: i8 = 2;
}

impl FromTable<'_> for AssociatedFile {
    fn from_table(fields: &mut Fields<'_, '_, '_>) -> Verified<Self> {
        Ok(Self { name: fields.text(0)?, kind: fields.scalar(2, 0)?, locale: fields.text(3)? })
    }
}
