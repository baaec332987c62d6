//! Credentials: those of Docker's own configuration and credential helpers.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::secrets::RegistryAuth;
use serde_json::{Value, json};
use thiserror::Error;

use super::{Failure, OciRegistry};
use crate::registry::RegistryError;
use edgepkg_quantize::package::PackageName;

/// Why credentials cannot be stored.
#[derive(Debug, Error)]
pub enum CredentialError {
    /// The registry does not accept them, or cannot be asked.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Docker's configuration has no place.
    #[error("the system names no folder for this user's files")]
    NoHome,
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
    /// Docker's configuration makes no sense.
    #[error("`{}` is not Docker's configuration: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The helper does not take them.
    #[error("the credential helper `{helper}` does not store the password: {reason}")]
    Helper {
        /// Its program.
        helper: String,
        /// Why.
        reason: String,
    },
}

/// What Docker's configuration has for `host`.
pub fn of(host: &str) -> Result<RegistryAuth, RegistryError> {
    match docker_credential::get_credential(host) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(token)) => Ok(RegistryAuth::Basic("<token>".to_owned(), token)),
        Err(
            CredentialRetrievalError::HelperFailure { .. }
            | CredentialRetrievalError::MalformedHelperResponse
            | CredentialRetrievalError::HelperCommunicationError,
        ) => Err(RegistryError::Credentials { host: host.to_owned() }),
        Err(_) => Ok(RegistryAuth::Anonymous),
    }
}

/// Stores a password for `host` where Docker does, when the registry accepts it.
///
/// # Errors
///
/// When it does not, or they cannot be stored.
pub fn log_in(host: &str, user: &str, password: &str) -> Result<(), CredentialError> {
    let auth = RegistryAuth::Basic(user.to_owned(), password.to_owned());
    let registry = OciRegistry::with_auth(host, host, "", auth.clone());
    let any = PackageName::nearest("any");
    let image = registry.reference(&any, &crate::registry::Reference::Tag("latest".to_owned()));
    let asked = registry.try_often(async || registry.client.catalog(&image, &auth, Some(1), None).await);
    if let Err(error) = asked {
        // Many registries list nothing to anyone: that says nothing of the password.
        let failure = Failure::of(&error);
        if matches!(failure, Failure::Connection | Failure::Server | Failure::Busy | Failure::Unauthorized) {
            return Err(registry.failed(&any, "the list", &error).into());
        }
    }
    store(host, user, password)
}

fn store(host: &str, user: &str, password: &str) -> Result<(), CredentialError> {
    let folder = env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".docker")))
        .ok_or(CredentialError::NoHome)?;
    let path = folder.join("config.json");
    let mut document: Value = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| CredentialError::Malformed { path: path.clone(), reason: error.to_string() })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => json!({}),
        Err(source) => return Err(CredentialError::Io { action: "read", path, source }),
    };
    let of_host = document.get("credHelpers").and_then(|helpers| helpers.get(host)).and_then(Value::as_str);
    let helper = of_host.or_else(|| document.get("credsStore").and_then(Value::as_str));
    if let Some(helper) = helper.filter(|helper| !helper.is_empty()) {
        return store_by_helper(&format!("docker-credential-{helper}"), host, user, password);
    }
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let Some(root) = document.as_object_mut() else {
        return Err(CredentialError::Malformed { path, reason: "it is no object".to_owned() });
    };
    let auths = root.entry("auths").or_insert_with(|| json!({}));
    let Some(auths) = auths.as_object_mut() else {
        return Err(CredentialError::Malformed { path, reason: "`auths` is no object".to_owned() });
    };
    auths.insert(host.to_owned(), json!({ "auth": auth }));
    let bytes = serde_json::to_vec_pretty(&document).expect("plain values");
    let write = || {
        fs::create_dir_all(&folder)?;
        edgepkg_quantize::whole_file::write_private(&path, &bytes)
    };
    write().map_err(|source| CredentialError::Io { action: "write", path: path.clone(), source })
}

fn store_by_helper(helper: &str, host: &str, user: &str, password: &str) -> Result<(), CredentialError> {
    let failed = |reason: String| CredentialError::Helper { helper: helper.to_owned(), reason };
    let credentials = json!({ "ServerURL": host, "Username": user, "Secret": password }).to_string();
    let run = || {
        let mut process = Command::new(helper)
            .arg("store")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = process.stdin.take() {
            stdin.write_all(credentials.as_bytes())?;
        }
        process.wait_with_output()
    };
    let output = run().map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stdout).trim().to_owned())),
    }
}
