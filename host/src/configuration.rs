//! What the user says of registries and trust, and what a project adds to that.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::project::{Project, ProjectError, Trust};
use crate::registry::{self, Location, Registry, RegistryError};
use crate::store::{Home, NoHome};

/// The user's file, in the folder of the configuration.
const FILE: &str = "config.toml";
/// The registry that is asked where no other is named.
const DEFAULT: &str = "default";

/// Registries by name, and trust.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    registries: BTreeMap<String, Location>,
    /// Whose packages are let in: what the user says, then what the project says. Both must agree.
    pub trust: Vec<Trust>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfiguration {
    #[serde(default)]
    registries: BTreeMap<String, String>,
    #[serde(default)]
    trust: Trust,
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigurationError {
    /// Nothing says where it is.
    #[error(transparent)]
    Home(#[from] NoHome),
    /// The system refuses to read it.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Text that cannot be understood.
    #[error(transparent)]
    Syntax(#[from] ProjectError),
    /// A registry's place.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// No registry is named.
    #[error("no registry is named")]
    NoRegistry,
    /// A name that no registry has.
    #[error("there is no registry `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// The names there are.
        names: Vec<String>,
    },
}

impl ConfigurationError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            ConfigurationError::NoRegistry => Some(
                "add `[registries]` with `default = \"oci://HOST/PATH\"` or a folder to edgepkg.toml or to your \
                 config.toml, or give `--registry`"
                    .to_owned(),
            ),
            ConfigurationError::Unknown { names, .. } if names.is_empty() => {
                Some("name it in `[registries]`, or give its place: `oci://HOST/PATH` or `./FOLDER`".to_owned())
            }
            ConfigurationError::Unknown { names, .. } => Some(format!("the registries are {}", names.join(", "))),
            ConfigurationError::Syntax(error) => error.hint(),
            ConfigurationError::Registry(error) => error.hint(),
            ConfigurationError::Home(_) => Some("set `EDGEPKG_HOME` to a folder of yours".to_owned()),
            ConfigurationError::Read { .. } => None,
        }
    }
}

impl Configuration {
    /// The user's, with what `project` adds.
    ///
    /// # Errors
    ///
    /// When one of their files cannot be understood.
    pub fn read(home: &Home, project: Option<&Project>) -> Result<Self, ConfigurationError> {
        let mut configuration = Self::default();
        let path = home.configuration.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let raw: RawConfiguration =
                    toml::from_str(&text).map_err(|error| ProjectError::of_toml(&path, &text, &error))?;
                configuration.add(&home.configuration, &raw.registries, &raw.trust)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(ConfigurationError::Read { path, source }),
        }
        if let Some(project) = project {
            configuration.add(&project.folder, &project.schema.registries, &project.schema.trust)?;
        }
        Ok(configuration)
    }

    fn add(
        &mut self,
        folder: &Path,
        registries: &BTreeMap<String, String>,
        trust: &Trust,
    ) -> Result<(), ConfigurationError> {
        for (name, place) in registries {
            self.registries.insert(name.clone(), Location::within(folder, place)?);
        }
        self.trust.push(trust.clone());
        Ok(())
    }

    /// The registry called `name`, or in that place; the default one where none is given.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn location(&self, name: Option<&str>) -> Result<Location, ConfigurationError> {
        let Some(name) = name else {
            return self.registries.get(DEFAULT).cloned().ok_or(ConfigurationError::NoRegistry);
        };
        if let Some(location) = self.registries.get(name) {
            return Ok(location.clone());
        }
        match name.contains(['/', '\\', ':', '.']) {
            true => Ok(name.parse()?),
            false => {
                let names = self.registries.keys().cloned().collect();
                Err(ConfigurationError::Unknown { name: name.to_owned(), names })
            }
        }
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be used.
    pub fn registry(&self, name: Option<&str>) -> Result<Box<dyn Registry>, ConfigurationError> {
        Ok(registry::open(&self.location(name)?)?)
    }
}
