//! The cheapest process that Rust's standard library can be: the floor for `--version`.

fn main() {}
