//! `rtrun-hook`: what `rtrun` does for its containers, as OCI hooks for any other runtime.
//!
//! A hook is called with the container's state on standard input (runtime-spec, `runtime.md`, State): as `createRuntime` or
//! `prestart` it does its work, as `poststop` it undoes it. Which of them is seen by the state's status.

mod clock_sync;
mod input;
mod irq_affinity;

use clap::{Args, Parser, Subcommand};
use input::Input;
use rtrun_hooks::Host;
use rtrun_hooks::clock::Shared;
use rtrun_hooks::ledger::{self, Ledger};
use std::path::PathBuf;
use std::process::ExitCode;

/// OCI hooks that prepare the node for a real-time container.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    node: Node,
    #[command(subcommand)]
    hook: Hook,
}

/// Where the node is.
#[derive(Args, Debug)]
struct Node {
    /// Directory of the node-wide ledger
    #[arg(long, value_name = "DIR", default_value = ledger::DIRECTORY)]
    ledger: PathBuf,
    /// Where the host's /proc and /sys are mounted, for a caller in a container
    #[arg(long, value_name = "DIR", default_value = "/")]
    host: PathBuf,
}

impl Node {
    fn host(&self) -> Host {
        Host::below(&self.host)
    }

    fn ledger(&self) -> Ledger {
        Ledger::new(&self.ledger, self.host())
    }

    fn clock_samples(&self) -> Shared {
        Shared::new(&self.ledger, self.host())
    }
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Hook {
    /// Move interrupts off the container's CPUs, and its devices' onto them (org.rtrun.irq.*)
    IrqAffinity,
    /// Wait until the clock is good (org.rtrun.clock.*)
    ClockSync,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("rtrun-hook: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), String> {
    let input = Input::read(std::io::stdin())?;
    let result = match cli.hook {
        Hook::IrqAffinity => irq_affinity::run(&cli.node, &input),
        Hook::ClockSync => clock_sync::run(&cli.node, &input),
    };
    result.map_err(|problem| format!("container {}: {problem}", input.id()))
}
