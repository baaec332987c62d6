//! Signatures in registries: manifests that refer to a release's index, each with an envelope as its layer.

use oci_spec::image::{Descriptor, ImageManifest, ImageManifestBuilder, MediaType};

use super::{Envelope, Key};
use crate::registry::{Reference, Registry, RegistryError};
use crate::release::Release;
use crate::store::StoreError;
use edgepkg_quantize::digest::{Digest, canonical_json, descriptor, descriptor_of};

/// `artifactType` of a signature's manifest.
const SIGNATURE_TYPE: &str = "application/vnd.edgepkg.signature.v1";
const ENVELOPE_TYPE: &str = "application/vnd.dsse.envelope.v1+json";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// The most signatures that are read of a release.
const MAX_SIGNATURES: usize = 16;
/// The largest envelope.
const MAX_ENVELOPE_BYTES: u64 = 256 << 10;

/// Signs a release that is in a registry, and puts the signature there.
///
/// # Errors
///
/// When the registry does not take it.
pub fn sign(release: &Release, key: &Key, registry: &dyn Registry) -> Result<Envelope, RegistryError> {
    let envelope = Envelope::sign(release, key);
    attach(release, &envelope, registry)?;
    Ok(envelope)
}

/// Puts a signature into a registry.
///
/// # Errors
///
/// When it does not take it.
pub fn attach(release: &Release, envelope: &Envelope, registry: &dyn Registry) -> Result<(), RegistryError> {
    let name = &release.name;
    let bytes = envelope.to_bytes();
    let (layer, empty) = (descriptor_of(ENVELOPE_TYPE, &bytes), descriptor_of(EMPTY_TYPE, b"{}"));
    registry.push_blob(name, &layer, &bytes)?;
    registry.push_blob(name, &empty, b"{}")?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .artifact_type(SIGNATURE_TYPE)
        .config(empty)
        .layers(vec![layer])
        .subject(descriptor(MediaType::ImageIndex.as_ref(), release.digest, release.index_bytes))
        .build()
        .expect("every required field is set");
    let bytes = canonical_json(&manifest);
    let mut manifest = descriptor_of(MediaType::ImageManifest.as_ref(), &bytes);
    manifest.set_artifact_type(Some(SIGNATURE_TYPE.into()));
    registry.push_referrer(name, release.digest, &manifest, &bytes)
}

/// The signatures of a release that a registry has. Those that make no sense are left out: they sign nothing.
///
/// # Errors
///
/// When it cannot be asked.
pub fn fetch(release: &Release, registry: &dyn Registry) -> Result<Vec<Envelope>, RegistryError> {
    let referrers = registry.referrers(&release.name, release.digest, SIGNATURE_TYPE)?;
    let mut envelopes = Vec::new();
    for referrer in referrers.iter().take(MAX_SIGNATURES) {
        let digest = Digest::of_descriptor(referrer).map_err(StoreError::from)?;
        let bytes = registry.manifest(&release.name, &Reference::Digest(digest))?;
        let Ok(manifest) = serde_json::from_slice::<ImageManifest>(&bytes) else { continue };
        let is_envelope = |layer: &&Descriptor| layer.media_type().as_ref() == ENVELOPE_TYPE;
        let Some(layer) = manifest.layers().iter().find(is_envelope) else { continue };
        if layer.size() > MAX_ENVELOPE_BYTES {
            continue;
        }
        let mut bytes = Vec::new();
        let mut sink = |piece: &[u8]| {
            // What is longer than stated is cut off, and is then no envelope.
            let room = (MAX_ENVELOPE_BYTES as usize).saturating_sub(bytes.len());
            bytes.extend(&piece[..piece.len().min(room)]);
            Ok(())
        };
        registry.blob(&release.name, layer, 0, &mut sink)?;
        envelopes.extend(Envelope::from_bytes(&bytes));
    }
    Ok(envelopes)
}
