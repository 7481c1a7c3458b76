//! `run`: inspect the app, take a name, write the bundle, start.

use std::fs;

use crate::agent::{Agent, Folder, Joined, Store, detach, in_foreground, now};
use crate::app::App;
use crate::bundle::{self, Decided};
use crate::cli::LaunchOptions;
use crate::error::{Error, Result};
use crate::runtime::Runtime;

/// Starts an agent; in the foreground its exit code, detached 0 and its name on standard output.
///
/// # Errors
/// Nothing is left of an agent that could not be started.
pub fn run(store: &Store, options: &LaunchOptions) -> Result<u8> {
    if let Some(folder) = &options.write_bundle {
        let (app, cpus) = (App::inspect(options)?, bundle::fit(options, &store.taken_cpus())?);
        let name = options.name.clone().unwrap_or_else(|| "agent".to_owned());
        let (netns, shared) = (Joined::path(&options.net, &name), folder.join("shared"));
        bundle::export(folder, &app, options, &Decided { name, cpus, netns, shared })?;
        return Ok(0);
    }
    if options.detach {
        let (name, _) = start(store, options)?;
        println!("{name}");
        return Ok(0);
    }
    if options.dry_run {
        print!("{}", plan(store, options, "table")?);
        return Ok(0);
    }
    let (mut agent, folder) = prepare(store, options)?;
    let done = in_foreground(&folder, &mut agent);
    folder.remove().and(done)
}

/// Starts an agent and leaves it to its supervisor; its name and folder.
///
/// # Errors
/// Nothing is left of an agent that could not be started.
pub fn start(store: &Store, options: &LaunchOptions) -> Result<(String, Folder)> {
    let (agent, folder) = prepare(store, options)?;
    match detach(&folder) {
        Ok(()) => Ok((agent.name, folder)),
        Err(error) => folder.remove().and(Err(error)),
    }
}

/// Everything before the start: app, CPUs, name, folder, bundle.
fn prepare(store: &Store, options: &LaunchOptions) -> Result<(Agent, Folder)> {
    let app = App::inspect(options)?;
    let cpus = bundle::fit(options, &store.taken_cpus())?;
    let runtime = Runtime::find(options.runtime.as_deref())?;
    let (name, folder) = store.take(options.name.as_deref(), &options.app)?;
    let agent = Agent {
        name: name.clone(),
        options: options.clone(),
        cpus: cpus.clone(),
        runtime: runtime.path().to_path_buf(),
        created: now(),
        supervisor: None,
        exit_code: None,
        restarts: 0,
    };
    let (netns, shared) = (Joined::path(&options.net, &name), folder.shared());
    let written = fs::create_dir(&shared)
        .map_err(Error::file("make", &shared))
        .and_then(|()| bundle::write(&folder.bundle(), &app, options, &Decided { name, cpus, netns, shared }))
        .and_then(|()| folder.save(&agent));
    match written {
        Ok(()) => Ok((agent, folder)),
        Err(error) => folder.remove().and(Err(error)),
    }
}

/// `rtrun plan` on the bundle that would be started, in a format of it: table or json.
///
/// # Errors
/// What would keep the agent from being started.
pub fn plan(store: &Store, options: &LaunchOptions, format: &str) -> Result<String> {
    let (agent, folder) = prepare(store, options)?;
    let planned = Runtime::find(Some(&agent.runtime))
        .and_then(|runtime| runtime.call(&["plan", "--format", format, &folder.bundle().to_string_lossy()]));
    folder.remove()?;
    Ok(String::from_utf8_lossy(&planned?.stdout).into_owned())
}
