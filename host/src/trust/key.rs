//! Ed25519 keys.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use thiserror::Error;

use edgepkg_quantize::digest::Digest;
use edgepkg_quantize::package::PackageName;

const PREFIX: &str = "ed25519:";
const SECRET_PREFIX: &str = "edgepkg-secret-ed25519:";
/// The end of the name of a file with a secret key.
const EXTENSION: &str = "key";

/// A public key, written `ed25519:` and 32 bytes in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A key that signs.
pub struct Key {
    /// What its owner calls it.
    pub name: PackageName,
    secret: SigningKey,
}

/// The user's keys.
#[derive(Clone, Debug)]
pub struct Keys {
    folder: PathBuf,
}

/// Why a key cannot be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// There is none.
    #[error("there is no key `{name}`")]
    NotFound {
        /// The name.
        name: PackageName,
        /// The names there are.
        names: Vec<String>,
    },
    /// There is one already.
    #[error("there is a key `{0}` already")]
    Exists(PackageName),
    /// A text that is no key.
    #[error("`{0}` is not a public key: `ed25519:` and 44 characters of base64")]
    NotAKey(String),
    /// A file that holds none.
    #[error("`{}` does not hold a key", .0.display())]
    Malformed(PathBuf),
    /// An artifact that no signature can name.
    #[error("a model whose name or version has more than 64 bytes cannot be signed")]
    LongName,
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
    /// The system has no randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

impl KeyError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            KeyError::NotFound { names, .. } if names.is_empty() => {
                Some("`edgepkg key new NAME` makes one".to_owned())
            }
            KeyError::NotFound { names, .. } => Some(format!("your keys are {}", names.join(", "))),
            KeyError::Exists(_) => {
                Some("give the new one another name: what a lost key signed stays signed".to_owned())
            }
            KeyError::NotAKey(_) => Some("`edgepkg key export NAME` prints a public key".to_owned()),
            _ => None,
        }
    }
}

impl PublicKey {
    /// A short name: the first 16 digits of the key's SHA-256.
    pub fn id(&self) -> String {
        Digest::of(self.0.as_bytes()).hex()[..16].to_owned()
    }

    /// Whether `signature` is this key's of `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let parse = || {
            let bytes = STANDARD.decode(text.trim().strip_prefix(PREFIX)?).ok()?;
            VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok().filter(|key| !key.is_weak())
        };
        parse().map(Self).ok_or_else(|| KeyError::NotAKey(text.chars().take(100).collect()))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

impl Key {
    /// Its public part.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.secret.verifying_key())
    }

    /// Its signature of `message`, 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.secret.sign(message).to_bytes().to_vec()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("public", &self.public())
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Those in the folder of the user's configuration.
    pub fn within(configuration: &Path) -> Self {
        Self { folder: configuration.join("keys") }
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a key.
    ///
    /// # Errors
    ///
    /// When there is one of that name, or the system refuses.
    pub fn make(&self, name: &PackageName) -> Result<Key, KeyError> {
        let path = self.path(name);
        if path.exists() {
            return Err(KeyError::Exists(name.clone()));
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| KeyError::Random(error.to_string()))?;
        let key = Key { name: name.clone(), secret: SigningKey::from_bytes(&seed) };
        let text = format!("{SECRET_PREFIX}{}\n", STANDARD.encode(seed));
        let write = || {
            fs::create_dir_all(&self.folder)?;
            edgepkg_quantize::whole_file::write_private(&path, text.as_bytes())
        };
        write().map_err(|source| KeyError::Io { action: "write", path: path.clone(), source })?;
        Ok(key)
    }

    /// The key of a name.
    ///
    /// # Errors
    ///
    /// When there is none, or its file cannot be read.
    pub fn find(&self, name: &PackageName) -> Result<Key, KeyError> {
        let path = self.path(name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let names = self.names()?.iter().map(ToString::to_string).collect();
                return Err(KeyError::NotFound { name: name.clone(), names });
            }
            Err(source) => return Err(KeyError::Io { action: "read", path, source }),
        };
        let parse = || {
            let seed = STANDARD.decode(text.trim().strip_prefix(SECRET_PREFIX)?).ok()?;
            Some(SigningKey::from_bytes(&seed.try_into().ok()?))
        };
        let secret = parse().ok_or(KeyError::Malformed(path))?;
        Ok(Key { name: name.clone(), secret })
    }

    /// The names of all, sorted.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn names(&self) -> Result<Vec<PackageName>, KeyError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(KeyError::Io { action: "read", path: self.folder.clone(), source }),
        };
        let name = |path: PathBuf| {
            let is_key = path.extension().is_some_and(|extension| extension == EXTENSION);
            path.file_stem().filter(|_| is_key)?.to_str()?.parse().ok()
        };
        let mut names: Vec<PackageName> = entries.flatten().filter_map(|entry| name(entry.path())).collect();
        names.sort();
        Ok(names)
    }

    fn path(&self, name: &PackageName) -> PathBuf {
        self.folder.join(format!("{name}.{EXTENSION}"))
    }
}
