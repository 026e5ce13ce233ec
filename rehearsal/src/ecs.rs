//! ECS: the service [`scheduler`], and the deployments that ECS itself carries out. Of those: the verbs of the API in [`api`],
//! the course of a deployment in [`engine`], what AWS does not document in [`switches`].

pub mod answer;
pub mod api;
mod ending;
pub mod engine;
mod event;
mod hooks;
mod rollback;
mod scale;
pub mod scheduler;
pub mod switches;
mod traffic;

pub(crate) use scale::threshold;
pub use scheduler::run;
