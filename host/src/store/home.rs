//! Where the store and the user's configuration are.

use std::env;
use std::path::PathBuf;

use thiserror::Error;

/// The variable that moves everything into one folder.
const VARIABLE: &str = "EDGEPKG_HOME";

/// The user's folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The store: what can be fetched again.
    pub store: PathBuf,
    /// Configuration and keys: what cannot.
    pub configuration: PathBuf,
}

/// The system does not say where a user's files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the system names no folder for this user's files")]
pub struct NoHome;

impl Home {
    /// `EDGEPKG_HOME`, else the system's folders for caches and configuration.
    ///
    /// # Errors
    ///
    /// When there is none of them.
    pub fn find() -> Result<Self, NoHome> {
        if let Some(folder) = variable(VARIABLE) {
            return Ok(Self { store: folder.join("store"), configuration: folder });
        }
        let user = env::home_dir().filter(|folder| !folder.as_os_str().is_empty());
        let user = |below: &str| Some(user.clone()?.join(below));
        let (cache, configuration) = if cfg!(windows) {
            (variable("LOCALAPPDATA"), variable("APPDATA"))
        } else if cfg!(target_os = "macos") {
            (user("Library/Caches"), user("Library/Application Support"))
        } else {
            let cache = variable("XDG_CACHE_HOME").or_else(|| user(".cache"));
            (cache, variable("XDG_CONFIG_HOME").or_else(|| user(".config")))
        };
        let (cache, configuration) = cache.zip(configuration).ok_or(NoHome)?;
        Ok(Self { store: cache.join("edgepkg/store"), configuration: configuration.join("edgepkg") })
    }

    /// What the flash of the emulated board `board` holds from command to command.
    pub fn emulated_flash(&self, board: &str) -> PathBuf {
        self.store.with_file_name("emulated").join(format!("{board}.flash"))
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
