//! Constants whose values lie in files beside the model.
//!
//! The model names these files. Only files inside its own folder are read, whatever links lead there, and
//! only as many bytes as the constant's shape says.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{GraphProto, TensorProto};

use super::constants;
use super::unreadable;
use crate::import::{ImportError, MAX_CONSTANT_BYTES};

/// Whether a constant's values lie in another file.
pub(super) fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::External as i32)
}

/// Brings the values of every initializer that lies in another file into the graph.
pub(super) fn load(graph: &mut GraphProto, folder: Option<&Path>) -> Result<(), ImportError> {
    let mut total_bytes = 0;
    for tensor in graph.initializer.iter_mut().filter(|tensor| is_external(tensor)) {
        let problem = |problem: String| unreadable(format!("constant `{}` {problem}", tensor.name));
        let folder = folder.ok_or_else(|| problem("lies in another file".into()))?;
        let needed_bytes = constants::size(tensor)?.bytes;
        total_bytes += needed_bytes;
        if total_bytes > MAX_CONSTANT_BYTES {
            return Err(unreadable(format!("its constants have more than {MAX_CONSTANT_BYTES} bytes")));
        }
        tensor.raw_data = read(tensor, folder, needed_bytes).map_err(problem)?;
        tensor.data_location = None;
        tensor.external_data.clear();
    }
    Ok(())
}

/// The values; what is wrong, as the sentence goes on after the constant's name.
fn read(tensor: &TensorProto, folder: &Path, needed_bytes: usize) -> Result<Vec<u8>, String> {
    let entry = |key: &str| {
        let entries = tensor.external_data.iter();
        entries.rev().find(|entry| entry.key == key).map(|entry| &*entry.value)
    };
    let number = |key: &str| match entry(key).map(str::parse::<u64>) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(format!("has `{key}` that is no number")),
    };
    let location = entry("location").ok_or("lies in another file, which is not named")?;
    let path = Path::new(location);
    let inside = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    if location.is_empty() || location.contains('\\') || !path.components().all(inside) {
        return Err(format!("lies in `{location}`, which is not inside the model's folder"));
    }
    let failed = |error: std::io::Error| format!("lies in `{location}`, which cannot be read: {error}");
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let real = folder.join(path).canonicalize().map_err(failed)?;
    if !real.starts_with(folder.canonicalize().map_err(failed)?) {
        return Err(format!("lies in `{location}`, which leads out of the model's folder"));
    }
    let metadata = real.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("lies in `{location}`, which is no file"));
    }
    let offset = number("offset")?.unwrap_or(0);
    let length = number("length")?.unwrap_or_else(|| metadata.len().saturating_sub(offset));
    if length != needed_bytes as u64 {
        return Err(format!("has {length} bytes in `{location}`, where its shape says {needed_bytes}"));
    }
    if offset.checked_add(length).is_none_or(|end| end > metadata.len()) {
        let found = metadata.len();
        return Err(format!(
            "lies at byte {offset} of `{location}`, {length} bytes long; the file has {found}"
        ));
    }
    let mut file = File::open(&real).map_err(failed)?;
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut values = vec![0; needed_bytes];
    file.read_exact(&mut values).map_err(failed)?;
    Ok(values)
}
