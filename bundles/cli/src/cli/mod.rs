//! The command line, in one definition.

mod annotations;
mod latency;
mod launch;
mod serve;
mod table;
mod words;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use latency::{LatencyOptions, Load};
pub use launch::{Deadline, LaunchOptions, Network, Restart};
pub use serve::{Listen, ServeOptions};
pub use table::{Reader, Table, texts};
pub use words::words;

/// Starts programs in real-time containers.
///
/// Without a command, `run`: rt-container-cli --cpus 2,3 --mem 256m --sched SCHED_FIFO --app ./agent --params "key=value"
#[derive(Parser, Debug)]
#[command(name = "rt-container-cli", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
    /// `run`, where no command is given
    #[command(flatten)]
    pub launch: Option<LaunchOptions>,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Start a program in a container (the default)
    Run(Box<LaunchOptions>),
    /// List agents
    Ps {
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// What an agent has printed
    Logs {
        /// Wait for more until the agent ends
        #[arg(short, long)]
        follow: bool,
        /// Its name
        name: String,
    },
    /// End an agent: SIGTERM, then SIGKILL
    Stop {
        /// Seconds between the two signals
        #[arg(long, default_value_t = 10)]
        time: u64,
        /// Names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Remove agents that have ended, with their logs
    Rm {
        /// Kill those that run
        #[arg(short, long)]
        force: bool,
        /// Names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// What was asked for, done and read back, as rtrun tells it
    Inspect {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Its name
        name: String,
    },
    /// Run a fleet of agents from a file
    Up(UpOptions),
    /// Compare wake-up latency: bare host, rtrun, other runtimes
    Latency(LatencyOptions),
    /// Agents, fleets, plans and metrics over HTTP, and a page to watch them
    Serve(ServeOptions),
    /// Figures of the clock, of containers and of agents, as OpenMetrics
    Metrics,
    /// Completions for a shell, on standard output
    Completions {
        /// Which
        shell: clap_complete::Shell,
    },
    /// Write man pages, one a command
    Man {
        /// Into this folder
        folder: PathBuf,
    },
    /// The supervisor of a detached agent
    #[command(hide = true)]
    Supervise(Supervise),
}

/// A fleet in the foreground, or what others run it by.
#[derive(Args, Debug)]
pub struct UpOptions {
    /// The fleet, TOML
    pub file: PathBuf,
    /// Write systemd units into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "kube")]
    pub systemd: Option<PathBuf>,
    /// Print a manifest for podman kube play and Kubernetes instead
    #[arg(long)]
    pub kube: bool,
}

/// See [`Command::Supervise`].
#[derive(Args, Debug)]
pub struct Supervise {
    /// The agent's folder
    pub folder: PathBuf,
}

/// Parses the command line; ends the process on `--help` and on errors.
pub fn parse() -> Cli {
    Cli::parse()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_line_of_the_manual_parses() {
        let line =
            "rt-container-cli|--cpus|2,3|--mem|256m|--sched|SCHED_FIFO|--app|./gol-agent|--params|board=4x4 region=1";
        let launch = Cli::try_parse_from(line.split('|')).unwrap().launch.unwrap();
        assert_eq!(launch.cpus.as_deref(), Some("2,3"));
        assert_eq!(launch.mem, Some(256 << 20));
        assert_eq!(launch.params().unwrap(), ["board=4x4", "region=1"]);
    }
}
