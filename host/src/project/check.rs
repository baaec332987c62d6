//! What a project's file promises, against what is there: everything that is wrong, at once.

use std::path::{Path, PathBuf};

use edgepkg_quantize::import::ImportError;
use serde::Serialize;

use super::{Project, check_budgets, check_limits, nearest, target_isa};
use edgepkg_quantize::error_text::message;

use crate::error::Error;
use crate::model::{Importer, Model};
use crate::model_file::{FilePort, ModelFile};

/// Something in a project that is not as its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where in the file: `[model]`.
    pub table: String,
    /// What is wrong.
    pub message: String,
    /// The way out, where there is one.
    pub hint: Option<String>,
}

impl Problem {
    fn new(table: impl Into<String>, message: impl Into<String>) -> Self {
        Self { table: table.into(), message: message.into(), hint: None }
    }

    fn with_hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    fn of(table: impl Into<String>, error: &Error) -> Self {
        Self::new(table, message(error)).with_hint(error.hint())
    }
}

/// Compares the project with its files: that they are there, that the model can be read and has the inputs and
/// outputs that are described, that targets are known, and that the package, where it is made, keeps to its limits.
pub fn check(project: &Project, importer: &Importer) -> Vec<Problem> {
    let mut problems = missing_files(project);
    if problems.is_empty() {
        problems.extend(model_problems(project, importer));
    }
    problems.extend(target_problems(project));
    problems.extend(registry_problems(project));
    if problems.is_empty() {
        problems.extend(package_problems(project, importer));
    }
    problems
}

fn missing_files(project: &Project) -> Vec<Problem> {
    let schema = &project.schema;
    let mut files: Vec<(&str, &PathBuf)> = Vec::new();
    files.extend(schema.model.iter().map(|model| ("[model]", &model.file)));
    files.extend(schema.output.iter().filter_map(|port| Some(("[[output]]", port.labels_file.as_ref()?))));
    files.extend(schema.quantize.calibration.iter().map(|file| ("[quantize]", file)));
    files.extend(schema.tests.inputs.iter().chain(&schema.tests.labels).map(|file| ("[tests]", file)));
    let is_missing = |file: &Path| !project.file(file).is_file();
    let missing = files.into_iter().filter(|(_, file)| is_missing(file));
    missing
        .map(|(table, file)| Problem::new(table, format!("there is no file `{}`", file.display())))
        .collect()
}

fn model_problems(project: &Project, importer: &Importer) -> Vec<Problem> {
    if project.schema.model.is_none() {
        return Vec::new();
    }
    let read = || {
        let request = super::request(project, importer.clone())?;
        Ok(ModelFile::read(&request.model, &request.import, importer)?)
    };
    let file = match read() {
        Ok(file) => file,
        Err(error) => return vec![Problem::of("[model]", &error)],
    };
    if !file.unsupported.is_empty() {
        return vec![Problem::new(
            "[model]",
            ImportError::UnsupportedOperators(file.unsupported).to_string(),
        )];
    }
    let schema = &project.schema;
    let mut problems = Vec::new();
    if file.quantized == Some(false) && schema.quantize.calibration.is_empty() {
        let hint = "name some hundred typical inputs: `calibration = [\"samples.npy\"]`".to_owned();
        let problem =
            Problem::new("[quantize]", "the model is of floats and there are no calibration samples");
        problems.push(problem.with_hint(Some(hint)));
    }
    for (direction, tables, ports) in
        [("input", &schema.input, &file.inputs), ("output", &schema.output, &file.outputs)]
    {
        for table in tables {
            problems.extend(port_problem(direction, &table.name, ports));
        }
    }
    problems
}

fn port_problem(direction: &str, name: &str, ports: &[FilePort]) -> Option<Problem> {
    if ports.iter().any(|port| port.name == name) {
        return None;
    }
    let names: Vec<String> = ports.iter().map(|port| format!("`{}`", port.name)).collect();
    let problem = Problem::new(format!("[[{direction}]]"), format!("the model has no {direction} `{name}`"));
    Some(problem.with_hint(Some(format!("its {direction}s are {}", names.join(", ")))))
}

fn target_problems(project: &Project) -> Vec<Problem> {
    let targets = project.schema.targets.keys();
    let problem = |name: &String| {
        let error = Error::from(target_isa(name).err()?);
        Some(Problem::of(format!("[targets.{name}]"), &error))
    };
    targets.filter_map(problem).collect()
}

fn registry_problems(project: &Project) -> Vec<Problem> {
    let schema = &project.schema;
    let names = || schema.registries.keys().map(String::as_str);
    let problem = |(key, dependency): (&edgepkg_quantize::package::PackageName, &super::Dependency)| {
        let name = dependency.registry.as_deref().filter(|name| !schema.registries.contains_key(*name))?;
        let problem = Problem::new(
            "[dependencies]",
            format!("`{key}` is in the registry `{name}`, which is not named"),
        );
        let hint = match nearest(name, names()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("say where it is: `[registries]`, `{name} = \"oci://HOST/PATH\"` or a folder"),
        };
        Some(problem.with_hint(Some(hint)))
    };
    schema.dependencies.iter().filter_map(problem).collect()
}

fn package_problems(project: &Project, importer: &Importer) -> Vec<Problem> {
    if !project.package_path().is_file() {
        return Vec::new();
    }
    let package = match Model::of_project(project, importer) {
        Ok(Model::Package(package)) => package,
        Ok(Model::Artifact(_)) => return Vec::new(),
        Err(error) => return vec![Problem::of("[package]", &Error::from(error))],
    };
    let mut problems: Vec<Problem> = check_limits(project, &package.report)
        .iter()
        .map(|limit| Problem::new("[quantize]", limit.to_string()).with_hint(Some(limit.hint().to_owned())))
        .collect();
    match check_budgets(project, &package) {
        Ok(exceeded) => problems.extend(exceeded.iter().map(|limit| {
            Problem::new("[targets]", limit.to_string()).with_hint(Some(limit.hint().to_owned()))
        })),
        Err(error) => problems.push(Problem::of("[targets]", &error)),
    }
    problems
}
