//! Packages from a registry in a folder: publishing, installing, locks, trust.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use edgepkg_format::trailer::Trailer;
use edgepkg_quantize::graph::Node;
use edgepkg_quantize::package::Package;

use crate::check;
use crate::sandbox::Sandbox;

const PROJECT: &str = r#"[package]
name = "kws"
version = "1.0.0"
license = "Apache-2.0"
description = "Hears a dozen words"
keywords = ["speech"]

[model]
file = "kws.tflite"

[[output]]
name = "Identity"
labels_file = "labels.txt"

[targets.qemu-cortex-m4]

[registries]
default = "registry"
"#;

const APPLICATION: &str = r#"[package]
name = "door"
version = "0.1.0"

[registries]
default = "../registry"

[dependencies]
kws = "^1" # opens on "yes"
"#;

/// The project of keyword spotting, the folder `app` with an application that needs it, and a store of their own.
pub fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_kws().environment("EDGEPKG_HOME", "home").folder("app");
    fs::write(sandbox.path("app/edgepkg.toml"), APPLICATION).expect("the folder is ours");
    sandbox.file("edgepkg.toml", PROJECT.as_bytes())
}

/// Publishes a version of it, signed where a key is given.
pub fn publish(sandbox: Sandbox, version: &str, flags: &str) -> Sandbox {
    let sandbox = sandbox.file("edgepkg.toml", PROJECT.replace("1.0.0", version).as_bytes());
    let shown = sandbox.run(&format!("quantize\npublish {flags}"));
    assert!(shown.contains("published to registry"), "{shown}");
    sandbox
}

/// `text` without digests and sizes, which other parts of this program decide.
fn redacted(text: &str) -> String {
    let mut redacted = String::new();
    for line in text.split_inclusive('\n') {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for at in 0..words.len() {
            let unit = words.get(at + 1).map_or("", |word| word.trim_end_matches([')', ',', '\n']));
            if matches!(unit, "KiB" | "MiB" | "B") {
                let open = if words[at].starts_with('(') { "(" } else { "" };
                words[at] = format!("{open}[N]");
            }
            if let Some(start) = words[at].find("sha256:") {
                let hex = words[at][start + 7..].chars().take_while(char::is_ascii_hexdigit).count();
                words[at].replace_range(start + 7..start + 7 + hex, "[HEX]");
            }
        }
        redacted.push_str(&words.join(" "));
    }
    redacted
}

/// Runs commands in a folder and compares what is shown, but for digests and sizes.
macro_rules! check_packages {
    ($name:literal, $sandbox:expr, $folder:expr, $commands:expr) => {{
        let shown = redacted(&$sandbox.run_in($folder, $commands));
        insta::with_settings!({
            snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/cli"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, shown) });
    }};
}

fn locked(sandbox: &Sandbox) -> String {
    let lock = String::from_utf8(sandbox.read("app/edgepkg.lock")).expect("UTF-8");
    let lock: toml::Table = lock.parse().expect("TOML");
    let package = &lock["package"][0];
    format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap())
}

#[test]
fn help() {
    check!(
        "help_packages",
        Sandbox::new(),
        "help install
         help update
         help search
         help info
         help versions
         help publish
         help yank
         help vendor
         help verify
         help audit
         help key
         help login
         help cache"
    );
}

#[test]
fn publish_and_install() {
    let sandbox = sandbox();
    check_packages!(
        "publish",
        sandbox,
        "",
        "quantize
         publish --dry-run
         publish
         publish
         search
         search SPEECH
         search nothing
         info kws
         versions kws --json"
    );
    check_packages!(
        "install",
        sandbox,
        "app",
        "install
         install
         install --frozen
         test kws
         verify
         audit
         cache verify
         cache gc
         install --frozen"
    );
    let lock = sandbox.read("app/edgepkg.lock");
    // Another store and the same lock: the same bytes.
    let elsewhere = sandbox.environment("EDGEPKG_HOME", "home2");
    elsewhere.run_in("app", "install --locked");
    assert_eq!(elsewhere.read("app/edgepkg.lock"), lock);
    check_packages!(
        "install_by_name",
        elsewhere,
        "",
        "install kws@^1 --board qemu-cortex-m4
         test kws
         install kws
         test kws@^1
         test kws@2
         verify kws
         verify kws@^2
         install kws --target z80"
    );
}

#[test]
fn yanked_versions_stay_in_locks() {
    let sandbox = publish(publish(sandbox(), "1.0.0", ""), "1.1.0", "");
    sandbox.run_in("app", "install");
    assert_eq!(locked(&sandbox), "kws 1.1.0");
    check_packages!(
        "yank",
        sandbox,
        "",
        "yank kws@1.1.0 --reason mishears\nversions kws\ninfo kws\nyank kws@3.0.0"
    );
    check_packages!("yank_audit", sandbox, "app", "install\naudit");
    assert_eq!(locked(&sandbox), "kws 1.1.0");
    fs::remove_file(sandbox.path("app/edgepkg.lock")).expect("it was there");
    sandbox.run_in("app", "install");
    assert_eq!(locked(&sandbox), "kws 1.0.0");
    sandbox.run("yank kws@1.1.0 --undo");
    sandbox.run_in("app", "update");
    assert_eq!(locked(&sandbox), "kws 1.1.0");
}

#[test]
fn versions_say_what_changed() {
    let sandbox = publish(sandbox(), "1.0.0", "");
    let other = PROJECT
        .replace("\"Identity\"\nlabels_file = \"labels.txt\"", "\"Identity\"")
        .replace("1.0.0", "1.1.0");
    let sandbox = sandbox.file("edgepkg.toml", other.as_bytes());
    check_packages!("publish_too_small", sandbox, "", "quantize\npublish");
    let same = sandbox.file("edgepkg.toml", PROJECT.replace("dozen", "few").as_bytes());
    check_packages!("publish_again", same, "", "quantize\npublish");
    let unlicensed = same.file("edgepkg.toml", PROJECT.replace("license = \"Apache-2.0\"\n", "").as_bytes());
    check_packages!("publish_unlicensed", unlicensed, "", "quantize\npublish");
}

#[test]
fn vendor() {
    let sandbox = publish(sandbox(), "1.0.0", "");
    check_packages!("vendor", sandbox, "app", "vendor");
    let vendored = APPLICATION.replace("../registry", "vendor");
    fs::write(sandbox.path("app/edgepkg.toml"), vendored).expect("the folder is ours");
    fs::remove_dir_all(sandbox.path("registry")).expect("it was there");
    let elsewhere = sandbox.environment("EDGEPKG_HOME", "home2");
    let shown = elsewhere.run_in("app", "install --locked\ntest kws");
    assert!(shown.contains("every byte equal"), "{shown}");
}

#[test]
fn what_is_published_is_edited_into_a_project() {
    let sandbox = publish(publish(sandbox(), "1.0.0", ""), "1.1.0", "");
    check_packages!(
        "add",
        sandbox,
        "app",
        "remove kws\nadd kws\nadd kws@^1.0\nadd kvs\nadd kws --as ears --registry lab"
    );
    let text = String::from_utf8(sandbox.read("app/edgepkg.toml")).expect("UTF-8");
    assert!(text.contains("kws = \"^1.0\"\n"), "{text}");
}

#[test]
fn install_errors() {
    let sandbox = publish(sandbox(), "1.0.0", "");
    let with = |from: &str, to: &str| {
        fs::write(sandbox.path("app/edgepkg.toml"), APPLICATION.replace(from, to))
            .expect("the folder is ours");
    };
    check_packages!(
        "error_install_offline",
        sandbox,
        "app",
        "install --offline\ninstall --locked\ninstall kws@^2"
    );
    with("\"^1\"", "\"^2\"");
    check_packages!("error_install_versions", sandbox, "app", "install");
    with("kws =", "kvs =");
    check_packages!("error_install_name", sandbox, "app", "install");
    with("[registries]\ndefault = \"../registry\"\n", "");
    check_packages!(
        "error_install_registry",
        sandbox,
        "app",
        "install\nsearch --registry lab\nsearch --registry ./absent"
    );
    with("x", "x");
    sandbox.run_in("app", "install");
    fs::write(sandbox.path("app/edgepkg.lock"), "schema_version = 1\n[[package]]\nnam = 1\n").expect("ours");
    check_packages!("error_install_lock", sandbox, "app", "install");
}

/// What a registry serves is compared with its digest, wherever it is changed.
#[test]
fn swapped_and_cut_blobs_are_refused() {
    let sandbox = publish(sandbox(), "1.0.0", "");
    let blobs = sandbox.path("registry/blobs/sha256");
    let files: Vec<_> =
        fs::read_dir(&blobs).expect("it was published").map(|entry| entry.unwrap().path()).collect();
    let mut refused = 0;
    for (number, file) in files.iter().enumerate() {
        let whole = fs::read(file).unwrap();
        let other = fs::read(&files[(number + 1) % files.len()]).unwrap();
        for changed in [whole[..whole.len() / 2].to_vec(), other, [&whole[..], b" "].concat()] {
            fs::write(file, changed).unwrap();
            let _ = fs::remove_dir_all(sandbox.path("home"));
            let _ = fs::remove_file(sandbox.path("app/edgepkg.lock"));
            let shown = sandbox.run_in("app", "install\ncache verify");
            if shown.contains("? 1") {
                refused += 1;
                assert!(shown.contains("error: "), "{shown}");
                assert!(!sandbox.path("app/edgepkg.lock").exists(), "{shown}");
            } else {
                // It belongs to an artifact, which this install does not fetch.
                assert!(shown.contains("fetched"), "{shown}");
            }
            assert!(!shown.contains("removed:"), "{shown}");
        }
        fs::write(file, whole).unwrap();
    }
    assert!(refused >= 18, "{refused}");
}

#[test]
fn trust() {
    let sandbox = sandbox();
    let key = |sandbox: &Sandbox, name: &str| {
        let output = sandbox.output(&format!("key new {name}"));
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    };
    let (mine, theirs) = (key(&sandbox, "mine"), key(&sandbox, "theirs"));
    assert!(mine.starts_with("ed25519:") && mine != theirs, "{mine}");
    let exported = sandbox.output("key export mine").stdout;
    assert_eq!(String::from_utf8(exported).unwrap().trim(), mine);
    let shown = sandbox.run("key list\nkey new mine\nkey export other\npublish --sign other");
    assert!(
        shown.contains("there is a key `mine` already") && shown.contains("there is no key `other`"),
        "{shown}"
    );

    let with = |sandbox: &Sandbox, trust: &str| {
        let _ = fs::remove_file(sandbox.path("app/edgepkg.lock"));
        fs::write(sandbox.path("app/edgepkg.toml"), format!("{APPLICATION}\n{trust}"))
            .expect("the folder is ours");
    };
    let trusting = |key: &str| format!("[[trust.keys]]\nkey = \"{key}\"\nnames = [\"k*\"]\n");
    let sandbox = publish(sandbox, "1.0.0", "");
    with(&sandbox, &trusting(&mine));
    check_packages!("error_trust_unsigned", sandbox, "app", "install");
    with(&sandbox, "[trust]\nunsigned = \"refuse\"\n");
    check_packages!("error_trust_refused", sandbox, "app", "install");
    with(&sandbox, "[trust]\nlicenses = [\"MIT\"]\n");
    check_packages!("error_trust_license", sandbox, "app", "install");
    with(&sandbox, "[[trust.keys]]\nkey = \"ed25519:AAAA\"\nnames = [\"kws\"]\n");
    check_packages!("error_trust_key", sandbox, "app", "install");

    let sandbox = publish(sandbox, "1.1.0", "--sign mine");
    with(&sandbox, &trusting(&mine));
    let shown = sandbox.run_in("app", "install\nverify\naudit\ninstall --frozen");
    assert!(shown.contains("signed by") && shown.contains("nothing is wrong"), "{shown}");
    with(&sandbox, &trusting(&theirs));
    let shown = sandbox.run_in("app", "install");
    assert!(shown.contains("not signed by a key that is trusted for it: it is signed by the key"), "{shown}");
    // A second signature, by the key that is asked for, is enough.
    sandbox.run("publish --sign theirs");
    let shown = sandbox.run_in("app", "install\nverify");
    assert!(shown.contains("signed by"), "{shown}");
}

/// A registry that goes back to an older state, or changes what it has published.
/// What boards make of the signature: the test `signed_models`.
#[test]
fn artifacts_are_signed_for_boards() {
    let sandbox = sandbox();
    sandbox.run("quantize\nkey new owner\nbuild -o plain\nbuild -o signed --sign owner --counter 7");
    let [plain, signed] = ["plain", "signed"].map(|folder| sandbox.read(&format!("{folder}/kws.epa")));
    let (artifact, trailer) = signed.split_at(plain.len());
    assert_eq!(artifact, plain);
    assert_eq!(Trailer::from_bytes(trailer).map(|trailer| trailer.counter), Some(7));
    // A signed artifact goes on as one.
    sandbox.run("build signed/kws.epa -o again");
    assert_eq!(sandbox.read("again/kws.epa"), signed);
    check!("sign_artifact", sandbox, "build -o signed --sign nobody\nbuild -o signed --counter 7");
}

#[test]
fn replayed_and_replaced_versions_are_refused() {
    let sandbox = publish(sandbox(), "1.0.0", "");
    let index = sandbox.read("registry/packages/kws/index.json");
    let sandbox = publish(sandbox, "1.1.0", "");
    sandbox.run_in("app", "install");
    assert_eq!(locked(&sandbox), "kws 1.1.0");
    fs::write(sandbox.path("registry/packages/kws/index.json"), &index).unwrap();
    check_packages!("error_replayed", sandbox, "app", "update");
    assert_eq!(locked(&sandbox), "kws 1.1.0");

    fs::remove_dir_all(sandbox.path("registry")).unwrap();
    let other = PROJECT.replace("dozen", "few").replace("1.0.0", "1.1.0");
    let sandbox = sandbox.file("edgepkg.toml", other.as_bytes());
    sandbox.run("quantize\npublish");
    check_packages!("error_replaced", sandbox, "app", "install\nupdate\naudit");
}

/// What a second package on a base adds to a registry and to a store: its head, and what is said of it.
#[test]
fn packages_on_one_base_share_it() {
    let sandbox = sandbox();
    sandbox.run("quantize kws.tflite -o whole.edgepkg");
    let mut package = Package::read(&sandbox.path("whole.edgepkg")).expect("it was made");
    let has_weights = |node: &&Node| node.inputs.iter().any(|&id| package.graph.tensor(id).data.is_some());
    let head = package.graph.nodes.iter().rev().find(has_weights).expect("it has layers").clone();
    package.manifest.head = vec![head.name.clone()];
    package.manifest.about.license = Some("Apache-2.0".parse().expect("SPDX"));
    let weights =
        head.inputs.iter().copied().find(|&id| package.graph.tensor(id).data.is_some()).expect("weights");
    let mut write = |name: &str, file: &str| {
        package.manifest.name = name.parse().expect("a name");
        package.write(&sandbox.path(file)).expect("the folder is ours");
        // The next has another head.
        let data = &mut package.graph.tensors[weights.0].data;
        *data = data.as_ref().map(|bytes| bytes.iter().map(|byte| byte ^ 1).collect());
    };
    write("one", "one.edgepkg");
    write("two", "two.edgepkg");
    let json = |command: &str| -> serde_json::Value {
        let output = sandbox.output(command);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    };
    let sent = |file: &str| {
        let result = json(&format!("publish {file} --registry ./registry --json"));
        (result["sent_bytes"].as_u64().unwrap(), result["total_bytes"].as_u64().unwrap())
    };
    let ((first_sent, first_total), (second_sent, second_total)) = (sent("one.edgepkg"), sent("two.edgepkg"));
    println!("published: {first_sent} of {first_total} bytes, then {second_sent} of {second_total}");
    assert!(first_sent >= first_total && second_sent + 15_000 < second_total);

    let fetched = |name: &str| {
        json(&format!("install {name} --registry ./registry --json"))["fetched_bytes"].as_u64().unwrap()
    };
    let stored = || -> u64 {
        let blobs = fs::read_dir(sandbox.path("home/store/blobs/sha256")).expect("it is there");
        blobs.map(|blob| blob.unwrap().metadata().unwrap().len()).sum()
    };
    let first_fetched = fetched("one");
    let first_stored = stored();
    let second_fetched = fetched("two");
    let second_stored = stored() - first_stored;
    println!(
        "installed: {first_fetched} bytes fetched and {first_stored} stored, then {second_fetched} and {second_stored}"
    );
    assert!(second_fetched + 15_000 < first_fetched && second_stored + 15_000 < first_stored);
    let shown = sandbox.run("test one\ntest two\nverify");
    assert!(!shown.contains("error"), "{shown}");
}

/// A file system in memory, of a size.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one; `None`, said aloud, where this user may not.
    fn mount(folder: PathBuf, kib: usize) -> Option<Self> {
        fs::create_dir(&folder).expect("the folder above is ours");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(&folder)
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(folder)),
            _ => {
                println!("skipped: this user may not mount a file system");
                None
            }
        }
    }

    fn grow(&self, kib: usize) {
        let mount = Command::new("mount").args(["-o", &format!("remount,size={kib}k")]).arg(&self.0).status();
        assert!(mount.expect("it was mounted").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk() {
    let sandbox = publish(sandbox(), "1.0.0", "");
    let Some(disk) = SmallDisk::mount(sandbox.path("small"), 32) else { return };
    let sandbox = sandbox.environment("EDGEPKG_HOME", "small");
    let shown = sandbox.run_in("app", "install\ncache verify");
    assert!(shown.contains("? 1\nerror: cannot write") && shown.contains("No space left"), "{shown}");
    assert!(shown.contains("hint: make room there") && !shown.contains("removed:"), "{shown}");
    assert!(!sandbox.path("app/edgepkg.lock").exists());
    disk.grow(1024);
    let shown = sandbox.run_in("app", "install\nverify\ncache verify\ntest kws");
    assert!(!shown.contains("error:") && shown.contains("every byte equal"), "{shown}");
}
