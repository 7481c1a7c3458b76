//! `rtrun-conformance`: OCI cases against any list of runtimes, one table.

fn main() {}
