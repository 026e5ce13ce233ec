//! What is said about a deployment: rows, their outcome, the verdict, and where the traffic is. Pure functions.

pub mod words;
