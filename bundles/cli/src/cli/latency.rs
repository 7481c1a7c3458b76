//! The options of `latency`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// An A/B measurement of wake-up latency: the same agent on the bare host and in containers, in turns, under the same load.
#[derive(Args, Clone, Debug)]
pub struct LatencyOptions {
    /// Measure on the bare host, under the same policy
    #[arg(long)]
    pub host: bool,
    /// Measure in a container of rtrun, with its CPU, its policy and interrupts moved off
    #[arg(long)]
    pub container: bool,
    /// Measure in a container of another runtime, with the OCI fields alone (repeat for more)
    #[arg(long, value_name = "RUNTIME")]
    pub runtime: Vec<PathBuf>,
    /// CPUs to measure on, one thread each
    #[arg(long, value_name = "LIST", default_value = "auto")]
    pub cpus: String,
    /// Priority under SCHED_FIFO
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=90))]
    pub prio: u32,
    /// Period of each thread
    #[arg(long, default_value = "200us", value_parser = duration)]
    pub interval: Duration,
    /// Length of one measurement
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub duration: Duration,
    /// Measurements of each contender, in turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Load on all CPUs while measuring (stress-ng)
    #[arg(long, value_enum, default_value_t = Load::Cpu)]
    pub load: Load,
    /// The agent [default: latency-agent beside this program]
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,
    /// Write the report here: one HTML file, which prints as PDF
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the figures here
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// What runs beside the measurement.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Nothing
    None,
    /// Arithmetic on every CPU
    Cpu,
    /// Memory traffic and page faults on every CPU
    Memory,
    /// Files, timers, context switches and arithmetic
    Mixed,
}

impl Load {
    /// stress-ng's words, for so many CPUs.
    pub fn stressors(self, cpus: usize) -> Vec<String> {
        let words = match self {
            Load::None => String::new(),
            Load::Cpu => format!("--cpu {cpus}"),
            Load::Memory => format!("--vm {cpus} --vm-bytes 64m --fault 1"),
            Load::Mixed => format!("--cpu {cpus} --vm 1 --vm-bytes 64m --hdd 1 --hdd-bytes 16m --timer 1 --switch 1"),
        };
        words.split_whitespace().map(str::to_owned).collect()
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match rtrun_hooks::annotation::duration(text) {
        Ok(Duration::ZERO) => Err("no time at all".to_owned()),
        Ok(duration) => Ok(duration),
        Err(problem) => Err(format!("{text:?} {problem}")),
    }
}
