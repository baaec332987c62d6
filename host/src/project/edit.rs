//! Changes of a project's file that leave everything else in it as it is: comments, order, spaces.

use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, value};

use super::{Project, ProjectError, Requirement, Schema};
use edgepkg_quantize::package::PackageName;

/// A dependency to be added.
#[derive(Clone, Debug)]
pub struct NewDependency<'a> {
    /// What the project calls it.
    pub key: &'a PackageName,
    /// The package and its versions.
    pub requirement: &'a Requirement,
    /// The registry, by its name in `[registries]`.
    pub registry: Option<&'a str>,
}

/// Adds a dependency, or changes the one of that key.
///
/// # Errors
///
/// When the file cannot be written; it is then as it was.
pub fn add_dependency(project: &Project, new: &NewDependency<'_>) -> Result<(), ProjectError> {
    let mut document = document(project)?;
    let dependencies = document.entry("dependencies").or_insert_with(|| Item::Table(Table::new()));
    let Requirement { name, versions } = new.requirement;
    let item = match new.registry {
        None if name == new.key => value(versions.to_string()),
        None => value(new.requirement.to_string()),
        Some(registry) => {
            let mut table = toml_edit::InlineTable::new();
            if name != new.key {
                table.insert("package", name.as_str().into());
            }
            table.insert("version", versions.to_string().into());
            table.insert("registry", registry.into());
            value(table)
        }
    };
    if let Some(table) = dependencies.as_table_like_mut() {
        match table.get_mut(new.key.as_str()).and_then(Item::as_value_mut) {
            // What stands around the old value, a comment behind it, stays.
            Some(old) => {
                let mut changed = item.into_value().expect("made as one");
                *changed.decor_mut() = old.decor().clone();
                *old = changed;
            }
            None => {
                table.insert(new.key.as_str(), item);
            }
        }
    }
    write(&project.path(), &document)
}

/// Removes the dependency that the project calls `key`.
///
/// # Errors
///
/// When there is none, or the file cannot be written; it is then as it was.
pub fn remove_dependency(project: &Project, key: &PackageName) -> Result<(), ProjectError> {
    let mut document = document(project)?;
    let table = document.get_mut("dependencies").and_then(Item::as_table_like_mut);
    if table.and_then(|table| table.remove(key.as_str())).is_none() {
        return Err(ProjectError::NoDependency { path: project.path(), name: key.to_string() });
    }
    write(&project.path(), &document)
}

fn document(project: &Project) -> Result<DocumentMut, ProjectError> {
    project.text.parse().map_err(|error: toml_edit::TomlError| ProjectError::Syntax {
        place: Box::new(super::Place::new(&project.path(), &project.text, error.span().unwrap_or(0..0))),
        reason: error.message().to_owned(),
        nearest: None,
        expected: Vec::new(),
    })
}

fn write(path: &Path, document: &DocumentMut) -> Result<(), ProjectError> {
    let text = document.to_string();
    Schema::parse(path, &text)?;
    edgepkg_quantize::whole_file::write(path, text.as_bytes())
        .map_err(|source| ProjectError::Write { path: path.into(), source })
}
