//! What a registry can answer other than what it was asked for.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::store::StoreError;
use edgepkg_quantize::digest::Digest;
use edgepkg_quantize::package::PackageName;

/// Why a registry cannot be used.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// A text that is no registry's place.
    #[error("`{0}` is not a registry: neither a folder nor oci://HOST/PATH")]
    Location(String),
    /// There is no such folder.
    #[error("there is no registry in `{}`", .0.display())]
    NoFolder(PathBuf),
    /// The system refuses.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A package that is not there.
    #[error("{registry} has no package `{name}`")]
    NoPackage {
        /// The registry.
        registry: String,
        /// The name.
        name: PackageName,
        /// A package there with a name like it.
        nearest: Option<String>,
    },
    /// A version or digest that is not there.
    #[error("{registry} has no {what} of `{name}`")]
    NotFound {
        /// The registry.
        registry: String,
        /// The package.
        name: PackageName,
        /// What was asked for.
        what: String,
    },
    /// Something there that makes no sense.
    #[error("{what} of `{name}` in {registry} cannot be read: {reason}")]
    Malformed {
        /// The registry.
        registry: String,
        /// The package.
        name: PackageName,
        /// What was asked for.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// Bytes that are not those their digest names.
    #[error("{registry} gives other bytes for {expected} of `{name}`: their digest is {found}")]
    OtherBytes {
        /// The registry.
        registry: String,
        /// The package.
        name: PackageName,
        /// The digest asked for.
        expected: Digest,
        /// The digest of what came.
        found: Digest,
    },
    /// Nobody answers.
    #[error("cannot reach {registry}: {reason}")]
    Unreachable {
        /// The registry.
        registry: String,
        /// The system's reason.
        reason: String,
    },
    /// It has a fault.
    #[error("{registry} has a fault of its own: {reason}")]
    Server {
        /// The registry.
        registry: String,
        /// What it says.
        reason: String,
    },
    /// It has too much to do.
    #[error("{registry} has too many requests to answer")]
    Busy {
        /// The registry.
        registry: String,
    },
    /// It does not know the user.
    #[error("{registry} does not let you in")]
    Unauthorized {
        /// The registry.
        registry: String,
        /// Its host.
        host: String,
    },
    /// It knows the user and refuses.
    #[error("{registry} refuses you `{name}`")]
    Denied {
        /// The registry.
        registry: String,
        /// The package.
        name: PackageName,
    },
    /// It lists nothing.
    #[error("{registry} does not list what it has")]
    NoList {
        /// The registry.
        registry: String,
    },
    /// A credential helper that fails.
    #[error("the credential helper that Docker's configuration names for `{host}` fails")]
    Credentials {
        /// The registry's host.
        host: String,
    },
    /// What came cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RegistryError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            RegistryError::Location(_) => {
                Some("for example `../registry`, or `oci://ghcr.io/OWNER/models`".to_owned())
            }
            RegistryError::NoFolder(_) => Some("`edgepkg publish --registry FOLDER` makes one".to_owned()),
            RegistryError::NoPackage { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            RegistryError::NoPackage { .. } => {
                Some("`edgepkg search` lists what is there; `--registry` names another".to_owned())
            }
            RegistryError::NotFound { name, .. } => {
                Some(format!("`edgepkg versions {name}` lists what is there"))
            }
            RegistryError::OtherBytes { .. } => {
                Some("nothing of it was kept: the registry, or something on the way, is at fault".to_owned())
            }
            RegistryError::Store(error) => error.hint(),
            RegistryError::Io { .. } => {
                Some("see that the folder is there, has room, and is yours".to_owned())
            }
            RegistryError::Unreachable { .. } => Some(
                "see that its address is right and the network is there; what was fetched is kept".to_owned(),
            ),
            RegistryError::Server { .. } | RegistryError::Busy { .. } => {
                Some("try again later; what was fetched or pushed is kept".to_owned())
            }
            RegistryError::Unauthorized { host, .. } => {
                Some(format!("`edgepkg login {host} --username NAME` tells it who you are"))
            }
            RegistryError::Denied { .. } => Some(
                "ask its owner for the right to read or write there; names are the publisher's".to_owned(),
            ),
            RegistryError::NoList { .. } => {
                Some("`edgepkg versions NAME` works with a package's name".to_owned())
            }
            RegistryError::Credentials { .. } => {
                Some("see `credsStore` and `credHelpers` in Docker's config.json".to_owned())
            }
            RegistryError::Malformed { .. } => None,
        }
    }
}
