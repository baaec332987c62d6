//! The header, as cbindgen makes it of the library's sources.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use edgepkg_format::OperatorKind;

use crate::root;

/// What cbindgen cannot see, since a macro makes it: the operators. Behind them ends the header.
fn trailer() -> String {
    let mut text = "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n".to_owned();
    for kind in OperatorKind::ALL {
        let _ = writeln!(text, "extern const edgepkg_operator edgepkg_operator_{};", kind.name());
    }
    text + "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* EDGEPKG_H */"
}

/// `text` as C's readers know comments: no links of Rust's, and no section on safety, whose one sentence holds of all of C.
fn without_safety(text: &str) -> String {
    let mut kept = Vec::<&str>::new();
    let mut in_safety = false;
    for line in text.lines() {
        in_safety = (in_safety || line.trim_end() == " * # Safety") && !line.starts_with(" */");
        if line.starts_with(" */") && kept.last() == Some(&" *") {
            kept.pop();
        }
        if !in_safety {
            kept.push(line.trim_end());
        }
    }
    kept.join("\n") + "\n"
}

#[test]
fn the_header_is_made_of_the_sources() {
    let folder = root().join("firmware/c");
    let mut configuration =
        cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("its configuration");
    configuration.trailer = Some(trailer());
    let builder = cbindgen::Builder::new().with_config(configuration).with_src(folder.join("src/lib.rs"));
    let mut header = Vec::new();
    builder.generate().expect("sources that can be read").write(&mut header);
    let header = without_safety(&String::from_utf8(header).expect("text"));
    let path = folder.join("include/edgepkg.h");
    compare(&path, &header);
}

fn compare(path: &Path, header: &str) {
    if std::env::var_os("EDGEPKG_BLESS").is_some() {
        fs::write(path, header).expect("the header is written");
    }
    assert_eq!(fs::read_to_string(path).expect("the header"), header);
}
