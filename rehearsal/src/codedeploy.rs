//! CodeDeploy: its API's verbs in [`api`], a deployment's course in [`engine`].

pub mod api;
mod ending;
pub mod engine;
mod function;
mod hook;
pub mod switches;
mod traffic;
