//! ECR: the images of the project.

pub mod repository;
#[cfg(test)]
mod tests;
pub mod verbs;
