//! The library every greenlight hook is made of, in reading order.
//!
//! `event → stage → deployment → plan → checks → report → answer`

pub mod event;
pub mod lifecycle_stage;
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
pub mod load;
pub mod plan;
pub mod ports;
pub mod questions;

pub mod redaction;
pub mod report;
pub mod run;
pub mod secret_use;

pub mod answer;
pub mod hook;
pub mod kept;
pub mod log;
mod watchdog;

pub mod settings;

#[cfg(feature = "lambda")]
pub mod aws;
#[cfg(feature = "lambda")]
pub mod http;
#[cfg(feature = "lambda")]
pub mod serve;

#[cfg(any(test, feature = "fakes"))]
pub mod fakes;

pub use self::check::Check;
pub use self::plan::Plan;
pub use self::questions::{Checks, PlanError, Questions};
#[cfg(feature = "lambda")]
pub use self::serve::{ServeError, serve};
pub use self::stage::Stage;
