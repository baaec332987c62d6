//! How long it takes to resolve and lock, and to install what is in the store, from a registry in a folder: for a project that needs 200
//! packages of 5 versions each, and for one that needs 2,000. `BENCHMARKS.md` has the figures.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use edgepkg::configuration::Configuration;
use edgepkg::install::{Request, Update, install};
use edgepkg::project::Project;
use edgepkg::registry::FolderRegistry;
use edgepkg::release::{NewRelease, Target};
use edgepkg::store::{Home, Store};
use edgepkg::{catalog::Network, publish};
use edgepkg_quantize::package::Package;

/// Two dense layers.
const PACKAGE: &[u8] = include_bytes!("../../quantize/src/package/golden/v1.edgepkg");
const VERSIONS: usize = 5;
const REPETITIONS: usize = 9;
/// Of these steps each package needs another of the ten before it.
const DEPENDENCY_STEP: usize = 3;

fn main() {
    let sizes = [200, 2_000];
    let timed: Vec<[Duration; 2]> = sizes.iter().map(|&packages| measure(packages)).collect();
    for (step, name) in ["resolve and lock", "install, everything cached"].iter().enumerate() {
        let ratio = timed[1][step].as_secs_f64() / timed[0][step].as_secs_f64();
        println!(
            "{name}: {:?} for 200 packages, {:?} for 2,000: {ratio:.1} times",
            timed[0][step], timed[1][step]
        );
    }
}

/// The best times for a project that needs this many packages.
fn measure(packages: usize) -> [Duration; 2] {
    let folder = tempfile::tempdir().expect("a temporary folder");
    publish_all(&folder.path().join("registry"), packages);
    let needed: String = (0..packages).map(|number| format!("p{number} = \"^1\"\n")).collect();
    let text = format!(
        "[package]\nname = \"all\"\nversion = \"1.0.0\"\n[registries]\ndefault = \"registry\"\n[dependencies]\n{needed}"
    );
    fs::write(folder.path().join("edgepkg.toml"), text).expect("the folder is ours");
    let project = Project::read(folder.path()).expect("it is one");
    let home =
        Home { store: folder.path().join("store"), configuration: folder.path().join("configuration") };
    let configuration = Configuration::read(&home, Some(&project)).expect("it is one");
    let store = Store::open(&home.store).expect("the folder is ours");
    let request = Request {
        folder: folder.path().to_owned(),
        needed: project.schema.requirements().map(|(needed, _)| needed).collect(),
        places: Default::default(),
        update: Update::Needed,
        targets: vec![Target::Package],
        network: Network::Online,
    };
    let run = || {
        let started = processor_time();
        let installed = install(&request, &store, &configuration, &|_, _| {}).expect("it can be installed");
        assert_eq!(installed.lock.packages.len(), packages);
        processor_time() - started
    };
    run();
    let lock = folder.path().join("edgepkg.lock");
    let resolve = || {
        fs::remove_file(&lock).expect("it was written");
        run()
    };
    [best(resolve), best(run)]
}

/// What this thread has had of a processor, which other work of the machine does not lengthen; where the system does not say, the
/// time that has passed.
fn processor_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let stated = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = stated.and_then(|stated| stated.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// The least of several: what other work of the machine adds is no part of it.
fn best(mut run: impl FnMut() -> Duration) -> Duration {
    (0..REPETITIONS).map(|_| run()).min().unwrap_or_default()
}

fn publish_all(folder: &Path, packages: usize) {
    let registry = FolderRegistry::new(folder);
    let mut package = Package::from_bytes(PACKAGE.to_vec(), Path::new("golden")).expect("it is one");
    for number in 0..packages {
        package.manifest.name = format!("p{number}").parse().expect("a name");
        let needed = (number % DEPENDENCY_STEP == 0 && number > 0)
            .then(|| format!("p{}@^1.1", number - 1 - number % 10 / 2));
        let needed: Vec<_> = needed.into_iter().map(|text| text.parse().expect("a requirement")).collect();
        for version in 0..VERSIONS {
            package.manifest.version = format!("1.{version}.0").parse().expect("a version");
            let new = NewRelease::of(&package, &[], needed.clone()).expect("it can be released");
            publish::push(&new, &registry, &|_, _| {}).expect("the folder is ours");
        }
    }
}
