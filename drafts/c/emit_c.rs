//! An artifact as C: an aligned array, a header with names, shapes and sizes, and a file that tells make what they depend on.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use edgepkg_format::Artifact;
use edgepkg_quantize::package::Port;
use edgepkg_quantize::whole_file;

use crate::model::BoardModel;

/// Bytes in a line of the array.
const BYTES_A_LINE: usize = 16;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// `NAME.c`, `NAME.h`, `NAME.d`.
    pub files: [PathBuf; 3],
}

/// Writes `model`, whose artifact is `artifact`, to `folder`; `source` is the file it was made from.
///
/// # Errors
///
/// The path that cannot be written, and the system's reason.
pub fn write(
    model: &BoardModel,
    artifact: &Artifact<'_>,
    source: &Path,
    folder: &Path,
) -> Result<Written, (PathBuf, io::Error)> {
    let name = identifier(&model.name);
    let files = ["c", "h", "d"].map(|extension| folder.join(format!("{name}.{extension}")));
    let texts = [
        source_text(&name, model, artifact),
        header_text(&name, model, artifact),
        dependencies(&files[..2], source),
    ];
    for (path, text) in files.iter().zip(texts) {
        whole_file::write(path, text.as_bytes()).map_err(|error| (path.clone(), error))?;
    }
    Ok(Written { files })
}

/// A package's name as C has it.
fn identifier(name: &str) -> String {
    let name = name.replace('-', "_");
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("model_{name}") } else { name }
}

fn header_text(name: &str, model: &BoardModel, artifact: &Artifact<'_>) -> String {
    let upper = name.to_ascii_uppercase();
    let operators = artifact.info().operators.iter().count();
    let mut text = format!(
        "/* {} {} for {}: made by `edgepkg build --emit c`. */
#ifndef {upper}_H
#define {upper}_H

#include \"edgepkg.h\"

#ifdef __cplusplus
extern \"C\" {{
#endif

#define {upper}_NAME {}
#define {upper}_VERSION {}
/* Bytes of the artifact, in flash. */
#define {upper}_ARTIFACT_BYTES {}
/* Bytes of arena that a session needs, from a multiple of 16 on. */
#define {upper}_ARENA_BYTES {}
/* The operators that the model uses: a program that names the table links these and no others. */
#define {upper}_OPERATOR_COUNT {operators}

extern const uint8_t {name}_artifact[{upper}_ARTIFACT_BYTES];
extern const edgepkg_operator *const {name}_operators[{upper}_OPERATOR_COUNT];
",
        model.name,
        model.version,
        artifact.isa(),
        quoted(&model.name),
        quoted(&model.version),
        model.artifact.len(),
        model.arena_bytes,
    );
    for (direction, ports) in [("INPUT", &model.inputs), ("OUTPUT", &model.outputs)] {
        for (index, port) in ports.iter().enumerate() {
            write_port(&mut text, name, &format!("{direction}_{index}"), port);
        }
    }
    let _ = write!(text, "\n#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {upper}_H */\n");
    text
}

fn write_port(text: &mut String, name: &str, port_name: &str, port: &Port) {
    let prefix = format!("{}_{port_name}", name.to_ascii_uppercase());
    let shape: Vec<String> = port.shape.iter().map(usize::to_string).collect();
    let _ = write!(
        text,
        "
/* {}: real = scale * (element - zero point) */
#define {prefix}_NAME {}
#define {prefix}_TYPE {}_t
#define {prefix}_RANK {}
#define {prefix}_SHAPE {{{}}}
#define {prefix}_LEN {}
#define {prefix}_SCALE {:?}f
#define {prefix}_ZERO_POINT ({})
",
        port.element.name(),
        quoted(&port.name),
        port.element.name(),
        shape.len(),
        shape.join(", "),
        port.len(),
        port.scale,
        port.zero_point,
    );
    if !port.labels.is_empty() {
        let count = port.labels.len();
        let lower = port_name.to_ascii_lowercase();
        let _ = write!(
            text,
            "#define {prefix}_LABEL_COUNT {count}\nextern const char *const {name}_{lower}_labels[{count}];\n"
        );
    }
}

fn source_text(name: &str, model: &BoardModel, artifact: &Artifact<'_>) -> String {
    let mut text = format!(
        "/* {} {} for {}: made by `edgepkg build --emit c`. */\n#include \"{name}.h\"\n",
        model.name,
        model.version,
        artifact.isa()
    );
    let _ = write!(text, "\nconst edgepkg_operator *const {name}_operators[] = {{\n");
    for kind in artifact.info().operators.iter() {
        let _ = writeln!(text, "    &edgepkg_operator_{},", kind.name());
    }
    text.push_str("};\n");
    for (index, port) in model.outputs.iter().enumerate().filter(|(_, port)| !port.labels.is_empty()) {
        let labels: Vec<String> = port.labels.iter().map(|label| quoted(label)).collect();
        let _ = write!(
            text,
            "\nconst char *const {name}_output_{index}_labels[] = {{\n    {},\n}};\n",
            labels.join(",\n    ")
        );
    }
    let _ = write!(text, "\n_Alignas(16) const uint8_t {name}_artifact[] = {{\n");
    for line in model.artifact.chunks(BYTES_A_LINE) {
        let numbers: Vec<String> = line.iter().map(|byte| format!("{byte:#04x}")).collect();
        let _ = writeln!(text, "    {},", numbers.join(", "));
    }
    text.push_str("};\n");
    text
}

/// A string of C: what is not plain stands as its bytes in octal, which take no digit after them.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | b'?' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => {
                let _ = write!(quoted, "\\{byte:03o}");
            }
        }
    }
    quoted.push('"');
    quoted
}

/// A rule of make: `made` are to be made again when `source` changes.
fn dependencies(made: &[PathBuf], source: &Path) -> String {
    let path = |path: &Path| {
        path.display()
            .to_string()
            .replace('\\', "\\\\")
            .replace(' ', "\\ ")
            .replace('#', "\\#")
            .replace('$', "$$")
    };
    let made: Vec<String> = made.iter().map(|made| path(made)).collect();
    format!("{}: {}\n", made.join(" "), path(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_strangers_stay_strings_and_paths() {
        assert_eq!(quoted("a \"b\"\\\n\u{e4}0??/"), r#""a \"b\"\\\012\303\2440\?\?/""#);
        assert_eq!(identifier("person-detect"), "person_detect");
        assert_eq!(identifier("0x"), "model_0x");
        let made = [PathBuf::from("out dir/a.c")];
        assert_eq!(dependencies(&made, Path::new("a$b.edgepkg")), "out\\ dir/a.c: a$$b.edgepkg\n");
    }
}
