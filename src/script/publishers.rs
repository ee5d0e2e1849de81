//! Who publishes a contract, for the error of a `lookup` that finds nothing.

use super::engine::Shared;
use super::stdlib;

impl Shared {
    /// The scripts of the project that publish the name: by a literal `publish("NAME", ...)` of their own, or by calling
    /// `ensure` of a library that has one.
    pub(super) fn publishers(&self, name: &str) -> Vec<String> {
        let folder = |folder: &str| -> Vec<(String, String)> {
            let entries = std::fs::read_dir(self.context.root.join(folder))
                .into_iter()
                .flatten()
                .flatten();
            let texts = entries.filter_map(|entry| {
                let file = entry
                    .file_name()
                    .into_string()
                    .ok()
                    .filter(|file| file.ends_with(".rhai"))?;
                Some((file, std::fs::read_to_string(entry.path()).ok()?))
            });
            texts.collect()
        };
        let publish = format!("publish(\"{name}\"");
        let own = folder("stdlib");
        let embedded = stdlib::names()
            .map(|library| {
                (
                    format!("{library}.rhai"),
                    stdlib::text(library).unwrap_or_default().to_owned(),
                )
            })
            .filter(|(file, _)| !own.iter().any(|(known, _)| known == file));
        let libraries: Vec<String> = embedded
            .chain(own.iter().cloned())
            .filter(|(_, text)| text.contains(&publish))
            .map(|(file, _)| format!("{}::ensure", file.trim_end_matches(".rhai")))
            .collect();
        let mut scripts: Vec<String> = folder("scripts")
            .into_iter()
            .filter(|(_, text)| text.contains(&publish) || libraries.iter().any(|call| text.contains(call)))
            .map(|(file, _)| format!("scripts/{file}"))
            .collect();
        scripts.sort();
        scripts
    }
}
