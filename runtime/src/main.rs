//! `rtrun`: arguments to command, nothing else.

fn main() {}
