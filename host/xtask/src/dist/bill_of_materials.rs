//! The software bill of materials: every crate that the program is made of, as CycloneDX 1.5 (ECMA-424) in JSON.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::command::{Failure, at};
use crate::workspace;

/// The package that is shipped.
const ROOT: &str = "edgepkg";

pub(super) fn of_workspace() -> Result<Vec<u8>, Failure> {
    let mut command = workspace::cargo();
    command.args(["metadata", "--format-version", "1", "--locked"]);
    let failed = || Failure::Failed { command: "cargo metadata".to_owned() };
    let output = command.output().map_err(|_| failed())?;
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|_| failed())?;
    let lock = workspace::root().join("Cargo.lock");
    let lock: toml::Table = fs::read_to_string(&lock).map_err(at(&lock))?.parse().map_err(|_| failed())?;
    let bom = bill(&metadata, &checksums(&lock)).ok_or_else(failed)?;
    serde_json::to_vec_pretty(&bom).map_err(|_| failed())
}

/// SHA-256 of each crate's archive, by name and version.
fn checksums(lock: &toml::Table) -> BTreeMap<(String, String), String> {
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let of_package = |package: &toml::Value| {
        let field = |name: &str| package.get(name)?.as_str().map(str::to_owned);
        Some(((field("name")?, field("version")?), field("checksum")?))
    };
    packages.into_iter().flatten().filter_map(of_package).collect()
}

fn bill(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> Option<Value> {
    let packages: BTreeMap<&str, &Value> = metadata["packages"]
        .as_array()?
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()?
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let root = packages.iter().find(|(_, package)| package["name"] == ROOT).map(|(id, _)| *id)?;
    let mut linked = BTreeMap::new();
    let mut todo = vec![root];
    while let Some(id) = todo.pop() {
        if linked.contains_key(id) {
            continue;
        }
        let dependencies = dependencies(nodes.get(id)?);
        todo.extend(&dependencies);
        linked.insert(id, dependencies);
    }
    let component = |id: &&str| component(packages.get(*id)?, checksums);
    let reference = |id: &&str| packages.get(*id).map(|package| purl(package));
    let components: Vec<Value> = linked.keys().filter(|id| **id != root).filter_map(component).collect();
    let dependencies: Vec<Value> = linked
        .iter()
        .map(|(id, on)| json!({ "ref": reference(id), "dependsOn": on.iter().filter_map(reference).collect::<Vec<_>>() }))
        .collect();
    Some(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": component(&root)? },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// What is linked: neither what only tests take nor what only builds take.
fn dependencies(node: &Value) -> Vec<&str> {
    let is_linked = |dependency: &&Value| {
        dependency["dep_kinds"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
    };
    let dependencies = node["deps"].as_array().into_iter().flatten();
    dependencies.filter(is_linked).filter_map(|dependency| dependency["pkg"].as_str()).collect()
}

fn component(package: &Value, checksums: &BTreeMap<(String, String), String>) -> Option<Value> {
    let text = |field: &str| package[field].as_str().unwrap_or_default().to_owned();
    let kind = if package["name"] == ROOT { "application" } else { "library" };
    let mut component = json!({
        "type": kind,
        "bom-ref": purl(package),
        "name": text("name"),
        "version": text("version"),
        "purl": purl(package),
    });
    let fields = component.as_object_mut()?;
    if let Some(license) = package["license"].as_str() {
        // Older crates write `/` for OR, which SPDX does not know.
        fields.insert("licenses".to_owned(), json!([{ "expression": license.replace('/', " OR ") }]));
    }
    if let Some(sha256) = checksums.get(&(text("name"), text("version"))) {
        fields.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": sha256 }]));
    }
    Some(component)
}

fn purl(package: &Value) -> String {
    let text = |field: &str| package[field].as_str().unwrap_or_default();
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}
