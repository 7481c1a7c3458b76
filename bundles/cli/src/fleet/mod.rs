//! Fleets: several agents from one file, released together.
//!
//! Each table `[[agent]]` has the options of `run` by their names, so that there is one definition of them.

mod health;
mod kube;
mod order;
mod read;
mod start;
mod systemd;
mod up;

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{LaunchOptions, UpOptions};
use crate::error::Result;

pub use read::parse;

/// A fleet file, read and checked.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Its name, which the agents' names begin with.
    pub name: String,
    /// When generation, period or cycle 0 of every agent begins.
    pub start: Option<start::Start>,
    /// In an order in which each comes after those that it names.
    pub members: Vec<Member>,
}

/// One agent of a fleet.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name in the file.
    pub name: String,
    /// As `run` has them.
    pub options: LaunchOptions,
    /// Members that must run first.
    pub after: Vec<String>,
    /// What is asked of it while it runs.
    pub health: Option<Health>,
    /// For `--kube`.
    pub image: Option<String>,
}

/// When a member counts as ill: it is killed then, and its restart policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Longest age of the metrics that it publishes.
    pub heartbeat: Option<Duration>,
    /// Most deadline misses in each time of `every`.
    pub max_misses: Option<u64>,
    /// How often it is looked at.
    pub every: Duration,
}

/// `up`: run the fleet, or write what systemd or Kubernetes run it by.
///
/// # Errors
/// The file is malformed, an agent can't be started; those that were started are stopped then.
pub fn up(options: &UpOptions) -> Result<u8> {
    let fleet = read::fleet(&options.file)?;
    match (&options.systemd, options.kube) {
        (Some(folder), _) => systemd::write(&fleet, folder),
        (None, true) => kube::print(&fleet),
        (None, false) => up::up(&fleet),
    }
}

impl Fleet {
    /// The name under which a member runs.
    pub fn agent_name(&self, member: &Member) -> String {
        format!("{}-{}", self.name, member.name)
    }
}

/// Where an agent finds the folder that it shares with its supervisor, and publishes its metrics.
pub const SHARED: &str = "/run/agent";
/// Its metrics in there, OpenMetrics.
pub const METRICS: &str = "metrics.prom";

/// The same folder on the host.
pub fn metrics_file(agent: &crate::agent::Folder) -> PathBuf {
    agent.shared().join(METRICS)
}
