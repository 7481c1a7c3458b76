use super::table::{Format, columns};
use super::{Command, Error, Globals, print};
use crate::state::OciState;

/// List the containers of this root
#[derive(clap::Parser)]
pub(super) struct List {
    /// How to print them
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Names only
    #[arg(short, long)]
    quiet: bool,
}

impl Command for List {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let containers = globals.store().list()?;
        let (states, unseen): (Vec<_>, Vec<_>) =
            containers.into_iter().map(|container| container?.oci_state()).partition(Result::is_ok);
        self.show(states.into_iter().flatten().collect())?;
        // One that can't be read hides no other, and a list that lacks it is no success.
        unseen.into_iter().find_map(Result::err).map_or(Ok(0), |error| Err(error.into()))
    }
}

impl List {
    fn show(&self, states: Vec<OciState>) -> Result<u8, Error> {
        if self.quiet {
            return print(&states.iter().map(|state| format!("{}\n", state.id)).collect::<String>());
        }
        match self.format {
            Format::Json => print(&format!("{}\n", serde_json::to_string(&states)?)),
            Format::Table => {
                let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(String::from)];
                rows.extend(states.into_iter().map(|state| {
                    [
                        state.id,
                        state.pid.to_string(),
                        state.status.to_string(),
                        state.bundle.display().to_string(),
                        state.created,
                        if state.owner.is_empty() { "root".into() } else { state.owner },
                    ]
                }));
                print(&columns(&rows))
            }
        }
    }
}
