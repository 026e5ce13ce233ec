//! Deployment after deployment, and many at once, with the same hooks: do they stay right, and small?
//!
//! A deployment is given a [`Fate`] when it is made; what came of it is held against that. Between deployments the
//! processes of the hooks are looked at: what grows there grows in a warm function of AWS, too.

mod fate;
mod field;
mod flat;
mod judge;
mod usage;

pub use self::fate::Fate;
pub use self::field::Field;
pub use self::flat::{Course, Growth};
pub use self::judge::Judged;
pub use self::usage::{Usage, open_files};
