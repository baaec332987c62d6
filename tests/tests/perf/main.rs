//! What the models cost on the emulated boards, layer by layer, and what the runner images take, against the
//! committed `perf.toml`. `cargo xtask perf` writes that, and `PERFORMANCE.md` from it.

mod compare;
mod figures;
mod limits;
mod measure;
mod report;

use std::fs;
use std::path::PathBuf;

use figures::Figures;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn figures_file() -> PathBuf {
    file("perf.toml")
}

fn report_file() -> PathBuf {
    file("PERFORMANCE.md")
}

fn committed() -> Figures {
    toml::from_str(&fs::read_to_string(figures_file()).unwrap_or_default())
        .expect("perf.toml is of this schema")
}

/// Whether figures are written instead of compared.
fn blesses() -> bool {
    std::env::var_os("EDGEPKG_BLESS").is_some()
}

#[test]
fn no_figure_grows_and_all_are_below_the_limits() {
    let committed = committed();
    let measured = measure::all(&committed);
    println!("{}", report::markdown(&measured));
    limits::check(&measured);
    if blesses() {
        fs::write(figures_file(), measured.to_toml()).expect("perf.toml can be written");
        fs::write(report_file(), report::markdown(&measured)).expect("PERFORMANCE.md can be written");
        return;
    }
    let grown = compare::grown(&committed, &measured);
    assert!(
        grown.is_empty(),
        "{}\nwhere that is meant, `cargo xtask perf` makes these figures the committed ones",
        grown.join("\n")
    );
}

#[test]
fn the_committed_report_is_that_of_the_committed_figures() {
    if blesses() {
        println!("skipped: the report is being written");
        return;
    }
    let committed = committed();
    assert_eq!(committed.to_toml(), fs::read_to_string(figures_file()).unwrap());
    assert_eq!(report::markdown(&committed), fs::read_to_string(report_file()).unwrap());
}
