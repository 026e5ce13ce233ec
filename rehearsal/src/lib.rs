//! A whole ECS blue/green deployment on a laptop.
//!
//! The real hook binaries run as child processes behind a Lambda Runtime API; the AWS calls they make are answered on
//! loopback in the real wire protocols; behind them is one [`world`]. In reading order:

pub mod clock;
pub mod codedeploy;
pub mod wire;
pub mod world;
