//! Environments: `ROOT/environments/NAME.toml`, read strictly.
//!
//! The same scripts run against every environment; only this file differs. It names credentials and never holds them.

mod database;
mod document;
mod expiry;
mod model;
mod needs;
mod rules;
mod sandbox;
mod settled;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result, nearest};
use crate::value::{Map, Value};

pub use database::*;
pub use document::Document;
pub use expiry::Expiry;
pub use model::*;
pub use needs::{MASTER_PASSWORD, Need};
pub use sandbox::{Clock, Rule, RuleKind, Sandbox};

/// The directory of the environment files below the root.
const DIRECTORY: &str = "environments";

/// The nearest directory, from `start` upwards, that holds `environments/`.
pub fn find_root(start: &Path) -> Result<PathBuf> {
    let start = std::path::absolute(start)
        .map_err(|error| Error::invalid(format!("{} is no directory: {error}", start.display())))?;
    let found = start.ancestors().find(|directory| directory.join(DIRECTORY).is_dir());
    found.map(Path::to_owned).ok_or_else(|| {
        Error::invalid(format!(
            "there is no directory `{DIRECTORY}` in {} or above it",
            start.display()
        ))
        .hint("start iacsh inside a project, or make environments/sandbox.toml")
    })
}

fn merge(table: &mut toml::Table, changes: &Map) -> Result<()> {
    for (key, change) in changes {
        match (change, table.get_mut(key)) {
            (Value::Null, _) => {
                table.remove(key);
            }
            (Value::Map(changes), Some(toml::Value::Table(section))) => merge(section, changes)?,
            (Value::Map(changes), _) => {
                let mut section = toml::Table::new();
                merge(&mut section, changes)?;
                table.insert(key.clone(), section.into());
            }
            (other, _) => {
                let value = toml::Value::try_from(other.to_json())
                    .map_err(|error| Error::failed(format!("`{key}` of the environment: {error}")))?;
                table.insert(key.clone(), value);
            }
        }
    }
    Ok(())
}

impl Environment {
    /// The names of the environments of a project, sorted.
    pub fn names(root: &Path) -> Result<Vec<String>> {
        let directory = root.join(DIRECTORY);
        let entries = std::fs::read_dir(&directory)
            .map_err(|error| Error::invalid(format!("{} cannot be read: {error}", directory.display())))?;
        let mut names: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Reads and checks one. Everything that is wrong is told at once, each with its line.
    pub fn load(root: &Path, name: &str) -> Result<Self> {
        let names = Self::names(root)?;
        if !names.iter().any(|known| known == name) {
            let error = Error::invalid(format!("there is no environment `{name}`"));
            return Err(match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => error
                    .note(format!("there are: {}", names.join(", ")))
                    .hint(format!("did you mean `{near}`?")),
                None if names.is_empty() => error.hint(format!("write {DIRECTORY}/{name}.toml")),
                None => error.hint(format!("there are: {}", names.join(", "))),
            });
        }
        let shown = format!("{DIRECTORY}/{name}.toml");
        let document = Document::read(&root.join(&shown), shown)?;
        Self::from_document(&document, root, name)
    }

    /// Reads one and changes it before it is checked: what `changes` has takes the place of what the file has, a section's
    /// keys one by one, and nothing (`()`) takes a key away. For tests.
    pub fn load_changed(root: &Path, name: &str, changes: &Map) -> Result<Self> {
        let plain = Self::load(root, name)?;
        if changes.is_empty() {
            return Ok(plain);
        }
        let shown = format!("{DIRECTORY}/{name}.toml");
        let text = std::fs::read_to_string(root.join(&shown))
            .map_err(|error| Error::invalid(format!("{shown} cannot be read: {error}")))?;
        let mut table: toml::Table =
            toml::from_str(&text).map_err(|error| Error::invalid(format!("{shown}: {}", error.message())))?;
        merge(&mut table, changes)?;
        let text = toml::to_string(&table).map_err(|error| Error::failed(format!("{shown}: {error}")))?;
        let document = Document::parse(format!("{shown}, changed by the test"), text)?;
        Self::from_document(&document, root, name)
    }

    /// An environment from a text that need not be a file.
    pub fn from_document(document: &Document, root: &Path, name: &str) -> Result<Self> {
        let mut environment: Self = document.read_as(|environment| rules::check(name, environment))?;
        name.clone_into(&mut environment.name);
        root.clone_into(&mut environment.root);
        Ok(environment)
    }

    /// Whether the database is in this process: only then may a credential that is missing be made up.
    pub fn is_database_embedded(&self) -> bool {
        match self.database.target {
            DatabaseTarget::Sandbox => true,
            DatabaseTarget::Server => false,
            DatabaseTarget::Rds => self.aws.is_sandbox(),
        }
    }

    /// `PROJECT-NAME`: the beginning of the names of all resources.
    pub fn prefix(&self) -> String {
        format!("{}-{}", self.project, self.name)
    }
}

#[cfg(test)]
mod tests;
