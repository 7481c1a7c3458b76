//! `gol-agent`: one region of a distributed Game of Life.

mod run;

use gol_agent::bench::{self, Speed};
use gol_agent::kernel::Kernel;
use gol_agent::params::{ENVIRONMENT, KEYS, Params};
use std::process::ExitCode;

/// The board of the bench, in cells a side: 8 MiB.
const BENCH_SIDE: usize = 8192;
/// Generations a pass of the bench.
const BENCH_PASSES: [usize; 3] = [1, 8, 32];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("bench") => bench(),
        Some("help" | "--help" | "-h") => help(),
        Some("--version") => println!("gol-agent {}", env!("CARGO_PKG_VERSION")),
        Some("reference") => {
            return finish(params(arguments.into_iter().skip(1)).and_then(|params| run::reference(&params)));
        }
        _ => return finish(params(arguments.into_iter()).and_then(|params| run::agent(&params))),
    }
    ExitCode::SUCCESS
}

fn params(arguments: impl Iterator<Item = String>) -> Result<Params, run::RunError> {
    // What is not text is no parameter of ours.
    let environment =
        std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    Ok(Params::new(arguments, environment)?)
}

fn finish(result: Result<(), run::RunError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gol-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn help() {
    println!("usage: gol-agent [KEY=VALUE…]             run a region, until SIGTERM or generations=");
    println!(
        "       gol-agent reference [KEY=VALUE…]   compute the whole board alone, printing what the regions add up to"
    );
    println!("       gol-agent bench                    measure the kernels and their bounds on this core");
    println!("\nParameters, on the command line or in the environment ({ENVIRONMENT}BOARD=4x4):");
    for (key, default, meaning) in KEYS {
        println!("  {:<13}{meaning} [{default}]", format!("{key}="));
    }
}

fn bench() {
    let naive = bench::naive(BENCH_SIDE);
    println!("{:<9}{BENCH_SIDE}² torus, a byte a cell: {:26.1} Gcell/s", "loop", naive / 1e9);
    for kernel in Kernel::available() {
        let speeds = BENCH_PASSES.iter().filter_map(|generations| Speed::measure(kernel, BENCH_SIDE, *generations));
        let best = speeds.inspect(|speed| println!("{speed}")).map(|speed| speed.cells).fold(0.0, f64::max);
        println!("{:<9}{:.0} times the loop", "", best / naive);
    }
}
