//! Scripts against kinds of resource that are made up: what they print, what they give, and what they say when they
//! fail.

mod errors;
mod flow;
mod preflight;
mod prompt;
mod steps;
mod unknown;
mod world;

pub use world::{run, world};
