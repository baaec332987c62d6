//! `edgepkg build`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use edgepkg_boards::Board;
use serde::Serialize;

use super::costs::Costs;
use super::{Outcome, certify, write_json};
use crate::cli::{OutputArguments, PackageArgument};
use crate::device::DeviceError;
use crate::embed::{self, Firmware};
use crate::emit_c;
use crate::error::Error;
use crate::fit::{self, Certificate};
use crate::model::{BoardModel, Cost, Model, read_file};
use crate::progress::Progress;
use crate::runners;
use crate::store::Home;
use crate::table::Bytes;
use crate::trust::{Keys, sign_artifact};
use edgepkg_quantize::package::PackageName;

/// The certificate's name in the folder.
const CERTIFICATE_FILE: &str = "fit.json";

/// Arguments of `edgepkg build`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg build kws.edgepkg --board qemu-cortex-m4 -o build
  edgepkg build kws.edgepkg --board rpi -o build
  edgepkg build kws.edgepkg --board qemu-cortex-m4 --embed -o build
  edgepkg build kws.edgepkg --board qemu-cortex-m4 --emit c -o build")]
pub struct BuildArguments {
    #[command(flatten)]
    package: PackageArgument,
    /// The board, by its name in `edgepkg boards`, or the path of a board file (.toml)
    #[arg(long, value_name = "BOARD", default_value = "host")]
    board: String,
    /// Make an image of the runtime and this model alone, with the operators it uses, instead of the board's runner; and
    /// leave its crate to go on from. Takes a Rust toolchain for the board
    #[arg(long)]
    embed: bool,
    /// Write the model as source for a program of one's own in C or C++, in place of the board's runner: NAME.c, NAME.h, a
    /// rule for make (NAME.d), and the runtime's edgepkg.h and libedgepkg.a
    #[arg(long, value_enum, value_name = "LANGUAGE", conflicts_with = "embed")]
    emit: Option<Language>,
    /// Sign NAME.epa with one of your keys, for boards whose runner trusts it (`cargo xtask runners --trust`)
    #[arg(long, value_name = "KEY")]
    sign: Option<PackageName>,
    /// What the signature counts: a board takes no model with a lower one than it had
    #[arg(long, value_name = "N", default_value_t = 1, requires = "sign")]
    counter: u32,
    /// The folder that NAME.epa, the board's runner image and fit.json are written to
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    format: OutputArguments,
}

/// Languages that a model is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    C,
}

#[derive(Serialize)]
struct BuildResult {
    name: String,
    version: String,
    board: String,
    #[serde(flatten)]
    certified: Certified,
    files: Vec<PathBuf>,
}

/// What `fit.json` says.
#[derive(Serialize)]
struct Certified {
    #[serde(flatten)]
    certificate: Certificate,
    /// `speed`, `ram` or `flash`; none where only the artifact is known.
    optimize: Option<&'static str>,
    /// What the model would take for each of them.
    costs: Vec<Cost>,
}

impl BuildArguments {
    /// The files that the result depends on, where they are files.
    fn sources(&self) -> Vec<&Path> {
        let board = Path::new(&self.board);
        self.package.file().into_iter().chain(board.is_file().then_some(board)).collect()
    }
}

/// Builds a package for a board.
///
/// # Errors
///
/// When the model does not fit the board, or files cannot be written.
pub fn execute(arguments: &BuildArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let board = Board::find(&arguments.board)?;
    let (given, choices) = (arguments.package.read()?, arguments.package.choices());
    let mut model = given.for_board(&board, choices)?;
    if let Some(name) = &arguments.sign {
        let key = Keys::within(&Home::find()?.configuration).find(name)?;
        model.artifact = sign_artifact(&model.artifact, &key, arguments.counter)?;
    }
    let folder = &arguments.output;
    let create_folder =
        || std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.clone(), source });
    let embedded = if arguments.embed {
        create_folder()?;
        Some(embed(&board, &given, &model, folder)?)
    } else {
        None
    };
    let certificate = match (&embedded, arguments.emit) {
        (Some(Embedded { image, .. }), _) => fit::certify_embedded(&board, image, &model.artifact)?,
        (None, Some(Language::C)) => fit::certify_model(&board, &model.artifact)?,
        (None, None) => certify(&board, &model.artifact)?,
    };
    let certified = match &given {
        Model::Package(package) => Certified {
            certificate,
            optimize: Some(choices.optimize.name()),
            costs: BoardModel::costs(package, board.isa, choices)?,
        },
        Model::Artifact(_) => Certified { certificate, optimize: None, costs: Vec::new() },
    };
    create_folder()?;
    let mut files = vec![write_file(folder, &format!("{}.epa", model.name), &model.artifact)?];
    if let Some(Embedded { firmware, image }) = embedded {
        files.push(write_file(folder, &format!("{}.elf", model.name), &image)?);
        files.push(firmware.manifest());
    } else if arguments.emit == Some(Language::C) {
        files.extend(emit_c::write(&board, &model, &arguments.sources(), folder)?);
    } else if !board.is_host() {
        let runner = runners::find(&board).map_err(DeviceError::from)?;
        let name = format!("{}.{}", board.name, runner.extension);
        files.push(write_file(folder, &name, &runner.loaded)?);
    }
    files.push(write_file(folder, CERTIFICATE_FILE, &certificate_file(&certified)?)?);
    let BoardModel { name, version, .. } = model;
    let result = BuildResult { name, version, board: board.name, certified, files };
    if arguments.format.json {
        write_json(out, &result)?;
        return Ok(Outcome::Good);
    }
    writeln!(out, "{} {} for `{}`", result.name, result.version, result.board)?;
    write_certificate(out, &result)?;
    for file in &result.files {
        let bytes = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
        writeln!(out, "wrote {} ({})", file.display(), Bytes(bytes))?;
    }
    Ok(Outcome::Good)
}

/// A minimal image.
struct Embedded {
    firmware: Firmware,
    /// The linked ELF file.
    image: Vec<u8>,
}

fn embed(board: &Board, given: &Model, model: &BoardModel, folder: &Path) -> Result<Embedded, Error> {
    let vectors = match given {
        Model::Package(package) => &package.vectors.vectors[..],
        Model::Artifact(_) => &[],
    };
    let BoardModel { name, version, artifact, .. } = model;
    let contents = embed::Contents { name, version, artifact, vectors };
    let (firmware, toolchain) = embed::write_firmware(board, contents, folder)?;
    let _progress = Progress::new("compiling");
    let image = read_file(&firmware.build(&toolchain, &firmware.target_folder())?)?;
    Ok(Embedded { firmware, image })
}

fn certificate_file(certificate: &Certified) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    write_json(&mut bytes, certificate)?;
    Ok(bytes)
}

/// What is said of state, where there is any.
fn kept(state_bytes: u64) -> String {
    if state_bytes == 0 {
        String::new()
    } else {
        format!(" ({} of it kept between runs)", Bytes(state_bytes))
    }
}

fn write_certificate(out: &mut dyn Write, result: &BuildResult) -> Result<(), Error> {
    let Certified { certificate: Certificate { flash, ram, .. }, optimize, costs } = &result.certified;
    let of = |limit: Option<u64>| limit.map_or(String::new(), |limit| format!(" of {}", Bytes(limit)));
    if flash.code_bytes == 0 {
        writeln!(out, "flash  {}{} for the model", Bytes(flash.model_bytes), of(flash.limit_bytes))?;
        let (arena, kept) = (Bytes(ram.arena_bytes), kept(ram.state_bytes));
        writeln!(out, "RAM    {arena}{} for the arena{kept}", of(ram.limit_bytes))?;
        return write_costs(out, *optimize, costs);
    }
    let flash_bytes = flash.code_bytes + flash.model_bytes;
    let ram_bytes = ram.arena_bytes + ram.static_bytes + ram.stack_bytes;
    writeln!(
        out,
        "flash  {}{}: code {}, model {}",
        Bytes(flash_bytes),
        of(flash.limit_bytes),
        Bytes(flash.code_bytes),
        Bytes(flash.model_bytes)
    )?;
    writeln!(
        out,
        "RAM    {}{}: arena {}{}, variables {}, stack {}",
        Bytes(ram_bytes),
        of(ram.limit_bytes),
        Bytes(ram.arena_bytes),
        kept(ram.state_bytes),
        Bytes(ram.static_bytes),
        Bytes(ram.stack_bytes)
    )?;
    write_costs(out, *optimize, costs)
}

fn write_costs(out: &mut dyn Write, optimize: Option<&str>, costs: &[Cost]) -> Result<(), Error> {
    let Some(chosen) = optimize else { return Ok(()) };
    writeln!(out, "for    {}", Costs { chosen, costs })?;
    Ok(())
}

fn write_file(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    edgepkg_quantize::whole_file::write(&path, bytes)
        .map_err(|source| Error::Write { path: path.clone(), source })?;
    Ok(path)
}
