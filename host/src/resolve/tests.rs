use super::*;

/// Packages with their versions and what those need.
struct Table(&'static [(&'static str, &'static str, &'static [&'static str])]);

#[derive(Debug, Error)]
#[error("no package {0}")]
struct Unknown(PackageName);

impl Source for Table {
    type Error = Unknown;

    fn versions(&self, name: &PackageName) -> Result<Vec<Version>, Unknown> {
        let of_name = self.0.iter().filter(|(found, ..)| *found == name.as_str());
        let versions: Vec<Version> = of_name.map(|(_, version, _)| version.parse().unwrap()).collect();
        if versions.is_empty() { Err(Unknown(name.clone())) } else { Ok(versions) }
    }

    fn dependencies(&self, name: &PackageName, version: &Version) -> Result<Vec<Requirement>, Unknown> {
        let is_it =
            |(found, of, _): &&(&str, &str, &[&str])| *found == name.as_str() && *of == version.as_str();
        let (.., needed) = self.0.iter().find(is_it).unwrap();
        Ok(needed.iter().map(|text| text.parse().unwrap()).collect())
    }
}

const TABLE: Table = Table(&[
    ("kws", "1.0.0", &["vad@^1"]),
    ("kws", "1.1.0", &["vad@^1.2"]),
    ("kws", "2.0.0", &["vad@^2"]),
    ("kws", "2.1.0-beta.1", &[]),
    ("vad", "1.0.0", &[]),
    ("vad", "1.2.0", &[]),
    ("vad", "1.3.0", &[]),
    ("wake", "1.0.0", &["vad@<1.2"]),
    ("odd", "1.0.0", &["absent"]),
]);

fn resolved(needed: &[&str], preferred: &[(&str, &str)]) -> String {
    let needed: Vec<Requirement> = needed.iter().map(|text| text.parse().unwrap()).collect();
    let preferred =
        preferred.iter().map(|(name, version)| (name.parse().unwrap(), version.parse().unwrap())).collect();
    match resolve(&TABLE, &needed, &preferred) {
        Ok(chosen) => {
            chosen.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_newest_that_go_together() {
    assert_eq!(resolved(&["kws@^1"], &[]), "kws 1.1.0, vad 1.3.0");
    assert_eq!(resolved(&["kws@^1", "wake"], &[]), "kws 1.0.0, vad 1.0.0, wake 1.0.0");
    assert_eq!(resolved(&["kws@2.1.0-beta.1"], &[]), "kws 2.1.0-beta.1");
    assert_eq!(resolved(&[], &[]), "");
}

#[test]
fn what_is_locked_is_kept_where_it_can_be() {
    assert_eq!(resolved(&["kws@^1"], &[("vad", "1.2.0"), ("kws", "1.0.0")]), "kws 1.0.0, vad 1.2.0");
    assert_eq!(resolved(&["kws@^1.1"], &[("vad", "1.0.0"), ("kws", "1.0.0")]), "kws 1.1.0, vad 1.3.0");
}

#[test]
fn contradictions_are_told_by_what_each_needs() {
    assert_eq!(
        resolved(&["kws@^1.1", "wake"], &[]),
        "no versions go together:\n  the project needs `kws` ^1.1\n  the project needs `wake` *\n  `wake` 1.0.0 needs `vad` \
         <1.2\n  `kws` 1.1.0 needs `vad` ^1.2"
    );
    assert_eq!(
        resolved(&["kws@^3"], &[]),
        "no versions go together:\n  the project needs `kws` ^3\n  of `kws` there are 1.0.0, 1.1.0, 2.0.0, 2.1.0-beta.1"
    );
    assert_eq!(resolved(&["odd"], &[]), "no package absent");
}
