//! Why a project's file cannot be used, and where in it.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::RequirementError;
use edgepkg_quantize::package::{LicenseError, NameError};

/// Why a project cannot be used.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// No file.
    #[error("there is no `edgepkg.toml` in `{}`, nor in a folder above", folder.display())]
    NotFound {
        /// The folder.
        folder: PathBuf,
    },
    /// The system refuses to read it.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The system refuses to write it.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file that is too large.
    #[error("`{}` has {found_bytes} bytes, the limit is {limit_bytes}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        found_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// A file that is no text.
    #[error("`{}` is not UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
    },
    /// Text that is not TOML, or not of the schema.
    #[error("{place}: {reason}{}", Snippet(place))]
    Syntax {
        /// Where.
        place: Box<Place>,
        /// What is wrong.
        reason: String,
        /// A key that was meant.
        nearest: Option<String>,
        /// Keys that there may be, where one is unknown.
        expected: Vec<String>,
    },
    /// A folder that is a project already.
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    /// A dependency that is not there.
    #[error("`{}` has no dependency `{name}`", path.display())]
    NoDependency {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A project that has no model of its own.
    #[error("`{}` names no model: it has no `[model]`", .0.display())]
    NoModel(PathBuf),
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A licence that is none.
    #[error(transparent)]
    License(#[from] LicenseError),
    /// A requirement that is none.
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    /// A base that is not in the lock.
    #[error("the base `{0}` is not installed")]
    BaseNotInstalled(String),
    /// A package that does not stand on its base.
    #[error("the model does not stand on `{base}`: {reason}")]
    OtherBase {
        /// Name and version of the base.
        base: String,
        /// What differs.
        reason: String,
    },
    /// A package that was not made yet.
    #[error("`{name}` has not been quantized yet: there is no `{}`", path.display())]
    NotMade {
        /// The package.
        name: String,
        /// Its file.
        path: PathBuf,
    },
    /// A package made before its project's file was changed.
    #[error("`{}` is {found}, and its project says {expected}", path.display())]
    Outdated {
        /// Its file.
        path: PathBuf,
        /// Its name and version.
        found: String,
        /// The project's.
        expected: String,
    },
}

impl ProjectError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            ProjectError::NotFound { .. } => Some("`edgepkg new` makes a project".to_owned()),
            ProjectError::Syntax { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            ProjectError::Syntax { expected, .. } if !expected.is_empty() => {
                let quoted: Vec<String> = expected.iter().map(|key| format!("`{key}`")).collect();
                Some(format!("there may be {}", quoted.join(", ")))
            }
            ProjectError::Exists(_) => {
                Some("edit that file, or give the name of a folder that is not there yet".to_owned())
            }
            ProjectError::NoDependency { .. } => {
                Some("`edgepkg check` lists what the project needs".to_owned())
            }
            ProjectError::NoModel(_) => Some(
                "add `[model]` with `file = \"model.onnx\"`, or name a package that it depends on".to_owned(),
            ),
            ProjectError::License(_) => {
                Some("https://spdx.org/licenses lists them; `LicenseRef-NAME` is one of your own".to_owned())
            }
            ProjectError::BaseNotInstalled(_) => Some("`edgepkg install` installs it".to_owned()),
            ProjectError::OtherBase { .. } => Some(
                "`head` in `[model]` names the layers that are the package's own; all others must have the base's \
                 weights, to the byte"
                    .to_owned(),
            ),
            ProjectError::NotMade { .. } | ProjectError::Outdated { .. } => {
                Some("`edgepkg quantize` makes it".to_owned())
            }
            ProjectError::Write { .. } => {
                Some("see that the folder is there, has room, and is yours to write".to_owned())
            }
            _ => None,
        }
    }

    /// What the TOML reader found wrong in `text`.
    pub(crate) fn of_toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let place = Box::new(Place::new(path, text, error.span().unwrap_or(0..0)));
        let message = error.message();
        let unknown =
            message.strip_prefix("unknown field ").or_else(|| message.strip_prefix("unknown variant "));
        let Some(unknown) = unknown else {
            let reason = message.to_owned();
            return ProjectError::Syntax { place, reason, nearest: None, expected: Vec::new() };
        };
        let mut quoted = unknown.split('`').skip(1).step_by(2).map(str::to_owned);
        let found = quoted.next().unwrap_or_default();
        let expected: Vec<String> = quoted.collect();
        let what = if message.starts_with("unknown field") { "key" } else { "value" };
        let nearest = nearest(&found, expected.iter().map(String::as_str)).map(str::to_owned);
        ProjectError::Syntax { place, reason: format!("unknown {what} `{found}`"), nearest, expected }
    }
}

/// Of `names` the one most like `name`, where one is.
pub(crate) fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    const LEAST_SIMILARITY: f64 = 0.7;
    let similarity = |candidate: &str| strsim::jaro_winkler(name, candidate);
    let rated = names.into_iter().map(|candidate| (similarity(candidate), candidate));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= LEAST_SIMILARITY).then_some(best.1)
}

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub column: usize,
    /// The line's text.
    text: String,
    /// How many of its characters are meant.
    length: usize,
}

impl Place {
    /// Where `span`, bytes of `text`, is.
    pub fn new(path: &Path, text: &str, span: Range<usize>) -> Self {
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[line_start..].find('\n').map_or(text.len(), |at| line_start + at);
        Self {
            path: path.into(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: text[line_start..line_end].trim_end().to_owned(),
            length: text[start..end.min(line_end).max(start)].chars().count().max(1),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, line {}", self.path.display(), self.line)
    }
}

/// The line that is meant, with marks under the part.
struct Snippet<'p>(&'p Place);

impl fmt::Display for Snippet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column, text, length, .. } = self.0;
        let number = line.to_string();
        let blank = " ".repeat(number.len());
        // Tabs keep their width; other control characters have none.
        let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let (indent, marks) = (" ".repeat(column - 1), "^".repeat(*length));
        write!(f, "\n {number} | {shown}\n {blank} | {indent}{marks}")
    }
}
