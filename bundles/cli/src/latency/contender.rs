//! Who is measured: the agent on the bare host, under rtrun, under another runtime.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use rtrun_hooks::CpuSet;
use serde_json::{Value, json};

use super::figures::Round;
use crate::cli::LatencyOptions;
use crate::error::{Error, Result, errno};

/// One way to run the agent.
#[derive(Debug)]
pub struct Contender {
    name: String,
    /// Program and words; the agent's own are added where they belong.
    command: Vec<OsString>,
    /// Whether the agent's words are one `--params`, fixed in a bundle, or words of the command.
    words: Words,
    /// A bundle that is removed at the end.
    bundle: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    Plain,
    Params,
    Fixed,
}

impl Contender {
    /// The bare host: the agent sets its own affinity and policy.
    pub fn host(agent: &Path) -> Contender {
        Contender { name: "host".to_owned(), command: vec![agent.into()], words: Words::Plain, bundle: None }
    }

    /// rtrun with all that it does for a real-time container.
    ///
    /// # Errors
    /// This program can't be found again.
    pub fn ours(agent: &Path, cpus: &CpuSet) -> Result<Contender> {
        let own = own()?;
        let mut command: Vec<OsString> = vec![own.into(), "run".into(), "--app".into(), agent.into()];
        for word in
            ["--name", &format!("latency-{}", std::process::id()), "--cpus", &cpus.to_string(), "--sched", "SCHED_FIFO"]
        {
            command.push(word.into());
        }
        command.extend(["--irq", "housekeeping"].map(OsString::from));
        Ok(Contender { name: "rtrun".to_owned(), command, words: Words::Params, bundle: None })
    }

    /// Another runtime on a bundle with OCI's fields: scheduler, cpuset, and the budget that RT_GROUP_SCHED wants.
    ///
    /// # Errors
    /// The bundle can't be written.
    pub fn peer(agent: &Path, cpus: &CpuSet, runtime: &Path, options: &LatencyOptions) -> Result<Contender> {
        let name = runtime.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let id = format!("latency-{name}-{}", std::process::id());
        let bundle = std::env::temp_dir().join(&id);
        let written = Command::new(own()?)
            .args(["run", "--cpus", &cpus.to_string(), "--sched", "SCHED_FIFO", "--prio", &options.prio.to_string()])
            .args(["--params", &params(options).join(" "), "--write-bundle"])
            .arg(&bundle)
            .arg("--app")
            .arg(agent)
            .output()
            .map_err(|error| Error::Start { program: "this program again".to_owned(), errno: errno(&error) })?;
        let contender = Contender {
            name,
            command: [
                runtime.into(),
                OsString::from("run"),
                "--bundle".into(),
                bundle.clone().into(),
                id.clone().into(),
            ]
            .into(),
            words: Words::Fixed,
            bundle: Some(bundle.clone()),
        };
        if !written.status.success() {
            let message = String::from_utf8_lossy(&written.stderr).trim().to_owned();
            return Err(Error::Failed { program: "run".to_owned(), what: "--write-bundle".to_owned(), message });
        }
        fit(&bundle.join("config.json"), &id)?;
        Ok(contender)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One measurement; a refusal is the contender's result, not the comparison's end.
    pub fn measure(&self, options: &LatencyOptions) -> std::result::Result<Round, String> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        let priority = options.prio.to_string();
        match self.words {
            Words::Plain => command.args(params(options)).args(["policy=fifo", &format!("prio={priority}")]),
            Words::Params => command.args(["--prio", &priority, "--params", &params(options).join(" ")]),
            Words::Fixed => &mut command,
        };
        let output = command.output().map_err(|error| format!("start {}: {}", self.name, errno(&error)))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(said.trim().lines().last().unwrap_or("it said nothing").to_owned());
        }
        Round::parse(&output.stdout)
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        if let Some(bundle) = &self.bundle {
            let _ = std::fs::remove_dir_all(bundle);
        }
    }
}

fn own() -> Result<PathBuf> {
    std::env::current_exe()
        .map_err(|error| Error::Start { program: "this program again".to_owned(), errno: errno(&error) })
}

/// The agent's words, the same for all: `/dev/cpu_dma_latency` is held by us, memory is locked where that is allowed.
fn params(options: &LatencyOptions) -> Vec<String> {
    vec![
        format!("interval={}us", options.interval.as_micros()),
        format!("duration={}ms", options.duration.as_millis()),
        "json=-".to_owned(),
        "mlock=try".to_owned(),
        "dma-latency=off".to_owned(),
        "histogram=10000".to_owned(),
    ]
}

/// What a peer needs beside OCI's defaults: a cgroup right below the root, with a budget where the kernel wants one.
fn fit(config: &Path, id: &str) -> Result<()> {
    let malformed = |problem: String| Error::Malformed { path: config.to_path_buf(), problem };
    let text = std::fs::read(config).map_err(Error::file("read", config))?;
    let mut value: Value = serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
    value["ociVersion"] = json!("1.0.2");
    value["linux"]["cgroupsPath"] = json!(format!("/{id}"));
    if ["cpu", "cpu,cpuacct"]
        .iter()
        .any(|name| Path::new("/sys/fs/cgroup").join(name).join("cpu.rt_runtime_us").exists())
    {
        value["linux"]["resources"]["cpu"]["realtimePeriod"] = json!(1_000_000);
        value["linux"]["resources"]["cpu"]["realtimeRuntime"] = json!(500_000);
    }
    std::fs::write(config, value.to_string()).map_err(Error::file("write", config))
}
