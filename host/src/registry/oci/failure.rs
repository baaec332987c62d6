//! What went wrong with a registry: whether it may pass, and how it is told.

use oci_client::errors::{OciDistributionError, OciErrorCode};

use crate::registry::RegistryError;
use edgepkg_quantize::package::PackageName;

/// Kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answers, or the connection broke.
    Connection,
    /// 5xx.
    Server,
    /// 429.
    Busy,
    /// 401.
    Unauthorized,
    /// 403.
    Denied,
    /// 404.
    NotFound,
    /// Anything else.
    Other,
}

impl Failure {
    /// The kind of an error.
    pub fn of(error: &OciDistributionError) -> Self {
        match error {
            OciDistributionError::RequestError(_) | OciDistributionError::IoError(_) => Failure::Connection,
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_) => Failure::Unauthorized,
            OciDistributionError::ImageManifestNotFoundError(_) => Failure::NotFound,
            OciDistributionError::ServerError { code, .. } => match code {
                401 => Failure::Unauthorized,
                403 => Failure::Denied,
                404 | 405 => Failure::NotFound,
                429 => Failure::Busy,
                500.. => Failure::Server,
                _ => Failure::Other,
            },
            OciDistributionError::RegistryError { envelope, .. } => {
                envelope.errors.first().map_or(Failure::Other, |error| match error.code {
                    OciErrorCode::Unauthorized => Failure::Unauthorized,
                    OciErrorCode::Denied => Failure::Denied,
                    OciErrorCode::Toomanyrequests => Failure::Busy,
                    OciErrorCode::BlobUnknown
                    | OciErrorCode::ManifestUnknown
                    | OciErrorCode::NameUnknown
                    | OciErrorCode::NotFound => Failure::NotFound,
                    _ => Failure::Other,
                })
            }
            _ => Failure::Other,
        }
    }

    /// Whether trying again may help.
    pub fn may_pass(self) -> bool {
        matches!(self, Failure::Connection | Failure::Server | Failure::Busy)
    }
}

/// Whether there is no such thing.
pub fn is_not_found(error: &OciDistributionError) -> bool {
    Failure::of(error) == Failure::NotFound
}

/// The error as it is told.
pub fn error(
    registry: &str,
    host: &str,
    name: &PackageName,
    what: &str,
    error: &OciDistributionError,
) -> RegistryError {
    let (registry, host) = (registry.to_owned(), host.to_owned());
    match Failure::of(error) {
        Failure::Connection => RegistryError::Unreachable { registry, reason: cause(error) },
        Failure::Server => RegistryError::Server { registry, reason: cause(error) },
        Failure::Busy => RegistryError::Busy { registry },
        Failure::Unauthorized => RegistryError::Unauthorized { registry, host },
        Failure::Denied => RegistryError::Denied { registry, name: name.clone() },
        Failure::NotFound => RegistryError::NotFound { registry, name: name.clone(), what: what.to_owned() },
        Failure::Other => RegistryError::Malformed {
            registry,
            name: name.clone(),
            what: what.to_owned(),
            reason: cause(error),
        },
    }
}

/// The innermost cause, in a line.
fn cause(error: &OciDistributionError) -> String {
    if let OciDistributionError::ServerError { code, .. } = error {
        return format!("it answers {code}");
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().lines().next().unwrap_or_default().chars().take(300).collect()
}
