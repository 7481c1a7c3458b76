//! An agent: a program that was started under a name, with a folder of its own.
//!
//! `/run/rt-container-cli/NAME/` (below `$XDG_RUNTIME_DIR` for who is not root): `agent.json`, `bundle/`, `log`. No daemon
//! keeps it: a detached agent has one supervisor process, which waits for it, restarts it and writes down how it ended.

mod network;
mod notify;
mod store;
mod supervise;

use std::time::{SystemTime, UNIX_EPOCH};

use rtrun_hooks::CpuSet;
use serde::{Deserialize, Serialize};

use crate::cli::LaunchOptions;

pub use network::Joined;
pub use store::{Folder, Store, checked};
pub use supervise::{detach, ending, in_foreground, note_signals, supervise};

/// `agent.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Agent {
    /// Its name, and the container's id.
    pub name: String,
    /// As it was started.
    pub options: LaunchOptions,
    /// The CPUs that were asked for or picked.
    pub cpus: Option<CpuSet>,
    /// The runtime's path.
    pub runtime: std::path::PathBuf,
    /// Seconds since the epoch.
    pub created: u64,
    /// The process that waits for it, while there is one.
    pub supervisor: Option<Supervisor>,
    /// How it ended last: the program's exit code, 128 + signal, or 1 when it could not be started.
    pub exit_code: Option<u8>,
    /// How often it was started again.
    pub restarts: u32,
}

/// A process that is told from a later one with the same number by its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervisor {
    /// Process ID.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`, clock ticks since boot.
    pub start_time: u64,
}

impl Supervisor {
    /// This process.
    pub fn own() -> Option<Supervisor> {
        Supervisor::of(nix::unistd::getpid().as_raw())
    }

    fn of(pid: i32) -> Option<Supervisor> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command's name may hold spaces and brackets: count from the last one.
        let rest = stat.rsplit_once(')')?.1;
        Some(Supervisor { pid, start_time: rest.split_whitespace().nth(19)?.parse().ok()? })
    }

    /// Whether it still runs.
    pub fn is_alive(self) -> bool {
        Supervisor::of(self.pid) == Some(self)
    }
}

impl Agent {
    /// Whether somebody waits for its end.
    pub fn is_running(&self) -> bool {
        self.supervisor.is_some_and(Supervisor::is_alive)
    }
}

/// Seconds since the epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
