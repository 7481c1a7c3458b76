//! `rtrun-bench`: what a container's life costs, side by side with peers in one run.

fn main() {}
