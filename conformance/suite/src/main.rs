//! `rtrun-conformance`: OCI cases against any list of runtimes, one table.
//!
//! A case is a name and a small function (`cases/`); it changes a base config (`harness::base`), drives one container
//! (`harness::Container`) and observes it from inside through busybox, from outside through `/proc` and the cgroup files.
//! Every case runs in a process, PID namespace and mount namespace of its own (`harness::isolate`), so that whatever a
//! runtime leaves running or mounted ends with it.

mod cases;
mod harness;
mod options;
mod probe;
mod report;
mod runner;

use std::process::ExitCode;

use clap::Parser;

use harness::need::Ring;
use options::{Hidden, Options};

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.hidden {
        Some(Hidden::Probe { what, args }) => probe::probe(what, args),
        Some(Hidden::Case(job)) => harness::isolate::run_job(job),
        None if options.list => list(&options),
        None => runner::run(&options),
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("rtrun-conformance: {message}");
            ExitCode::from(2)
        }
    }
}

/// Prints the cases that the filter selects, one a line: name, ring, needs.
fn list(options: &Options) -> Result<ExitCode, String> {
    for case in cases::selected(options.filter.as_deref()) {
        let ring = if case.ring() == Ring::Lab { "lab" } else { "host" };
        let needs: Vec<String> = case.needs.iter().map(|need| format!("{need:?}")).collect();
        println!("{}", format!("{:58} {ring:5} {}", case.full_name(), needs.join(", ")).trim_end());
    }
    Ok(ExitCode::SUCCESS)
}
