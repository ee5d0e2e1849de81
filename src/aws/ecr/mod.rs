//! ECR: the images of the project.

pub mod repository;
pub mod verbs;
