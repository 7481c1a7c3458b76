//! One file a command.

mod docs;
mod list;
mod logs;
mod run;
pub mod stop;

pub use list::object;
pub use run::{plan, start};

use crate::agent::{Folder, Store, supervise};
use crate::cli::{Cli, Command};
use crate::error::Result;
use crate::runtime::Runtime;

/// Does what the command line asks; the exit code.
///
/// # Errors
/// See each command.
pub fn dispatch(cli: &Cli) -> Result<u8> {
    let store = Store::new();
    match (&cli.command, &cli.launch) {
        (Some(Command::Run(options)), _) => run::run(&store, options),
        (None, Some(options)) => run::run(&store, options),
        (Some(Command::Ps { json }), _) => list::ps(&store, *json),
        (Some(Command::Logs { follow, name }), _) => logs::logs(&store, name, *follow),
        (Some(Command::Stop { time, names }), _) => stop::stop(&store, names, std::time::Duration::from_secs(*time)),
        (Some(Command::Rm { force, names }), _) => stop::rm(&store, names, *force),
        (Some(Command::Inspect { json, name }), _) => inspect(&store, name, *json),
        (Some(Command::Up(options)), _) => crate::fleet::up(options),
        (Some(Command::Latency(options)), _) => crate::latency::latency(options),
        (Some(Command::Serve(options)), _) => crate::serve::serve(store, options),
        (Some(Command::Metrics), _) => {
            print!("{}", crate::metrics::merged(&store));
            Ok(0)
        }
        (Some(Command::Completions { shell }), _) => docs::completions(*shell),
        (Some(Command::Man { folder }), _) => docs::man(folder),
        (Some(Command::Supervise(of)), _) => supervise(&Folder::at(&of.folder)),
        (None, None) => Ok(2),
    }
}

/// `rtrun inspect`, by the agent's name.
fn inspect(store: &Store, name: &str, json: bool) -> Result<u8> {
    let (_, agent) = store.find(name)?;
    let mut words = vec!["inspect"];
    if json {
        words.extend(["--format", "json"]);
    }
    words.push(&agent.name);
    let output = Runtime::find(Some(&agent.runtime))?.call(&words)?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(0)
}
