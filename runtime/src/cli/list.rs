use super::table::{Format, columns};
use super::{Command, Error, Globals, print};

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
        let states: Vec<_> = globals.store().list()?.iter().map(|container| container.oci_state()).collect();
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
