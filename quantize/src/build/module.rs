//! The Rust module of an artifact.

use std::fmt::Write as _;

use edgepkg_format::info::Ports;
use edgepkg_format::{Artifact, DType, Port};

/// Words that cannot be a module's name.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];

/// Whether a module can be called so.
pub fn is_identifier(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(sound)
        && !KEYWORDS.contains(&name)
}

/// The text of the module of `artifact`, which lies beside it as `NAME.epa`.
pub fn of(name: &str, artifact: &Artifact<'_>) -> String {
    let info = artifact.info();
    let (model, version, isa) = (plain(info.name), plain(info.version), artifact.isa());
    let (flash_bytes, arena_bytes) = (artifact.bytes().len(), artifact.arena_bytes());
    let mut text = format!(
        "// Made by edgepkg_quantize::build.

::edgepkg_runtime::embed_model!(
    /// {model} {version}, lowered for `{isa}`: its artifact, and the operators that are linked for it.
    pub Network = \"{name}.epa\"
);

/// The model's name.
pub const NAME: &str = {:?};
/// The model's version.
pub const VERSION: &str = {:?};
/// Bytes of the artifact, in flash.
pub const FLASH_BYTES: usize = {flash_bytes};
/// Bytes of arena that a session needs.
pub const ARENA_BYTES: usize = {arena_bytes};
/// An arena for this model alone.
pub type Arena = ::edgepkg_runtime::Arena<ARENA_BYTES>;
",
        info.name, info.version
    );
    write_ports(&mut text, "input", info.inputs);
    write_ports(&mut text, "output", info.outputs);
    text
}

/// A module for each port: `input` where there is one, `input_0`, `input_1` and so on where there are more.
fn write_ports(text: &mut String, direction: &str, ports: Ports<'_>) {
    for (index, port) in ports.iter().enumerate() {
        let name = if ports.len() == 1 { direction.to_owned() } else { format!("{direction}_{index}") };
        // What was emitted just now can be read.
        if let Some(port) = port {
            write_port(text, &name, index, &port);
        }
    }
}

fn write_port(text: &mut String, name: &str, index: usize, port: &Port<'_>) {
    let element = match port.tensor.dtype {
        DType::Int16 => "i16",
        DType::Int32 => "i32",
        _ => "i8",
    };
    let shape: Vec<String> = port.shape.iter().map(u32::to_string).collect();
    let (rank, shape) = (shape.len(), shape.join(", "));
    let elements: u64 = port.shape.iter().map(|&extent| u64::from(extent)).product();
    let labels: Vec<&str> = port.labels.iter().collect();
    let (scale, zero_point) = (port.scale, port.zero_point);
    let _ = write!(
        text,
        "
/// `{}`: {element} [{shape}].
pub mod {name} {{
    /// Its place among the model's {}s.
    pub const INDEX: usize = {index};
    /// Its name in the model file.
    pub const NAME: &str = {:?};
    /// Its extents, outermost first.
    pub const SHAPE: [usize; {rank}] = [{shape}];
    /// Its elements.
    pub const LEN: usize = {elements};
    /// One of them.
    pub type Element = {element};
    /// All of them, row-major.
    pub type Values = [Element; LEN];
    /// What its elements stand for.
    pub const QUANTIZATION: ::edgepkg_runtime::Quantization =
        ::edgepkg_runtime::Quantization {{ scale: {scale:?}, zero_point: {zero_point} }};
",
        plain(port.name),
        name.trim_end_matches(|c: char| c == '_' || c.is_ascii_digit()),
        port.name,
    );
    if !labels.is_empty() {
        let _ = write!(
            text,
            "    /// Names of its classes.
    pub const LABELS: [&str; {}] = {labels:?};
",
            labels.len()
        );
    }
    text.push_str("}\n");
}

/// A stranger's text for a comment of one line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
