//! What the files say.

use std::fmt::Write as _;
use std::path::Path;

use edgepkg_format::Artifact;
use edgepkg_quantize::package::Port;

use crate::model::BoardModel;

/// Bytes in a line of the array.
const BYTES_A_LINE: usize = 16;

/// A package's name as C has it.
pub fn identifier(name: &str) -> String {
    let name = name.replace(['-', '.'], "_");
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("model_{name}") } else { name }
}

/// The header.
pub fn header(name: &str, model: &BoardModel, artifact: &Artifact<'_>) -> String {
    let upper = name.to_ascii_uppercase();
    let mut text = format!(
        "{}#ifndef {upper}_H
#define {upper}_H

#include \"edgepkg.h\"

#ifdef __cplusplus
extern \"C\" {{
#endif

#define {upper}_NAME {}
#define {upper}_VERSION {}
/* Bytes of the artifact, in flash. */
#define {upper}_ARTIFACT_BYTES {}
/* Bytes of arena that a session needs: static EDGEPKG_ALIGNED int8_t arena[{upper}_ARENA_BYTES]; */
#define {upper}_ARENA_BYTES {}

/* The artifact and the operators that it uses: a program that names it links these operators and no others. */
extern const edgepkg_network {name}_network;
",
        made_of(model, artifact),
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

/// The first line. Names and versions of packages have no characters that end a comment.
fn made_of(model: &BoardModel, artifact: &Artifact<'_>) -> String {
    let BoardModel { name, version, .. } = model;
    format!("/* {name} {version} for {}: made by `edgepkg build --emit c`. */\n", artifact.isa())
}

fn write_port(text: &mut String, name: &str, port_name: &str, port: &Port) {
    let prefix = format!("{}_{port_name}", name.to_ascii_uppercase());
    let element = port.element.name();
    let shape: Vec<String> = port.shape.iter().map(usize::to_string).collect();
    let _ = write!(
        text,
        "
/* {element}: real = scale * (element - zero point) */
#define {prefix}_NAME {}
#define {prefix}_TYPE {element}_t
#define {prefix}_RANK {}
#define {prefix}_SHAPE {{{}}}
#define {prefix}_LEN {}
#define {prefix}_SCALE {:?}f
#define {prefix}_ZERO_POINT ({})
",
        quoted(&port.name),
        shape.len(),
        shape.join(", "),
        port.len(),
        port.scale,
        port.zero_point,
    );
    if !port.labels.is_empty() {
        let count = port.labels.len();
        let _ = write!(
            text,
            "#define {prefix}_LABEL_COUNT {count}\nextern const char *const {};\n",
            labels(name, port_name, count)
        );
    }
}

/// The array of labels, as it is declared.
fn labels(name: &str, port_name: &str, count: usize) -> String {
    format!("{name}_{}_labels[{count}]", port_name.to_ascii_lowercase())
}

/// The source, in what C and C++ have in common.
pub fn source(name: &str, model: &BoardModel, artifact: &Artifact<'_>) -> String {
    let operators: Vec<&str> = artifact.info().operators.iter().map(|kind| kind.name()).collect();
    let mut text = format!("{}#include \"{name}.h\"\n", made_of(model, artifact));
    for (index, port) in model.outputs.iter().enumerate().filter(|(_, port)| !port.labels.is_empty()) {
        let words: Vec<String> = port.labels.iter().map(|label| quoted(label)).collect();
        let _ = write!(
            text,
            "\nconst char *const {} = {{\n    {},\n}};\n",
            labels(name, &format!("OUTPUT_{index}"), words.len()),
            words.join(",\n    ")
        );
    }
    let _ = write!(text, "\nstatic const edgepkg_operator *const operators[{}] = {{\n", operators.len());
    for operator in &operators {
        let _ = writeln!(text, "    &edgepkg_operator_{operator},");
    }
    let _ =
        write!(text, "}};\n\nEDGEPKG_ALIGNED static const uint8_t artifact[{}] = {{\n", model.artifact.len());
    for line in model.artifact.chunks(BYTES_A_LINE) {
        let numbers: Vec<String> = line.iter().map(|byte| format!("{byte:#04x}")).collect();
        let _ = writeln!(text, "    {},", numbers.join(", "));
    }
    let _ = write!(
        text,
        "}};

const edgepkg_network {name}_network = {{
    artifact,
    sizeof artifact,
    operators,
    sizeof operators / sizeof operators[0],
}};
"
    );
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

/// A rule of make: `made` are to be made again when one of `sources` changes.
pub fn dependencies(made: &[&Path], sources: &[&Path]) -> String {
    let paths = |paths: &[&Path]| {
        let escaped = paths.iter().map(|path| {
            let path = path.display().to_string();
            path.replace(' ', "\\ ").replace('#', "\\#").replace('$', "$$")
        });
        escaped.collect::<Vec<_>>().join(" ")
    };
    format!("{}: {}\n", paths(made), paths(sources))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_strangers_stay_strings_and_paths() {
        assert_eq!(quoted("a \"b\"\\\n\u{e4}0??/"), r#""a \"b\"\\\012\303\2440\?\?/""#);
        assert_eq!(identifier("person-detect"), "person_detect");
        assert_eq!(identifier("0x"), "model_0x");
        let rule =
            dependencies(&[Path::new("out dir/a.c")], &[Path::new("a$b.edgepkg"), Path::new("b.toml")]);
        assert_eq!(rule, "out\\ dir/a.c: a$$b.edgepkg b.toml\n");
    }
}
