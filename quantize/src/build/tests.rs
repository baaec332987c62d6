use super::*;

/// A folder with a package of the golden model, and a cache.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let package = include_bytes!("../package/golden/v1.edgepkg");
        std::fs::write(folder.path().join("tiny.edgepkg"), package).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn build(&self, build: &Build) -> (Result<Built, BuildError>, String) {
        let mut script = Script::default();
        let built = build.build(self.folder.path(), &Cache::at(&self.path("cache")), &mut script);
        (built, script.to_string().replace(&self.folder.path().display().to_string(), "DIR"))
    }

    fn error(&self, build: &Build) -> String {
        let (mut script, (built, _)) = (Script::default(), self.build(build));
        script.error(&built.unwrap_err());
        script.to_string().replace(&self.folder.path().display().to_string(), "DIR")
    }
}

#[test]
fn a_package_becomes_a_module_once() {
    let project = Project::new();
    let build = Build::of(project.path("tiny.edgepkg")).isa(Isa::Armv7em);
    let (built, log) = project.build(&build);
    assert_eq!(built.as_ref().unwrap().origin, Origin::Made);
    assert!(log.starts_with("cargo::rerun-if-changed=DIR/tiny.edgepkg\n"), "{log}");
    assert!(log.contains("edgepkg: tiny for armv7em: made in "), "{log}");
    let module = std::fs::read_to_string(project.path("tiny.rs")).unwrap();
    assert_eq!(module, include_str!("tests/tiny.rs.txt"), "{module}");

    let written = std::fs::metadata(project.path("tiny.epa")).unwrap().modified().unwrap();
    let (again, log) = project.build(&build);
    assert_eq!(again.unwrap(), Built { origin: Origin::Kept, ..built.unwrap() });
    assert!(log.contains("edgepkg: tiny for armv7em: taken from an earlier build"), "{log}");
    assert_eq!(std::fs::metadata(project.path("tiny.epa")).unwrap().modified().unwrap(), written);
    // Another choice is another artifact.
    assert_eq!(project.build(&build.optimize(Optimize::Ram)).0.unwrap().origin, Origin::Made);
}

#[test]
fn a_damaged_artifact_is_made_again() {
    let project = Project::new();
    let build = Build::of(project.path("tiny.edgepkg")).isa(Isa::Portable);
    let made = project.build(&build).0.unwrap();
    let artifact = std::fs::read(&made.artifact).unwrap();
    for kept in std::fs::read_dir(project.path("cache")).unwrap() {
        std::fs::write(kept.unwrap().path(), &artifact[..artifact.len() - 1]).unwrap();
    }
    assert_eq!(project.build(&build).0.unwrap(), made);
}

#[test]
fn errors_name_the_problem_and_the_way_out() {
    let project = Project::new();
    let package = || Build::of(project.path("tiny.edgepkg"));
    let cases = [
        (
            Build::of("absent.edgepkg"),
            "cargo::error=cannot read `absent.edgepkg`: No such file or directory (os error 2)\ncargo::error=hint: paths start from the folder of the program's `Cargo.toml`\n",
        ),
        (
            package().name("Not A Name"),
            "cargo::error=`Not A Name` cannot be the name of a module\ncargo::error=hint: `.name(\"...\")` gives it one of a-z, 0-9 and `_`, a letter first\n",
        ),
        (
            package().calibration(project.path("tiny.edgepkg")),
            "cargo::error=`DIR/tiny.edgepkg` is int8 already: it takes no calibration samples\ncargo::error=hint: leave that out, or give the float model it was made from\n",
        ),
        (
            package().state("x", "y"),
            "cargo::error=`DIR/tiny.edgepkg` is int8 already: it takes no state\ncargo::error=hint: leave that out, or give the float model it was made from\n",
        ),
        (
            package().board("qemu-cortex-m4").isa(Isa::Armv6m),
            "cargo::error=the instruction set is given as armv6m, and `qemu-cortex-m4` runs armv7em\ncargo::error=hint: leave out `.isa(...)`: the board says it\n",
        ),
    ];
    for (build, said) in cases {
        assert_eq!(project.error(&build), said);
    }
    let unknown = project.error(&package().board("qemu-cortex-m5"));
    let said =
        "cargo::error=there is no board `qemu-cortex-m5`\ncargo::error=hint: did you mean `qemu-cortex-m";
    assert!(unknown.starts_with(said), "{unknown}");
}

#[test]
fn label_names_are_those_of_the_first_output() {
    let project = Project::new();
    std::fs::write(project.path("labels.txt"), "left\nright\n").unwrap();
    let build = Build::of(project.path("tiny.edgepkg")).label_names(project.path("labels.txt"));
    project.build(&build).0.unwrap();
    let module = std::fs::read_to_string(project.path("tiny.rs")).unwrap();
    assert!(module.contains("pub const LABELS: [&str; 2] = [\"left\", \"right\"];"), "{module}");
    std::fs::write(project.path("labels.txt"), "one").unwrap();
    assert!(
        project
            .error(&build)
            .starts_with("cargo::error=label names: output `y` has 2 classes and 1 labels\n")
    );
}

#[test]
fn names_of_modules() {
    for name in ["kws", "a1_b"] {
        assert!(module::is_identifier(name), "{name}");
    }
    for name in ["", "1a", "_a", "Kws", "a-b", "loop"] {
        assert!(!module::is_identifier(name), "{name}");
    }
}
