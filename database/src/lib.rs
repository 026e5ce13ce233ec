//! How greenlight's hooks reach a database, PostgreSQL or MySQL: where it is and who we are there, over which roots it is
//! trusted, one connection that is bounded in time, and what its errors mean. What is done with the connection is the hooks'.

pub mod connection;
pub mod engine;
pub mod fault;
pub mod halt;
pub mod locate;
pub mod login;
pub mod mysql;
pub mod postgres;

pub use self::engine::Engine;
pub use self::halt::Halt;
