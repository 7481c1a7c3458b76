//! `run`: inspect the app, take a name, write the bundle, start.

use crate::agent::{Agent, Folder, Joined, Store, detach, in_foreground, now};
use crate::app::App;
use crate::bundle::{self, Decided};
use crate::cli::LaunchOptions;
use crate::error::Result;
use crate::runtime::Runtime;

/// Starts an agent; in the foreground its exit code, detached 0 and its name on standard output.
///
/// # Errors
/// Nothing is left of an agent that could not be started.
pub fn run(store: &Store, options: &LaunchOptions) -> Result<u8> {
    let app = App::inspect(options)?;
    let cpus = bundle::fit(options, &store.taken_cpus())?;
    if let Some(folder) = &options.write_bundle {
        let name = options.name.clone().unwrap_or_else(|| "agent".to_owned());
        let netns = Joined::path(&options.net, &name);
        bundle::export(folder, &app, options, &Decided { name, cpus, netns })?;
        return Ok(0);
    }
    let runtime = Runtime::find(options.runtime.as_deref())?;
    let (name, folder) = store.take(options.name.as_deref(), &options.app)?;
    let netns = Joined::path(&options.net, &name);
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
    let done = bundle::write(&folder.bundle(), &app, options, &Decided { name, cpus, netns })
        .and_then(|()| folder.save(&agent))
        .and_then(|()| if options.dry_run { plan(&runtime, &folder) } else { start(&folder, agent) });
    if done.is_err() || options.dry_run || (!options.detach && !folder.log().exists()) {
        folder.remove()?;
    }
    done
}

fn start(folder: &Folder, mut agent: Agent) -> Result<u8> {
    if !agent.options.detach {
        return in_foreground(folder, &mut agent);
    }
    detach(folder)?;
    println!("{}", agent.name);
    Ok(0)
}

/// `rtrun plan` on the bundle that would be started.
fn plan(runtime: &Runtime, folder: &Folder) -> Result<u8> {
    let bundle = folder.bundle();
    let output = runtime.call(&["plan", &bundle.to_string_lossy()])?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(0)
}
