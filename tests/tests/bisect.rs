//! Where a board parts from the host is named: the layer and the element, on a runner whose kernel is wrong on purpose.

use std::fs;
use std::path::Path;

use edgepkg::bisect::{BisectError, DifferingElement, Parting, bisect};
use edgepkg::device::{Device, DeviceError, LinkDevice, OpenOptions};
use edgepkg::emulator::Emulator;
use edgepkg::model::{Choices, Importer, Model};
use edgepkg::runners::{self, RunnerImage};
use edgepkg_boards::{Board, linker_script};
use edgepkg_quantize::package::{Package, TestVector};
use edgepkg_tests::models::kws;
use edgepkg_toolchain::Toolchain;

const KERNEL: &str = "firmware/kernels/src/reference/fully_connected.rs";
const RIGHT: &str = "output.set(value as i8);";
/// Of every row element 5 is turned over.
const WRONG: &str =
    "output.set(if core::ptr::eq(output, &outputs[5]) { !(value as i8) } else { value as i8 });";

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name == "target" {
            continue;
        }
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &to.join(name)),
            false => drop(fs::copy(entry.path(), to.join(name)).unwrap()),
        }
    }
}

/// The runner of `board` with the wrong kernel; `None`, said aloud, where nothing here compiles it.
fn wrong_runner(board: &Board, folder: &Path) -> Option<RunnerImage> {
    let target = board.target.as_deref()?;
    let Some(toolchain) = Toolchain::find(target) else {
        println!("skipped: no toolchain here builds for {target}");
        return None;
    };
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    copy_folder(&checkout.join("firmware"), &folder.join("firmware"));
    // What the firmware's manifests inherit from.
    let mut workspace: toml::Table =
        fs::read_to_string(checkout.join("Cargo.toml")).unwrap().parse().unwrap();
    let table = workspace["workspace"].as_table_mut().unwrap();
    table.remove("default-members");
    let members = ["format", "kernels", "runtime"].map(|name| format!("firmware/{name}").into());
    table.insert("members".to_owned(), toml::Value::Array(members.to_vec()));
    workspace.remove("profile");
    fs::write(folder.join("Cargo.toml"), workspace.to_string()).unwrap();
    let kernel = folder.join(KERNEL);
    let source = fs::read_to_string(&kernel).unwrap();
    assert_eq!(source.matches(RIGHT).count(), 1);
    fs::write(&kernel, source.replace(RIGHT, WRONG)).unwrap();
    let script = folder.join("link.ld");
    fs::write(&script, linker_script(board).unwrap()).unwrap();
    let mut flags =
        vec!["--cfg=sha2_backend_soft=\"compact\"".to_owned(), format!("-Clink-arg=-T{}", script.display())];
    flags.extend(board.compiler_flags());
    let target_folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bisect");
    let built = toolchain
        .build(target, &flags)
        .args(["--locked", "--release", "--quiet", "--package", "edgepkg-image-cortex-m"])
        .current_dir(folder.join("firmware/images"))
        .env("CARGO_TARGET_DIR", &target_folder)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let elf = target_folder.join(target).join("release/cortex-m");
    Some(RunnerImage::of_elf("wrong", fs::read(elf).unwrap()))
}

fn package(folder: &Path) -> Package {
    let file = folder.join("kws.tflite");
    fs::write(&file, kws().tflite).unwrap();
    match Model::read(&file, &Importer::InProcess).unwrap() {
        Model::Package(package) => *package,
        Model::Artifact(_) => unreachable!("it is a model file"),
    }
}

fn find(board: &Board, runner: &RunnerImage, package: &Package) -> Option<Parting> {
    let model = kws();
    let vector = |(input, output): (&Vec<u8>, &Vec<u8>)| TestVector {
        inputs: vec![input.clone()],
        outputs: vec![output.clone()],
    };
    let vectors: Vec<TestVector> = model.inputs.iter().zip(&model.outputs).map(vector).collect();
    let mut open = |artifact: &[u8]| -> Result<Box<dyn Device>, BisectError> {
        let emulator = Emulator::start(board, runner, artifact).map_err(DeviceError::from)?;
        Ok(Box::new(LinkDevice::open(Box::new(emulator), OpenOptions::default())?))
    };
    bisect(package, board, Choices::default(), &vectors[..2], &mut open).unwrap()
}

#[test]
fn a_wrong_kernel_is_found_to_the_element() {
    let board = Board::find("qemu-cortex-m3").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let package = package(folder.path());
    assert_eq!(find(&board, &runners::find(&board).unwrap(), &package), None);
    let Some(runner) = wrong_runner(&board, &folder.path().join("wrong")) else { return };
    let Parting { vector, layer, element } = find(&board, &runner, &package).expect("it differs");
    assert_eq!((vector, layer.operator.as_str()), (0, "FullyConnected"));
    let DifferingElement { index, shape, expected, found, differing, elements } =
        element.expect("it is found");
    assert_eq!((index.as_slice(), shape.as_slice()), (&[0, 5][..], &[1, 12][..]));
    assert_eq!((differing, elements), (1, 12));
    assert_eq!(found, !expected);
}
