//! What may follow an artifact: a signature, by which a device knows whose model it is.

use crate::artifact::Artifact;

/// Bytes of a trailer.
pub const TRAILER_BYTES: usize = 80;
/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

const MAGIC: [u8; 4] = *b"EPSG";
/// The form of trailers and statements.
const VERSION: u16 = 1;

/// A signature over an artifact's [`Statement`], and the statement's counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Rises with every model that is to replace another: a device takes none with a lower one than it had.
    pub counter: u32,
    /// Ed25519.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Trailer {
    /// The trailer at the start of `bytes`, which follow an artifact; `None` where there is none of this version.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (bytes, _) = bytes.split_first_chunk::<TRAILER_BYTES>()?;
        let (head, signature) = bytes.split_last_chunk::<SIGNATURE_BYTES>()?;
        let (counter, _) = head.get(8..)?.split_first_chunk()?;
        let trailer = Self { counter: u32::from_le_bytes(*counter), signature: *signature };
        (trailer.to_bytes() == *bytes).then_some(trailer)
    }

    /// Its bytes: magic, version, reserved, counter, reserved, signature; little-endian.
    pub fn to_bytes(self) -> [u8; TRAILER_BYTES] {
        let mut bytes = [0; TRAILER_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.counter.to_le_bytes());
        bytes[16..].copy_from_slice(&self.signature);
        bytes
    }
}

/// What a trailer's signature is over: the artifact's digest, instruction set, name and version, and the counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement(heapless::Vec<u8, STATEMENT_BYTES>);

const DOMAIN: [u8; 16] = *b"edgepkg artifact";
/// The longest name or version of a package.
const TEXT_BYTES: usize = 64;
const STATEMENT_BYTES: usize = DOMAIN.len() + 2 + 32 + 2 + 4 + 2 * (1 + TEXT_BYTES);

impl Statement {
    /// The statement of `artifact`, whose digest is not computed but taken from its header; `None` where its name or version is
    /// longer than a package's can be.
    pub fn of(artifact: &Artifact<'_>, counter: u32) -> Option<Self> {
        let info = artifact.info();
        let mut statement = heapless::Vec::new();
        let lengths = [info.name.len() as u8, info.version.len() as u8];
        for piece in [
            &DOMAIN[..],
            &VERSION.to_le_bytes(),
            artifact.digest(),
            &artifact.isa().code().to_le_bytes(),
            &counter.to_le_bytes(),
            &lengths[..1],
            info.name.as_bytes(),
            &lengths[1..],
            info.version.as_bytes(),
        ] {
            statement.extend_from_slice(piece).ok()?;
        }
        let fits = info.name.len() <= TEXT_BYTES && info.version.len() <= TEXT_BYTES;
        fits.then_some(Self(statement))
    }

    /// What is signed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
