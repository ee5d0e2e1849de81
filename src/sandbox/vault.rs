//! Encryption at rest for what the sandbox keeps.

/// Seals and opens secrets with the key of one sandbox folder.
pub struct Vault;
