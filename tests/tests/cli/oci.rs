//! Packages from an OCI registry: Docker's own, started for each test.

use std::fs;
use std::process::Command;

use edgepkg_quantize::digest::Digest;

use crate::broken_wire::{Break, BrokenWire, body, status};
use crate::docker_registry::{Access, DockerRegistry, PASSWORD, USER};
use crate::sandbox::{Sandbox, runner};

fn project(host: &str, version: &str) -> String {
    format!(
        r#"[package]
name = "kws"
version = "{version}"
license = "Apache-2.0"
description = "Hears a dozen words"

[model]
file = "kws.tflite"

[targets.qemu-cortex-m4]

[registries]
default = "oci://{host}/models"
"#
    )
}

fn application(host: &str, trust: &str) -> String {
    format!(
        "[package]\nname = \"door\"\nversion = \"0.1.0\"\n[registries]\ndefault = \"oci://{host}/models\"\n[dependencies]\nkws = \
         \"^1\"\n{trust}"
    )
}

fn sandbox() -> Sandbox {
    Sandbox::with_kws()
        .environment("EDGEPKG_HOME", "home")
        .environment("DOCKER_CONFIG", "docker")
        .folder("app")
        .file("password", PASSWORD.as_bytes())
        .file("wrong", b"guess")
}

/// Runs commands that must succeed.
fn good(sandbox: &Sandbox, folder: &str, commands: &str) -> String {
    let shown = sandbox.run_in(folder, commands);
    assert!(!shown.contains("\n? "), "{shown}");
    shown
}

fn set_application(sandbox: &Sandbox, text: &str) {
    fs::write(sandbox.path("app/edgepkg.toml"), text).expect("the folder is ours");
}

/// The version that the application's lock has.
fn locked(sandbox: &Sandbox) -> String {
    let lock: toml::Table = String::from_utf8(sandbox.read("app/edgepkg.lock")).unwrap().parse().unwrap();
    lock["package"][0]["version"].as_str().unwrap().to_owned()
}

/// Another store, and no lock: another machine.
fn another_machine(sandbox: Sandbox, home: &str) -> Sandbox {
    let _ = fs::remove_file(sandbox.path("app/edgepkg.lock"));
    sandbox.environment("EDGEPKG_HOME", home)
}

fn published(host: &str) -> Sandbox {
    let sandbox = sandbox().file("edgepkg.toml", project(host, "1.0.0").as_bytes());
    good(&sandbox, "", "quantize\npublish");
    set_application(&sandbox, &application(host, ""));
    sandbox
}

fn the_whole_way(access: Access) {
    let Some(registry) = DockerRegistry::start(access) else { return };
    let host = registry.host();
    let mut sandbox = sandbox().file("edgepkg.toml", project(&host, "1.0.0").as_bytes());
    let key = sandbox.output("key new mine").stdout;
    let key = String::from_utf8(key).unwrap();
    good(&sandbox, "", "quantize");
    if access == Access::Password {
        let shown = sandbox.run("publish");
        assert!(
            shown.contains("does not let you in") && shown.contains(&format!("edgepkg login {host}")),
            "{shown}"
        );
        sandbox = sandbox.input("wrong");
        let shown = sandbox.run(&format!("login {host} --username {USER}"));
        assert!(shown.contains("does not let you in"), "{shown}");
        sandbox = sandbox.input("password");
        good(&sandbox, "", &format!("login {host} --username {USER}"));
    }
    let shown =
        good(&sandbox, "", "publish --sign mine\npublish --sign mine\nversions kws\ninfo kws\nsearch");
    assert!(shown.contains("signed by"), "{shown}");
    let sandbox = sandbox.file("edgepkg.toml", project(&host, "1.1.0").as_bytes());
    good(&sandbox, "", "quantize\npublish --sign mine");

    // Another machine: `kws@^1`, on this computer and on an emulated Cortex-M4.
    let sandbox = another_machine(sandbox, "home2");
    let trust = format!("[[trust.keys]]\nkey = \"{}\"\nnames = [\"kws\"]\n", key.trim());
    set_application(&sandbox, &application(&host, &trust));
    let shown = good(&sandbox, "app", "install\nverify\naudit");
    assert!(shown.contains("+ kws 1.1.0") && shown.contains("signed by"), "{shown}");
    good(&sandbox, "app", "run kws --raw --input ../x_i8.npy --output host.npy");
    if runner().is_some() {
        good(&sandbox, "app", "run kws --raw --board qemu-cortex-m4 --input ../x_i8.npy --output board.npy");
        assert_eq!(sandbox.read("app/host.npy"), sandbox.read("app/board.npy"));
    }

    // Yanked: a lock keeps it, who resolves anew takes the one before.
    good(&sandbox, "", "yank kws@1.1.0 --reason mishears");
    good(&sandbox, "app", "install");
    assert_eq!(locked(&sandbox), "1.1.0");
    let shown = sandbox.run_in("app", "audit");
    assert!(shown.contains("it was yanked: mishears"), "{shown}");
    let sandbox = another_machine(sandbox, "home3");
    good(&sandbox, "app", "install");
    assert_eq!(locked(&sandbox), "1.0.0");
    good(&sandbox, "", "yank kws@1.1.0 --undo");
    good(&sandbox, "app", "update");
    assert_eq!(locked(&sandbox), "1.1.0");

    read_by_skopeo(&sandbox, &host, access);
}

/// What was pushed, an independent client reads and copies, every digest as it was.
fn read_by_skopeo(sandbox: &Sandbox, host: &str, access: Access) {
    if Command::new("skopeo").arg("--version").output().is_err() {
        println!("skipped: there is no skopeo; `cargo xtask setup` installs it");
        return;
    }
    let skopeo = |arguments: &[&str]| {
        let output =
            Command::new("skopeo").arg("--insecure-policy").args(arguments).output().expect("it is there");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let login = format!("{USER}:{PASSWORD}");
    let (inspect, copy) = match access {
        Access::Open => (vec!["--no-creds"], vec!["--src-no-creds"]),
        Access::Password => (vec!["--creds", &login], vec!["--src-creds", &login]),
    };
    let image = format!("docker://{host}/models/kws");
    let tagged = format!("{image}:1.1.0");
    let raw = skopeo(&[&["inspect", "--raw", "--tls-verify=false"], &inspect[..], &[&tagged]].concat());
    let lock: toml::Table = String::from_utf8(sandbox.read("app/edgepkg.lock")).unwrap().parse().unwrap();
    assert_eq!(lock["package"][0]["digest"].as_str(), Some(Digest::of(&raw).to_string().as_str()));
    let index: serde_json::Value = serde_json::from_slice(&raw).expect("JSON");
    assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
    let manifests = index["manifests"].as_array().expect("it has some");
    assert_eq!(manifests.len(), 2);
    let to = format!("oci:{}:whole", sandbox.path("copied").display());
    let flags = ["copy", "--all", "--preserve-digests", "--src-tls-verify=false"];
    skopeo(&[&flags, &copy[..], &[&tagged, &to]].concat());
    let copied: Vec<_> =
        fs::read_dir(sandbox.path("copied/blobs/sha256")).expect("copied").flatten().collect();
    for blob in &copied {
        let digest = Digest::of(&fs::read(blob.path()).unwrap());
        assert_eq!(blob.file_name().to_str(), Some(digest.hex().as_str()));
    }
    assert!(copied.len() >= 10, "{}", copied.len());
}

#[test]
fn the_whole_way_with_an_open_registry() {
    the_whole_way(Access::Open);
}

#[test]
fn the_whole_way_with_a_password() {
    the_whole_way(Access::Password);
}

/// Whatever part of a push is lost, no version is there that is not whole, and pushing again is all there is to do.
#[test]
fn a_registry_that_dies_in_a_push() {
    let Some(mut registry) = DockerRegistry::start(Access::Open) else { return };
    let host = registry.host();
    let sandbox = sandbox();
    let mut broken = 0;
    for (number, sent) in [2_000, 10_000, 30_000, 45_000, 60_000].into_iter().enumerate() {
        let wire = BrokenWire::to(registry.host(), Break::AfterSent(sent));
        let version = format!("1.{number}.0");
        fs::write(sandbox.path("edgepkg.toml"), project(&wire.host(), &version)).unwrap();
        good(&sandbox, "", "quantize");
        let shown = sandbox.run("publish");
        registry.restart();
        if wire.has_broken() {
            broken += 1;
            assert!(shown.contains("? 1") && shown.contains("error: cannot reach"), "{shown}");
            fs::write(sandbox.path("edgepkg.toml"), project(&host, &version)).unwrap();
            let versions = sandbox.run("versions kws");
            assert!(!versions.lines().any(|line| line == version), "{versions}");
            good(&sandbox, "", "publish");
        }
        let _ = fs::remove_file(sandbox.path("app/edgepkg.lock"));
        set_application(&sandbox, &application(&host, ""));
        good(&sandbox, "app", "install\nverify\ncache verify");
    }
    assert!(broken >= 3, "{broken}");
}

/// Whatever part of a pull is lost, the store is sound and the next install goes on.
#[test]
fn a_registry_that_dies_in_a_pull() {
    let Some(registry) = DockerRegistry::start(Access::Open) else { return };
    let host = registry.host();
    let sandbox = published(&host);
    let mut broken = 0;
    for received in [500, 5_000, 15_000, 30_000] {
        let wire = BrokenWire::to(host.clone(), Break::AfterReceived(received));
        set_application(&sandbox, &application(&wire.host(), ""));
        let _ = fs::remove_file(sandbox.path("app/edgepkg.lock"));
        let _ = fs::remove_dir_all(sandbox.path("home/store"));
        let shown = sandbox.run_in("app", "install");
        if wire.has_broken() {
            broken += 1;
            assert!(shown.contains("? 1") && shown.contains("error: cannot reach"), "{shown}");
            assert!(!sandbox.path("app/edgepkg.lock").exists(), "{shown}");
        }
        set_application(&sandbox, &application(&host, ""));
        good(&sandbox, "app", "cache verify\ninstall\nverify\ncache verify");
    }
    assert!(broken >= 3, "{broken}");
}

#[test]
fn answers_that_are_none() {
    let Some(registry) = DockerRegistry::start(Access::Open) else { return };
    let host = registry.host();
    let sandbox = published(&host);
    let install = |path: &'static str, answer: Vec<u8>, times: usize| {
        let wire = BrokenWire::to(host.clone(), Break::Answer { path, answer, times });
        set_application(&sandbox, &application(&wire.host(), ""));
        let _ = fs::remove_file(sandbox.path("app/edgepkg.lock"));
        let _ = fs::remove_dir_all(sandbox.path("home/store"));
        let shown = sandbox.run_in("app", "install");
        good(&sandbox, "app", "cache verify");
        (shown.replace(&wire.host(), "HOST"), wire.answered())
    };
    // What may pass is tried again.
    for code in [429, 500, 503] {
        let (shown, answered) = install("/blobs/", status(code), 2);
        assert!(shown.contains("+ kws 1.0.0"), "{code}: {shown}");
        assert!(answered > 2, "{code}: {answered}");
    }
    let told = |shown: &str, text: &str| {
        assert!(shown.contains("? 1") && shown.contains(text), "{text}: {shown}");
        assert!(!sandbox.path("app/edgepkg.lock").exists(), "{shown}");
    };
    told(&install("/blobs/", status(429), 1000).0, "oci://HOST/models has too many requests to answer");
    told(
        &install("/blobs/", status(500), 1000).0,
        "oci://HOST/models has a fault of its own: it answers 500",
    );
    // What may not is told at once.
    let at_once = |path, code, text| {
        let (shown, answered) = install(path, status(code), 1000);
        told(&shown, text);
        answered
    };
    assert_eq!(at_once("/tags/list", 401, "oci://HOST/models does not let you in"), 1);
    assert_eq!(at_once("/tags/list", 403, "oci://HOST/models refuses you `kws`"), 1);
    assert_eq!(at_once("/tags/list", 404, "oci://HOST/models has no package `kws`"), 1);
    at_once("/blobs/", 404, "oci://HOST/models has no blob sha256:");
    // Other bytes, and fewer than there are.
    told(&install("/blobs/", body(5, b"other"), 1000).0, "cannot reach oci://HOST/models");
    let (shown, _) = install("/blobs/", body(100_000, &[7; 100_000]), 1000);
    told(&shown, "it should have");
    told(&install("/manifests/1.0.0", body(2, b"{}"), 1000).0, "oci://HOST/models");
    // A lock names what it wants: other bytes for that are refused.
    let _ = good(&sandbox, "app", "cache verify");
}

/// Two installs of one package into one store, at once.
#[test]
fn two_installs_at_once() {
    let Some(registry) = DockerRegistry::start(Access::Open) else { return };
    let sandbox = published(&registry.host()).folder("app2");
    fs::copy(sandbox.path("app/edgepkg.toml"), sandbox.path("app2/edgepkg.toml")).unwrap();
    for _ in 0..3 {
        let _ = fs::remove_dir_all(sandbox.path("home/store"));
        std::thread::scope(|scope| {
            for folder in ["app", "app2", "app", "app2"] {
                let sandbox = &sandbox;
                scope.spawn(move || good(sandbox, folder, "install"));
            }
        });
        good(&sandbox, "app", "verify\ncache verify");
        good(&sandbox, "app2", "verify");
    }
}
