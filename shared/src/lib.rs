//! The library every greenlight hook is made of, in reading order.
//!
//! `event → stage → deployment → plan → checks → report → answer`

pub mod event;
pub mod stage;

pub mod appspec;
pub mod deployment;
pub mod discovery;

pub mod document;
pub mod units;

pub mod plan_source;

pub mod check;
pub mod checks;
pub mod deadline;
pub mod plan;
pub mod ports;

pub mod report;

pub mod settings;

#[cfg(feature = "lambda")]
pub mod aws;

#[cfg(any(test, feature = "fakes"))]
pub mod fakes;
