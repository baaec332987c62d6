//! Chooses versions: of each package the newest that everything which needs it can use.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;

use pubgrub::{
    Dependencies, DependencyProvider, DerivationTree, External, PackageResolutionStatistics, PubGrubError,
    Ranges,
};
use thiserror::Error;

use crate::project::Requirement;
use edgepkg_quantize::package::{PackageName, Version};

/// Where the versions of packages, and what each needs, are known from.
pub trait Source {
    /// Why it cannot be said.
    type Error: std::error::Error + 'static;

    /// The versions that may be chosen, in any order.
    ///
    /// # Errors
    ///
    /// When it cannot be said.
    fn versions(&self, name: &PackageName) -> Result<Vec<Version>, Self::Error>;

    /// What a version needs.
    ///
    /// # Errors
    ///
    /// When it cannot be said.
    fn dependencies(&self, name: &PackageName, version: &Version) -> Result<Vec<Requirement>, Self::Error>;
}

/// Why there is no choice.
#[derive(Debug, Error)]
pub enum ResolveError<E: std::error::Error + 'static> {
    /// No versions go together.
    #[error("no versions go together:{}", reasons.iter().map(|reason| format!("\n  {reason}")).collect::<String>())]
    NoSolution {
        /// What each of those involved needs, and what there is.
        reasons: Vec<String>,
    },
    /// The source cannot say.
    #[error(transparent)]
    Source(E),
}

/// The version of each package that `needed` leads to. Those in `preferred` are kept where they can be.
///
/// # Errors
///
/// When no versions go together, or the source cannot say.
pub fn resolve<S: Source>(
    source: &S,
    needed: &[Requirement],
    preferred: &BTreeMap<PackageName, Version>,
) -> Result<BTreeMap<PackageName, Version>, ResolveError<S::Error>> {
    let provider = Provider {
        source,
        needed,
        preferred: preferred.iter().map(|(name, version)| (name.clone(), version.number())).collect(),
        versions: RefCell::default(),
        failure: RefCell::default(),
    };
    match pubgrub::resolve(&provider, Node::Project, semver::Version::new(0, 0, 0)) {
        Ok(chosen) => Ok(chosen
            .into_iter()
            .filter_map(|(node, version)| match node {
                Node::Project => None,
                Node::Package(name) => Some((name, text(&version))),
            })
            .collect()),
        Err(PubGrubError::NoSolution(tree)) => {
            let mut reasons = Vec::new();
            provider.explain(&tree, &mut reasons);
            reasons.sort_by_key(|reason| !reason.starts_with(PROJECT));
            Err(ResolveError::NoSolution { reasons })
        }
        Err(_) => Err(ResolveError::Source(provider.failure.take().expect("the source failed"))),
    }
}

fn text(version: &semver::Version) -> Version {
    version.to_string().parse().expect("it was made of one")
}

/// What messages call the project itself.
const PROJECT: &str = "the project";

/// What is chosen for: the project itself, or a package it leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Node {
    Project,
    Package(PackageName),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Project => f.write_str(PROJECT),
            Node::Package(name) => write!(f, "{name}"),
        }
    }
}

/// What was asked of the source has failed; why, the provider keeps.
#[derive(Debug, Error)]
#[error("the source failed")]
struct Failed;

struct Provider<'a, S: Source> {
    source: &'a S,
    needed: &'a [Requirement],
    preferred: HashMap<PackageName, semver::Version>,
    /// Ascending.
    versions: RefCell<HashMap<PackageName, Rc<[semver::Version]>>>,
    failure: RefCell<Option<S::Error>>,
}

impl<S: Source> Provider<'_, S> {
    fn versions(&self, name: &PackageName) -> Result<Rc<[semver::Version]>, Failed> {
        if let Some(versions) = self.versions.borrow().get(name) {
            return Ok(versions.clone());
        }
        let versions = self.source.versions(name).map_err(|error| self.fail(error))?;
        let mut versions: Vec<_> = versions.iter().map(Version::number).collect();
        versions.sort();
        let versions: Rc<[semver::Version]> = versions.into();
        self.versions.borrow_mut().insert(name.clone(), versions.clone());
        Ok(versions)
    }

    fn fail(&self, error: S::Error) -> Failed {
        *self.failure.borrow_mut() = Some(error);
        Failed
    }

    fn requirements(&self, node: &Node, version: &semver::Version) -> Result<Vec<Requirement>, Failed> {
        match node {
            Node::Project => Ok(self.needed.to_vec()),
            Node::Package(name) => {
                self.source.dependencies(name, &text(version)).map_err(|error| self.fail(error))
            }
        }
    }

    /// The versions that there are of what `requirement` lets pass: so that what a pre-release matches is what semver
    /// says.
    fn range(&self, requirement: &Requirement) -> Result<Ranges<semver::Version>, Failed> {
        let versions = self.versions(&requirement.name)?;
        let matching = versions.iter().filter(|version| requirement.versions.matches(version));
        let union =
            matching.fold(Ranges::empty(), |range, version| range.union(&Ranges::singleton(version.clone())));
        Ok(union.simplify(versions.iter()))
    }

    /// Who needs what, of the packages that a contradiction involves, and which versions there are.
    fn explain(
        &self,
        tree: &DerivationTree<Node, Ranges<semver::Version>, Infallible>,
        reasons: &mut Vec<String>,
    ) {
        match tree {
            DerivationTree::Derived(derived) => {
                self.explain(&derived.cause1, reasons);
                self.explain(&derived.cause2, reasons);
            }
            DerivationTree::External(External::FromDependencyOf(
                needing,
                range,
                Node::Package(needed),
                _,
            )) => {
                let versions = match needing {
                    Node::Project => Rc::from([semver::Version::new(0, 0, 0)]),
                    Node::Package(name) => self.versions(name).unwrap_or_default(),
                };
                let newest = versions.iter().rev().find(|version| range.contains(*version));
                let Some(newest) = newest else { return };
                let requirements = self.requirements(needing, newest).unwrap_or_default();
                for requirement in requirements.iter().filter(|requirement| requirement.name == *needed) {
                    let who = match needing {
                        Node::Project => PROJECT.to_owned(),
                        Node::Package(name) => format!("`{name}` {newest}"),
                    };
                    push_new(reasons, format!("{who} needs `{needed}` {}", requirement.versions));
                    let there: Vec<String> =
                        self.versions(needed).unwrap_or_default().iter().map(ToString::to_string).collect();
                    if !self
                        .versions(needed)
                        .is_ok_and(|all| all.iter().any(|v| requirement.versions.matches(v)))
                    {
                        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
                        push_new(reasons, format!("of `{needed}` there are {there}"));
                    }
                }
            }
            DerivationTree::External(_) => {}
        }
    }
}

fn push_new(reasons: &mut Vec<String>, reason: String) {
    if !reasons.contains(&reason) {
        reasons.push(reason);
    }
}

impl<S: Source> DependencyProvider for Provider<'_, S> {
    type P = Node;
    type V = semver::Version;
    type VS = Ranges<semver::Version>;
    type Priority = (u32, Reverse<usize>);
    type M = Infallible;
    type Err = Failed;

    /// Those first that had the most conflicts, then those with the fewest versions left.
    fn prioritize(
        &self,
        node: &Node,
        range: &Ranges<semver::Version>,
        statistics: &PackageResolutionStatistics,
    ) -> Self::Priority {
        let left = match node {
            Node::Project => 0,
            Node::Package(name) => self
                .versions(name)
                .unwrap_or_default()
                .iter()
                .filter(|version| range.contains(*version))
                .count(),
        };
        (statistics.conflict_count(), Reverse(left))
    }

    fn choose_version(
        &self,
        node: &Node,
        range: &Ranges<semver::Version>,
    ) -> Result<Option<semver::Version>, Failed> {
        let Node::Package(name) = node else { return Ok(Some(semver::Version::new(0, 0, 0))) };
        let versions = self.versions(name)?;
        let preferred =
            self.preferred.get(name).filter(|version| versions.contains(version) && range.contains(*version));
        let newest = || versions.iter().rev().find(|version| range.contains(*version));
        Ok(preferred.or_else(newest).cloned())
    }

    fn get_dependencies(
        &self,
        node: &Node,
        version: &semver::Version,
    ) -> Result<Dependencies<Node, Ranges<semver::Version>, Infallible>, Failed> {
        let mut constraints = BTreeMap::new();
        for requirement in self.requirements(node, version)? {
            let range = self.range(&requirement)?;
            let node = Node::Package(requirement.name);
            let both = match constraints.get(&node) {
                Some(other) => range.intersection(other),
                None => range,
            };
            constraints.insert(node, both);
        }
        Ok(Dependencies::Available(constraints.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests;
