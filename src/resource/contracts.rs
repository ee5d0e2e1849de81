//! Contracts: what one script hands on to the others by name.

use super::engine::{Engine, Origin};
use super::handle::Handle;
use super::tags::Tags;
use crate::error::{Error, Result, nearest};
use crate::value::{Map, Value};

/// The kind whose resources are published contracts.
const CONTRACT: &str = "parameter";

/// A contract that is published.
pub struct Published {
    pub name: String,
    /// What its listing shows: `value`, `changed_at` and more.
    pub row: Map,
    pub tags: Tags,
}

impl Engine {
    /// Everything that is published, as it is now, sorted by name.
    pub async fn contracts(&self) -> Result<Vec<Published>> {
        let listing = self.list_again(CONTRACT).await?;
        let kind = self.kind(CONTRACT)?;
        let mut published: Vec<_> = listing
            .iter()
            .map(|live| Published {
                name: live.name.clone(),
                row: kind.row(live),
                tags: live.tags.clone(),
            })
            .collect();
        published.sort_by(|first, second| first.name.cmp(&second.name));
        Ok(published)
    }

    /// Publishes a contract: other scripts read it with [`Engine::lookup`].
    pub fn publish(&self, name: &str, value: Value, origin: Origin) -> Result<Handle> {
        let mut options = Map::new();
        options.insert("name".into(), Value::text(name));
        options.insert("value".into(), value);
        self.ensure(CONTRACT, Value::Map(options), origin)
    }

    /// Reads a contract: what this run publishes, else what is published. `None` when neither is.
    pub async fn find_contract(&self, name: &str) -> Result<Option<Value>> {
        let label = format!("{CONTRACT}/{name}");
        if let Some(promise) = self.ensured(&label) {
            let outputs = promise.wait().await?;
            // A plan sees what this run's `publish` would write.
            if self.is_plan()
                && let Some(Value::Map(options)) = self.asked(&label)
                && let Some(value) = options.get("value")
            {
                return Ok(Some(value.clone().resolve().await?));
            }
            return Ok(outputs.get("value").cloned());
        }
        let listing = self.listing(CONTRACT).await?;
        let kind = self.kind(CONTRACT)?;
        let live = listing.iter().find(|live| live.name == name);
        Ok(live.map(|live| kind.row(live).get("value").cloned().unwrap_or_default()))
    }

    /// Reads a contract that must be there.
    pub async fn lookup(&self, name: &str) -> Result<Value> {
        match self.find_contract(name).await? {
            Some(value) => Ok(value),
            None => {
                let listing = self.listing(CONTRACT).await?;
                let known: Vec<_> = listing.iter().map(|live| live.name.as_str()).collect();
                let error = Error::failed(format!(
                    "nothing is published as \"{name}\" in {}",
                    self.scope().environment
                ));
                Err(match nearest(name, known) {
                    Some(near) => error.hint(format!("did you mean \"{near}\"?")),
                    None => error,
                })
            }
        }
    }
}
