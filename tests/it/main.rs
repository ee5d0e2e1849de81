//! The program as its users meet it: the built binary, in a project folder of its own, on the sandbox or on a foreign
//! peer. Each file is about one thing that a user does.

mod address;
mod bad_input;
mod bak;
mod contract;
mod contracts;
mod drift;
mod env_diff;
mod expire;
mod main_job;
mod moto;
mod parts;
mod peer;
mod project;
mod rds;
mod rules;
mod script_tests;
mod secrets;
mod strangers;
mod tags;
mod together;
