use super::{Command, Error, Globals, print};

/// Print a container's state as JSON
#[derive(clap::Parser)]
pub(super) struct State {
    /// Name of the container
    id: String,
}

impl Command for State {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let state = globals.store().load(&self.id)?.oci_state()?;
        print(&format!("{}\n", serde_json::to_string_pretty(&state)?))
    }
}
