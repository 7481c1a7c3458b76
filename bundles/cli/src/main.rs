//! `rt-container-cli`: a program, not a bundle, in a real-time container.
//!
//! The way of a launch: options → app (what is it, what does it need) → agent (a bundle in a folder of its own) → `rtrun`.

mod agent;
mod app;
mod bundle;
mod cli;
mod commands;
mod error;
mod fleet;
mod host;
mod image;
mod latency;
mod metrics;
mod runtime;
mod serve;

use std::process::ExitCode;

fn main() -> ExitCode {
    match commands::dispatch(&cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("rt-container-cli: {error}");
            ExitCode::FAILURE
        }
    }
}
