//! Fleets from YAML, offline: read, completed and refused as the API server would. Knows nothing of what is explained.

pub mod schema;
pub mod tree;

use std::path::Path;

use crds::ClassifierFleet;
use kube::core::cel::Validator;
use serde_json::Value;

use schema::Wrong;
use tree::{Place, Tree};

/// Why no fleet could be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{file} cannot be read: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no YAML.
    #[error("{file}:{place}: {message}")]
    Yaml {
        /// The file.
        file: String,
        /// Where.
        place: Place,
        /// What the parser says.
        message: String,
    },
    /// It holds no fleet.
    #[error("{file} holds no ClassifierFleet{found}")]
    NoFleet {
        /// The file.
        file: String,
        /// What it holds, in brackets.
        found: String,
    },
    /// The API server would refuse a fleet; a line for each reason, in the order of the file.
    #[error("the API server would refuse this:\n{}", .0.join("\n"))]
    Refused(Vec<String>),
}

/// The fleets in `path`, or in standard input for `-`.
///
/// # Errors
/// [`Error`], with file, line and column.
pub fn read(path: &Path) -> Result<Vec<ClassifierFleet>, Error> {
    let stdin = path.as_os_str() == "-";
    let file = if stdin { "standard input".to_owned() } else { path.display().to_string() };
    let read = if stdin { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    let text = read.map_err(|source| Error::Read { file: file.clone(), source })?;
    parse(&text, &file)
}

/// The fleets in `text`, all documents and Lists; other objects are passed over. `file`: what it is called in errors.
///
/// # Errors
/// [`Error`], with file, line and column.
pub fn parse(text: &str, file: &str) -> Result<Vec<ClassifierFleet>, Error> {
    let documents: Vec<Tree> = serde_saphyr::from_multiple(text).map_err(|error| yaml(file, &error))?;
    let objects: Vec<Tree> = documents.into_iter().flat_map(Tree::items).collect();
    let kind = |object: &Tree| object.value()["kind"].as_str().unwrap_or("an object without kind").to_owned();
    let (fleets, others): (Vec<&Tree>, Vec<&Tree>) = objects.iter().partition(|object| kind(object) == "ClassifierFleet");
    if fleets.is_empty() {
        let found: Vec<String> = others.into_iter().map(kind).collect();
        let found = if found.is_empty() { ": it is empty".to_owned() } else { format!(", but {}", found.join(", ")) };
        return Err(Error::NoFleet { file: file.to_owned(), found });
    }
    let (mut read, mut refused) = (Vec::new(), Vec::new());
    for tree in fleets {
        match admitted(&tree.value()) {
            Ok(fleet) => read.push(fleet),
            Err(mut wrongs) => {
                wrongs.sort_by_key(|wrong| tree.place(&wrong.path));
                refused.extend(wrongs.iter().map(|wrong| sentence(file, tree, wrong)));
            }
        }
    }
    if refused.is_empty() { Ok(read) } else { Err(Error::Refused(refused)) }
}

fn sentence(file: &str, tree: &Tree, Wrong { path, message }: &Wrong) -> String {
    let separator = if path.is_empty() { "" } else { ": " };
    format!("{file}:{}: {path}{separator}{message}", tree.place(path))
}

fn yaml(file: &str, error: &serde_saphyr::Error) -> Error {
    let place = error.location().map_or(Place { line: 1, column: 1 }, Place::of);
    let said = error.without_snippet().to_string();
    // The parser appends the place, which stands before the message already.
    let message = said.split(" at line ").next().unwrap_or(&said).to_owned();
    Error::Yaml { file: file.to_owned(), place, message }
}

/// The fleet that the API server would store for `object`, or all its reasons not to.
///
/// # Errors
/// What is wrong and where: by the schema, or, where that finds nothing, by the CEL rules, as the API server has it.
pub fn admitted(object: &Value) -> Result<ClassifierFleet, Vec<Wrong>> {
    let wrong = |path: &str, message: String| Wrong { path: path.to_owned(), message };
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let wanted = <ClassifierFleet as kube::Resource>::api_version(&());
    if api_version != wanted {
        return Err(vec![wrong("apiVersion", format!("must be {wanted}, not {api_version:?}"))]);
    }
    if object["metadata"]["name"].as_str().is_none_or(str::is_empty) {
        return Err(vec![wrong("metadata.name", "required value: a fleet needs a name".to_owned())]);
    }
    let schema = schema::schema();
    let completed = schema::completed(&schema, object);
    let wrongs = schema::check(&schema, &completed);
    if !wrongs.is_empty() {
        return Err(wrongs);
    }
    if let Err(errors) = Validator::new().validate(&schema, &completed, None) {
        return Err(errors.into_iter().map(|error| wrong(&error.field_path, error.message)).collect());
    }
    serde_json::from_value(completed).map_err(|error| vec![wrong("", error.to_string())])
}
