//! Projects: folders with `edgepkg.toml`.

use crate::check;
use crate::sandbox::Sandbox;

const KWS: &str = r#"# Hears a dozen words.
[package]
name = "kws"
version = "1.0.0"
license = "Apache-2.0"
description = "Hears a dozen words"
authors = ["MLCommons"]
keywords = ["speech"]

[model]
file = "kws.tflite"

[[input]]
name = "input_1"
meaning = "features of 1 s of speech"
preprocessing = "16 kHz, 40 ms windows, 20 ms apart"

[[output]]
name = "Identity"
labels_file = "labels.txt"

[targets.qemu-cortex-m4]
flash_bytes = 40000
arena_bytes = 12000

[metadata]
intended_use = "tests"
"#;

/// A project with the shipped keyword-spotting model, its file's text changed.
fn kws(changed: impl Fn(&str) -> String) -> Sandbox {
    Sandbox::with_kws().file("edgepkg.toml", changed(KWS).as_bytes())
}

#[test]
fn help() {
    check!("help_project", Sandbox::new(), "help new\nhelp check\nhelp add\nhelp remove");
}

#[test]
fn project() {
    let sandbox = kws(str::to_owned).folder("deeper");
    check!(
        "project",
        sandbox,
        "new other
         check
         quantize
         test
         check
         check --json
         test .
         add mobilenet@^1.2 --as base
         add vad@1.0.0
         remove base"
    );
    let text = String::from_utf8(sandbox.read("edgepkg.toml")).expect("UTF-8");
    assert_eq!(text, KWS.to_owned() + "\n[dependencies]\nvad = \"=1.0.0\"\n");
    // What a project says of its package is in the package.
    let package =
        edgepkg_quantize::package::Package::read(&sandbox.path("kws.edgepkg")).expect("it was made");
    assert_eq!(package.manifest.about.license.expect("it has one").as_str(), "Apache-2.0");
    assert_eq!(package.manifest.inputs[0].meaning, "features of 1 s of speech");
    assert_eq!(package.manifest.about.metadata["intended_use"].as_str(), Some("tests"));
}

#[test]
fn errors() {
    let changed = |from: &'static str, to: &'static str| kws(move |text| text.replace(from, to));
    check!(
        "error_project_none",
        Sandbox::new(),
        "check\nquantize\nrun --input x.npy\nadd kws@one\nremove kws"
    );
    check!("error_project_key", changed("license", "licence"), "check\nquantize");
    check!("error_project_license", changed("Apache-2.0", "Apache 2"), "check");
    check!("error_project_not_made", kws(str::to_owned), "test\nremove kws\nnew .");
    check!("error_project_no_model", changed("[model]\nfile = \"kws.tflite\"\n", ""), "quantize\ntest");
    check!("error_project_budget", changed("40000", "20000"), "quantize\nquantize -o kws.edgepkg\ncheck");
    check!(
        "error_project_accuracy",
        changed("[targets", "[quantize]\nmin_accuracy = 0.9\n\n[targets"),
        "quantize"
    );
    check!("error_project_port", changed("input_1", "inputs"), "check\nquantize");
    check!(
        "error_project_problems",
        changed("labels.txt", "absent.txt").file(
            "edgepkg.toml",
            KWS.replace("labels.txt", "absent.txt").replace("qemu-cortex-m4", "qemu-cortex-m5").as_bytes()
        ),
        "check\ncheck --json"
    );
    let outdated = kws(str::to_owned);
    outdated.run("quantize");
    let outdated = outdated.file("edgepkg.toml", KWS.replace("1.0.0", "1.1.0").as_bytes());
    check!("error_project_outdated", outdated, "test\ncheck");
}
