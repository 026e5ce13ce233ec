//! A whole ECS blue/green deployment on a laptop.
//!
//! The real hook binaries run as child processes behind a Lambda Runtime API; the AWS calls they make are answered on
//! loopback in the real wire protocols; behind them is one [`world`]. In reading order:

pub mod alb;
pub mod appspec;
pub mod cells;
pub mod certificates;
pub mod clock;
pub mod cloudformation;
pub mod cloudwatch;
pub mod codedeploy;
pub mod conversion;
mod cut;
pub mod database;
mod database_certificate;
pub mod ecs;
pub mod endurance;
pub mod iam;
pub mod lambda;
pub mod ledger;
pub mod mariadb;
pub mod meddling;
pub mod mutants;
pub mod outcome;
pub mod people;
pub mod postgres;
pub mod process;
pub mod rds_gate;
pub mod reaper;
pub mod rehearsal;
pub mod scenario;
pub mod served_plan;
pub mod setup;
pub mod tasks;
pub mod text_file;
pub mod traffic;
pub mod transcript;
mod wildcards;
pub mod wire;
pub mod world;
