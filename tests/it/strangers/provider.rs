//! Terraform's AWS provider. It is not downloaded: it weighs 700 MB. It is looked for where Terraform itself looks (a
//! plug-in cache, the implied mirrors), and in mirrors below the folders where software is installed. The benches use this
//! file too.

use std::path::{Path, PathBuf};

const PROVIDER: &str = "registry.terraform.io/hashicorp/aws";

/// The folder of a mirror that holds the provider.
pub fn mirror() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::var_os("TF_PLUGIN_CACHE_DIR")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    // Source: Terraform CLI configuration, "Implied Local Mirror Directories".
    places.extend([
        home.join(".terraform.d/plugins"),
        home.join(".local/share/terraform/plugins"),
    ]);
    for shared in ["/usr/local/share", "/usr/share", "/usr/local/lib", "/opt"] {
        let shared = Path::new(shared);
        places.push(shared.join("terraform/plugins"));
        let inner = std::fs::read_dir(shared).into_iter().flatten().flatten();
        places.extend(inner.map(|entry| entry.path()));
    }
    places.into_iter().find(|place| place.join(PROVIDER).is_dir())
}
