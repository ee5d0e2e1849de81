//! DNS: hosted zones, which are used and never changed, and in them the alias records that lead to load balancers.
//!
//! Facts are from the Route 53 API Reference. Records have no tags: one is found by its zone, its name and where it leads.

pub mod alias_record;
#[cfg(test)]
mod tests;
mod zone;

pub use zone::verbs;
