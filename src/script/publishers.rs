//! Who publishes a contract, for the error of a `lookup` that finds nothing.

use super::contracts::Contracts;
use super::engine::Shared;

impl Shared {
    /// The scripts of the project that publish the name.
    pub(super) fn publishers(&self, name: &str) -> Vec<String> {
        Contracts::read(&self.context.root).publishers(name)
    }
}
