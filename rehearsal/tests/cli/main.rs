//! `rehearse` as a person types it: what it refuses, what it says when the machine is in the way, and what it leaves
//! behind, which is nothing.

mod app_specs;
mod bad_input;
mod endings;
mod machine;
mod migrations;
mod workshop;
