//! The library every greenlight hook is made of, in reading order.
//!
//! `event → stage → deployment → plan → checks → report → answer`

pub mod appspec;
pub mod check;
pub mod deadline;
pub mod deployment;
pub mod document;
pub mod ports;
pub mod stage;
pub mod units;

#[cfg(any(test, feature = "fakes"))]
pub mod fakes;
