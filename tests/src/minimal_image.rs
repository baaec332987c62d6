//! Minimal images: a model with the runtime and its own operators, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use edgepkg::embed::{self, Contents};
use edgepkg_boards::Board;
use edgepkg_quantize::package::TestVector;
use edgepkg_toolchain::Toolchain;
use tempfile::TempDir;

use crate::models::Int8Model;

/// A minimal image, linked.
#[derive(Debug)]
pub struct MinimalImage {
    /// The file.
    pub elf: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// The model that it holds.
    pub artifact: Vec<u8>,
    /// Bytes of the inputs that it holds.
    pub input_bytes: u64,
    /// The compiler's version.
    pub compiler: String,
    _folder: TempDir,
}

/// The image of `model` for `board`, with its inputs as test vectors, compiled in `target_folder`; `None`, said aloud, where nothing here
/// compiles it.
///
/// # Panics
///
/// When the board has no image, or the image does not build.
pub fn build(board: &Board, model: &Int8Model, target_folder: &Path) -> Option<MinimalImage> {
    let target = board.target.as_deref().expect("it has an image");
    if Toolchain::find(target).is_none() {
        println!("skipped: no toolchain here builds for {target}");
        return None;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let artifact = model.artifact(board.isa);
    let vector = |(input, output): (&Vec<u8>, &Vec<u8>)| TestVector {
        inputs: vec![input.clone()],
        outputs: vec![output.clone()],
    };
    let vectors: Vec<TestVector> = model.inputs.iter().zip(&model.outputs).map(vector).collect();
    let contents = Contents { name: &model.name, version: "0.1.0", artifact: &artifact, vectors: &vectors };
    let (firmware, toolchain) = embed::write_firmware(board, contents, folder.path()).expect("it is written");
    let elf = firmware
        .build(&toolchain, &target_folder.join("embed").join(&board.name))
        .unwrap_or_else(|error| panic!("{error}"));
    let bytes = fs::read(&elf).expect("it is linked");
    let input_bytes = fs::metadata(firmware.folder.join("inputs.bin")).expect("it was written").len();
    let compiler = toolchain.compiler().unwrap_or_default();
    Some(MinimalImage { elf, bytes, artifact, input_bytes, compiler, _folder: folder })
}
