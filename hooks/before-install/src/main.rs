//! A hook.

fn main() {}
