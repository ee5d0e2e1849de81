//! Certificates of ACM: used and never changed. Whoever owns the name asks for them; that takes minutes to hours and is
//! never a part of a run.
//!
//! Facts are from the ACM API Reference and the user guide.

mod certificate;
#[cfg(test)]
mod tests;

pub use certificate::verbs;
