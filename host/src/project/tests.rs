use std::fs;

use super::*;
use edgepkg_quantize::error_text::message;

use crate::error::Error;

fn project(text: &str) -> (tempfile::TempDir, Project) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(PROJECT_FILE), text).unwrap();
    let project = Project::read(folder.path()).unwrap();
    (folder, project)
}

/// The error of a text, and its hint.
fn refused(text: &str) -> String {
    let error = Error::from(Schema::parse(Path::new(PROJECT_FILE), text).unwrap_err());
    format!("{}\nhint: {}", message(&error), error.hint().unwrap_or_default())
}

const COMMENTED: &str = r#"# The door's ears.
[package]
name    = "door"      # as on the box
version = "0.1.0"

[dependencies]
kws = "^1.0" # hears a dozen words
"#;

#[test]
fn an_unknown_key_is_shown_with_its_line_and_the_nearest_name() {
    assert_eq!(
        refused("[package]\nname = \"a\"\nversion = \"1.0.0\"\nlicence = \"MIT\"\n"),
        "`edgepkg.toml`, line 4: unknown key `licence`\n 4 | licence = \"MIT\"\n   | ^^^^^^^\nhint: did you mean `license`?"
    );
    let nested = refused("[package]\nname = \"a\"\nversion = \"1.0.0\"\n[targets.host]\nflash = 1\n");
    assert!(nested.starts_with("`edgepkg.toml`, line 5: unknown key `flash`"), "{nested}");
    assert!(nested.ends_with("did you mean `flash_bytes`?"), "{nested}");
}

#[test]
fn values_that_cannot_be_are_shown_with_their_line() {
    let package = |line: &str| refused(&format!("[package]\nname = \"a\"\nversion = \"1.0.0\"\n{line}\n"));
    assert!(
        package("license = \"MIT/Apache\"")
            .contains("line 4: `MIT/Apache` is not an SPDX licence expression")
    );
    assert!(package("[dependencies]\nb = \"one\"").contains("line 5: `one` says no versions"));
    assert!(package("[quantize]\ncalibrator = \"minmix\"").ends_with("did you mean `minmax`?"));
    assert!(refused("[package").contains("line 1"));
}

/// Whatever is cut off or put in, reading gives an error or a project.
#[test]
fn damaged_files_are_errors() {
    let text = format!("{COMMENTED}\n[targets.host]\nflash_bytes = 5\n[metadata]\nx = [1, {{ a = 2 }}]\n");
    for at in (0..text.len()).filter(|&at| text.is_char_boundary(at)) {
        for with in ["", "\"", "]", "\u{0}", "é="] {
            let _ =
                Schema::parse(Path::new(PROJECT_FILE), &format!("{}{with}{}", &text[..at], &text[at + 1..]));
            let _ = Schema::parse(Path::new(PROJECT_FILE), &format!("{}{with}", &text[..at]));
        }
    }
}

#[test]
fn edits_keep_comments() {
    let (folder, project) = project(COMMENTED);
    let requirement = "kws@^1.2".parse().unwrap();
    let key = "kws".parse().unwrap();
    add_dependency(&project, &NewDependency { key: &key, requirement: &requirement, registry: None })
        .unwrap();
    let text = fs::read_to_string(folder.path().join(PROJECT_FILE)).unwrap();
    assert_eq!(text, COMMENTED.replace("^1.0", "^1.2"));

    let project = Project::read(folder.path()).unwrap();
    let (base, mobilenet) = ("base".parse().unwrap(), "mobilenet@1.2.3".parse().unwrap());
    add_dependency(&project, &NewDependency { key: &base, requirement: &mobilenet, registry: Some("lab") })
        .unwrap();
    let text = fs::read_to_string(folder.path().join(PROJECT_FILE)).unwrap();
    let line = "base = { package = \"mobilenet\", version = \"=1.2.3\", registry = \"lab\" }\n";
    assert_eq!(text, COMMENTED.replace("^1.0", "^1.2") + line);

    let project = Project::read(folder.path()).unwrap();
    let needed: Vec<_> =
        project.schema.requirements().map(|(requirement, _)| requirement.to_string()).collect();
    assert_eq!(needed, ["mobilenet@=1.2.3", "kws@^1.2"]);
    remove_dependency(&project, &base).unwrap();
    let text = fs::read_to_string(folder.path().join(PROJECT_FILE)).unwrap();
    assert_eq!(text, COMMENTED.replace("^1.0", "^1.2"));
    let error = remove_dependency(&Project::read(folder.path()).unwrap(), &base).unwrap_err();
    assert!(error.to_string().ends_with("has no dependency `base`"), "{error}");
}

#[test]
fn a_project_is_found_from_a_folder_in_it() {
    let (folder, _) = project(COMMENTED);
    let inner = folder.path().join("a/b");
    fs::create_dir_all(&inner).unwrap();
    assert_eq!(Project::find(&inner).unwrap().unwrap().name().as_str(), "door");
}

#[test]
fn a_new_project_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("kws");
    create(&new, &"kws".parse().unwrap()).unwrap();
    assert_eq!(Project::read(&new).unwrap().name().as_str(), "kws");
    assert!(matches!(create(&new, &"kws".parse().unwrap()), Err(ProjectError::Exists(_))));
    // What is commented out is of the schema too.
    let text = fs::read_to_string(new.join(PROJECT_FILE)).unwrap();
    let is_example =
        |line: &&str| line.starts_with("# ") && (line.contains(" = ") || line.starts_with("# ["));
    let mut tables = String::new();
    for line in text.lines() {
        tables.push_str(if is_example(&line) { &line[2..] } else { line });
        tables.push('\n');
    }
    let schema = Schema::parse(Path::new(PROJECT_FILE), &tables).unwrap();
    assert_eq!((schema.input.len(), schema.targets.len(), schema.dependencies.len()), (1, 1, 1));
}

#[test]
fn requirements() {
    let matches = |requirement: &str, version: &str| {
        requirement.parse::<Requirement>().unwrap().matches(&version.parse().unwrap())
    };
    assert!(matches("kws", "3.0.0"));
    assert!(matches("kws@^1.2", "1.9.0"));
    assert!(!matches("kws@^1.2", "2.0.0"));
    assert!(!matches("kws@1.2.3", "1.2.4"));
    assert!(!matches("kws@^1.2", "1.3.0-beta.1"));
    assert!("Kws@1".parse::<Requirement>().is_err());
    assert!("kws@one".parse::<Requirement>().is_err());
}
