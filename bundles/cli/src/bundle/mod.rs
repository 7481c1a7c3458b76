//! A bundle for an app: a root filesystem of mount points with the host's files bound into it, and its config.json.

mod config;
mod export;

use std::fs;
use std::path::{Path, PathBuf};

use crate::app::App;
use crate::cli::LaunchOptions;
use crate::error::{Error, Result};
use crate::host::Cpus;
use rtrun_hooks::CpuSet;

pub use export::write as export;

/// What is decided before a bundle is written.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The agent's name, the container's id and hostname.
    pub name: String,
    /// Its CPUs, where they were asked for.
    pub cpus: Option<CpuSet>,
    /// A network namespace to join, where there is one.
    pub netns: Option<PathBuf>,
    /// The host's folder that the agent may write to.
    pub shared: PathBuf,
}

/// `--cpus` and `--mem` against this machine.
///
/// # Errors
/// More than there is.
pub fn fit(options: &LaunchOptions, taken: &CpuSet) -> Result<Option<CpuSet>> {
    let cpus = options.cpus.as_deref().map(|asked| Cpus::read()?.choose(asked, taken)).transpose()?;
    if let Some(asked) = options.mem {
        let total = crate::host::memory()?;
        if asked > total {
            let mib = |bytes: u64| format!("{}Mi", bytes >> 20);
            return Err(Error::Memory { asked: mib(asked), total: mib(total) });
        }
    }
    Ok(cpus)
}

/// Writes config.json and the root filesystem into `folder`. Nothing of the app is copied: its files are bound, read-only.
///
/// # Errors
/// A file that can't be written, an option that has no meaning.
pub fn write(folder: &Path, app: &App, options: &LaunchOptions, decided: &Decided) -> Result<()> {
    let spec = config::spec(app, options, decided)?;
    let rootfs = folder.join("rootfs");
    fs::create_dir_all(&rootfs).map_err(Error::file("make", &rootfs))?;
    let config = folder.join("config.json");
    let text = serde_json::to_vec_pretty(&spec)
        .map_err(|error| Error::Malformed { path: config.clone(), problem: error.to_string() })?;
    fs::write(&config, text).map_err(Error::file("write", &config))
}
