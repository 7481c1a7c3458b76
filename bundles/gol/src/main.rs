//! `gol-agent`: one region of a distributed Game of Life.

use gol_agent::bench::{self, Speed};
use gol_agent::kernel::Kernel;
use std::process::ExitCode;

/// The board of the bench, in cells a side: 8 MiB.
const BENCH_SIDE: usize = 8192;
/// Generations a pass of the bench.
const BENCH_PASSES: [usize; 3] = [1, 8, 32];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bench"] => bench(),
        _ => {
            eprintln!("usage: gol-agent bench");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
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
