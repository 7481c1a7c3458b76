//! `latency-agent`: how late does a thread wake? cyclictest's measurement, as an agent.
//!
//! One thread a CPU sleeps until an absolute instant, period after period, and notes by how much it was late. Nothing is
//! allocated, locked or printed by a measuring thread; what it found is printed when all have ended, in cyclictest's
//! formats, as a HdrHistogram log, and as text.

mod clock;
mod error;
mod measure;
mod options;
mod output;
mod record;
mod run;
mod system;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let options = Options::from_words(std::env::args_os());
    match run::run(&options).and_then(|run| output::write(&options, &run)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latency-agent: {error}");
            ExitCode::FAILURE
        }
    }
}
