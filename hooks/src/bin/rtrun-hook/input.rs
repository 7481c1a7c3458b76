//! What a hook is told: the state on its standard input, and the bundle's configuration.

use rtrun_hooks::CpuSet;
use rtrun_hooks::annotation::{self, Annotations};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The state, as far as it matters here.
#[derive(Debug, Deserialize)]
struct State {
    id: String,
    status: String,
    #[serde(default)]
    pid: i32,
    bundle: PathBuf,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// The configuration, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    process: Option<Process>,
    linux: Option<Linux>,
}

#[derive(Debug, Deserialize)]
struct Process {
    scheduler: Option<Scheduler>,
}

#[derive(Debug, Deserialize)]
struct Scheduler {
    priority: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Linux {
    resources: Option<Resources>,
}

#[derive(Debug, Deserialize)]
struct Resources {
    cpu: Option<Cpu>,
}

#[derive(Debug, Deserialize)]
struct Cpu {
    #[serde(default)]
    cpus: String,
}

/// A container at the moment of a hook.
#[derive(Debug)]
pub struct Input {
    state: State,
}

/// What the container asks for.
#[derive(Debug)]
pub struct Wish {
    /// Its annotations.
    pub annotations: Annotations,
    /// The CPUs it is to run on.
    pub cpus: Option<CpuSet>,
    /// Its real-time priority.
    pub priority: Option<u32>,
}

impl Input {
    /// Reads the state.
    pub fn read(mut from: impl Read) -> Result<Input, String> {
        let mut text = Vec::new();
        from.read_to_end(&mut text).map_err(|error| format!("reading the state from standard input: {error}"))?;
        let state = serde_json::from_slice(&text).map_err(|error| {
            format!("standard input is no container's state ({error}); a runtime calls this as a hook")
        })?;
        Ok(Input { state })
    }

    /// The container's name.
    pub fn id(&self) -> &str {
        &self.state.id
    }

    /// pid of its init, as this process sees it.
    pub fn pid(&self) -> i32 {
        self.state.pid
    }

    /// Whether this is poststop.
    pub fn has_ended(&self) -> bool {
        self.state.status == "stopped"
    }

    /// What it asks for, nothing when it is a pod's sandbox. The configuration's annotations count; runtimes pass them on
    /// in the state, some of them not all.
    pub fn wish(&self) -> Result<Option<Wish>, String> {
        let config = self.config()?;
        let mut annotations = self.state.annotations.clone();
        annotations.extend(config.annotations);
        if annotation::is_sandbox(&annotations) || !Annotations::any(&annotations) {
            return Ok(None);
        }
        let annotations = Annotations::parse(&annotations).map_err(|error| error.to_string())?;
        let listed = config.linux.and_then(|linux| linux.resources?.cpu).map(|cpu| cpu.cpus).unwrap_or_default();
        let listed = CpuSet::parse(&listed).map_err(|error| format!("linux.resources.cpu.cpus: {error}"))?;
        let cpus = annotations.cpus.clone().or_else(|| (!listed.is_empty()).then_some(listed));
        let scheduler = config.process.and_then(|process| process.scheduler?.priority).filter(|priority| *priority > 0);
        let priority = annotations.sched.priority.or(scheduler);
        Ok(Some(Wish { annotations, cpus, priority }))
    }

    fn config(&self) -> Result<Config, String> {
        let path: &Path = &self.state.bundle.join("config.json");
        let text = std::fs::read(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}
