//! A folder that is for one run only.

use std::path::{Path, PathBuf};

/// The folder of a sandbox that goes with this value: the environment's own sandbox stays as it is. It is made by whoever
/// writes into it.
pub struct Folder(PathBuf);

impl Folder {
    /// One among the temporary files that nobody else has. `what` is for people who look there.
    pub fn new(what: &str) -> Self {
        let name = format!("iacsh-{what}-{}", uuid::Uuid::new_v4().simple());
        Self(std::env::temp_dir().join(name))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be deleted is a few hundred kilobytes among the temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
