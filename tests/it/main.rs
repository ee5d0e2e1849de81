//! The program as its users meet it: the built binary, in a project folder of its own, on the sandbox or on a foreign
//! peer. Each file is about one thing that a user does.

mod address;
mod bad_input;
mod bak;
mod calls;
mod contract;
mod contracts;
mod crash;
mod data;
mod drift;
mod dump;
mod env_diff;
mod expire;
mod faults;
mod interrupt;
#[cfg(unix)]
mod killed;
mod lock;
mod main_job;
mod moto;
mod parts;
mod peer;
mod permissions;
mod plan;
mod project;
mod rds;
mod rules;
mod runs;
mod script_tests;
mod secrets;
mod strangers;
mod tags;
mod together;
