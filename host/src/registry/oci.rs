//! An OCI registry: GHCR, Harbor, Zot, Docker's own. Each package is a repository under the registry's path.
//!
//! What may pass is tried again, a few times and later each time; what may not is an error at once.

mod credentials;
mod failure;

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use futures_util::StreamExt as _;
use oci_client::client::{BlobResponse, Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_spec::image::{Descriptor, MediaType};
use tokio::runtime::Runtime;

use super::folder::{referrers_of, referrers_tag, with_referrer};
use super::{Location, Reference, Registry, RegistryError, Sink};
use crate::store::{MAX_DOCUMENT_BYTES, StoreError};
use edgepkg_quantize::digest::{Digest, canonical_json, descriptor_of};
use edgepkg_quantize::package::PackageName;

pub use credentials::{CredentialError, log_in};
use failure::{Failure, is_not_found};

/// How often something is tried that may pass.
const ATTEMPTS: u32 = 5;
/// How long is waited before the second attempt; twice as long before each that follows.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// How long a registry may be silent.
const SILENCE: Duration = Duration::from_secs(60);
/// Entries of one answer that lists something.
const PAGE: usize = 1000;
/// The most entries that are read of a list.
const MAX_ENTRIES: usize = 100_000;

/// An OCI registry.
pub struct OciRegistry {
    location: Location,
    host: String,
    /// The part of repositories' names before the package's, with its `/`; may be empty.
    prefix: String,
    client: Client,
    auth: RegistryAuth,
}

/// What runs the client's tasks, for all registries.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        // Another part of the program may have chosen one; either will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("the system has threads")
    })
}

impl OciRegistry {
    /// The registry at `HOST/PATH`. Nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// When the credentials that Docker's configuration has for it cannot be read.
    pub fn new(path: &str) -> Result<Self, RegistryError> {
        let (host, prefix) = path.split_once('/').unwrap_or((path, ""));
        let auth = credentials::of(host)?;
        Ok(Self::with_auth(path, host, prefix, auth))
    }

    fn with_auth(path: &str, host: &str, prefix: &str, auth: RegistryAuth) -> Self {
        runtime();
        let protocol = match is_loopback(host) {
            true => ClientProtocol::HttpsExcept(vec![host.to_owned()]),
            false => ClientProtocol::Https,
        };
        let client = Client::new(ClientConfig {
            protocol,
            read_timeout: Some(SILENCE),
            connect_timeout: Some(SILENCE),
            user_agent: concat!("edgepkg/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        });
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { location: Location::Oci(path.to_owned()), host: host.to_owned(), prefix, client, auth }
    }

    fn reference(&self, name: &PackageName, reference: &Reference) -> oci_client::Reference {
        let repository = format!("{}{name}", self.prefix);
        match reference {
            Reference::Tag(tag) => {
                oci_client::Reference::with_tag(self.host.clone(), repository, tag.clone())
            }
            Reference::Digest(digest) => {
                oci_client::Reference::with_digest(self.host.clone(), repository, digest.to_string())
            }
        }
    }

    /// Does what `ask` does until it succeeds or cannot.
    fn try_often<T>(
        &self,
        mut ask: impl AsyncFnMut() -> Result<T, OciDistributionError>,
    ) -> Result<T, OciDistributionError> {
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let answer = runtime().block_on(async {
                self.client.store_auth_if_needed(&self.host, &self.auth).await;
                ask().await
            });
            match answer {
                Err(error) if attempt < ATTEMPTS && Failure::of(&error).may_pass() => {
                    thread::sleep(wait);
                    wait *= 2;
                }
                answer => return answer,
            }
        }
        unreachable!("the last attempt returns")
    }

    fn failed(&self, name: &PackageName, what: &str, error: &OciDistributionError) -> RegistryError {
        failure::error(&self.location.to_string(), &self.host, name, what, error)
    }

    fn document(&self, name: &PackageName, reference: &Reference) -> Result<Vec<u8>, OciDistributionError> {
        let image = self.reference(name, reference);
        let kinds = [MediaType::ImageIndex, MediaType::ImageManifest].map(|kind| kind.to_string());
        let kinds = [kinds[0].as_str(), kinds[1].as_str()];
        let answer = self.try_often(async || self.client.pull_manifest_raw(&image, &self.auth, &kinds).await);
        answer.map(|(bytes, _)| bytes.to_vec())
    }
}

/// Whether a host is this machine: only then a registry may be without encryption.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Registry for OciRegistry {
    fn location(&self) -> &Location {
        &self.location
    }

    fn packages(&self) -> Result<Vec<PackageName>, RegistryError> {
        let any = PackageName::nearest("any");
        let image = self.reference(&any, &Reference::Tag("latest".to_owned()));
        let mut names = Vec::new();
        let mut last: Option<String> = None;
        while names.len() < MAX_ENTRIES {
            let page = self.try_often(async || {
                self.client.catalog(&image, &self.auth, Some(PAGE), last.as_deref()).await
            });
            let page = page.map_err(|error| match is_not_found(&error) {
                true => RegistryError::NoList { registry: self.location.to_string() },
                false => self.failed(&any, "the list", &error),
            })?;
            let count = page.repositories.len();
            let next = page.repositories.last().cloned();
            let of_prefix = page.repositories.iter().filter_map(|name| name.strip_prefix(&self.prefix));
            names.extend(of_prefix.filter_map(|name| name.parse::<PackageName>().ok()));
            if count < PAGE || next == last {
                break;
            }
            last = next;
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn tags(&self, name: &PackageName) -> Result<Vec<String>, RegistryError> {
        let image = self.reference(name, &Reference::Tag("latest".to_owned()));
        let mut tags: Vec<String> = Vec::new();
        while tags.len() < MAX_ENTRIES {
            let last = tags.last().cloned();
            let page = self.try_often(async || {
                self.client.list_tags(&image, &self.auth, Some(PAGE), last.as_deref()).await
            });
            let page = page.map_err(|error| match is_not_found(&error) {
                true => RegistryError::NoPackage {
                    registry: self.location.to_string(),
                    name: name.clone(),
                    nearest: None,
                },
                false => self.failed(name, "the list of versions", &error),
            })?;
            let count = page.tags.len();
            let is_new = page.tags.last() != last.as_ref();
            tags.extend(page.tags);
            if count < PAGE || !is_new {
                break;
            }
        }
        Ok(tags)
    }

    fn manifest(&self, name: &PackageName, reference: &Reference) -> Result<Vec<u8>, RegistryError> {
        let what = match reference {
            Reference::Tag(tag) => format!("version {tag}"),
            Reference::Digest(digest) => format!("manifest {digest}"),
        };
        let bytes = self.document(name, reference).map_err(|error| self.failed(name, &what, &error))?;
        if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
            let reason = format!("it has {} bytes, the limit is {MAX_DOCUMENT_BYTES}", bytes.len());
            let registry = self.location.to_string();
            return Err(RegistryError::Malformed { registry, name: name.clone(), what, reason });
        }
        match reference {
            Reference::Digest(expected) if Digest::of(&bytes) != *expected => {
                Err(RegistryError::OtherBytes {
                    registry: self.location.to_string(),
                    name: name.clone(),
                    expected: *expected,
                    found: Digest::of(&bytes),
                })
            }
            _ => Ok(bytes),
        }
    }

    fn blob(
        &self,
        name: &PackageName,
        blob: &Descriptor,
        from: u64,
        sink: &mut Sink<'_>,
    ) -> Result<(), RegistryError> {
        let digest = Digest::of_descriptor(blob).map_err(StoreError::from)?;
        let image = self.reference(name, &Reference::Digest(digest));
        let text = digest.to_string();
        let mut at = from;
        let mut refused = None;
        let fetched = self.try_often(async || {
            if at >= blob.size() {
                return Ok(());
            }
            let answer = self.client.pull_blob_stream_partial(&image, text.as_str(), at, None).await?;
            // A registry that knows no ranges begins at the beginning.
            let (mut stream, mut skipped_bytes) = match answer {
                BlobResponse::Partial(stream) => (stream, 0),
                BlobResponse::Full(stream) => (stream, at),
            };
            while let Some(piece) = stream.next().await {
                let piece = match piece {
                    Ok(piece) => piece,
                    // That the whole has another digest the store finds too, and says.
                    Err(_) if at == blob.size() => break,
                    Err(error) => return Err(error.into()),
                };
                let skip = skipped_bytes.min(piece.len() as u64);
                skipped_bytes -= skip;
                let piece = &piece[skip as usize..];
                if let Err(error) = sink(piece) {
                    refused = Some(error);
                    return Ok(());
                }
                at += piece.len() as u64;
            }
            match at < blob.size() {
                true => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
                false => Ok(()),
            }
        });
        match refused {
            Some(error) => Err(error),
            None => fetched.map_err(|error| self.failed(name, &format!("blob {digest}"), &error)),
        }
    }

    fn push_blob(&self, name: &PackageName, blob: &Descriptor, bytes: &[u8]) -> Result<u64, RegistryError> {
        let text = blob.digest().to_string();
        let image = self.reference(name, &Reference::Tag("latest".to_owned()));
        let failed = |error: OciDistributionError| self.failed(name, &format!("blob {text}"), &error);
        // A token to push lets one read too; asked for first, it is the one that is kept.
        let pushes = oci_client::RegistryOperation::Push;
        self.try_often(async || self.client.auth(&image, &self.auth, pushes).await.map(|_| ()))
            .map_err(failed)?;
        if self.try_often(async || self.client.blob_exists(&image, &text).await).map_err(failed)? {
            return Ok(0);
        }
        let pushed = self.try_often(async || self.client.push_blob(&image, bytes.to_vec(), &text).await);
        pushed.map(|_| bytes.len() as u64).map_err(failed)
    }

    fn push_manifest(
        &self,
        name: &PackageName,
        tag: Option<&str>,
        manifest: &Descriptor,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let digest = Digest::of_descriptor(manifest).map_err(StoreError::from)?;
        let reference = match tag {
            Some(tag) => Reference::Tag(tag.to_owned()),
            None => Reference::Digest(digest),
        };
        let image = self.reference(name, &reference);
        let kind = manifest.media_type().to_string();
        let pushed = self.try_often(async || {
            let kind = kind.parse().expect("a media type is a header");
            self.client.push_manifest_raw(&image, bytes.to_vec(), kind).await
        });
        let what = tag.map_or_else(|| format!("manifest {digest}"), |tag| format!("version {tag}"));
        pushed.map(|_| ()).map_err(|error| self.failed(name, &what, &error))
    }

    fn referrers(
        &self,
        name: &PackageName,
        subject: Digest,
        kind: &str,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let image = self.reference(name, &Reference::Digest(subject));
        let index = self.try_often(async || self.client.pull_referrers(&image, Some(kind)).await);
        let index = index.map_err(|error| self.failed(name, "the referrers", &error))?;
        referrers_of(&canonical_json(&index), kind).map_err(|reason| RegistryError::Malformed {
            registry: self.location.to_string(),
            name: name.clone(),
            what: "the referrers".to_owned(),
            reason,
        })
    }

    fn push_referrer(
        &self,
        name: &PackageName,
        subject: Digest,
        manifest: &Descriptor,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        self.push_manifest(name, None, manifest, bytes)?;
        let kind = manifest.artifact_type().as_ref().map(ToString::to_string).unwrap_or_default();
        // A registry with an API for referrers has it there now; for others the tag schema says where.
        if self.referrers(name, subject, &kind)?.iter().any(|found| found.digest() == manifest.digest()) {
            return Ok(());
        }
        let tag = Reference::Tag(referrers_tag(subject));
        let before = match self.document(name, &tag) {
            Ok(bytes) => Some(bytes),
            Err(error) if is_not_found(&error) => None,
            Err(error) => return Err(self.failed(name, "the referrers", &error)),
        };
        let index = with_referrer(before.as_deref(), manifest);
        let descriptor = descriptor_of(MediaType::ImageIndex.as_ref(), &index);
        self.push_manifest(name, Some(&referrers_tag(subject)), &descriptor, &index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_without_encryption() {
        for host in ["127.0.0.1:5000", "localhost", "localhost:5000", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["ghcr.io", "127.0.0.1.example.com", "localhost.example.com:5000", "10.0.0.1:5000"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
