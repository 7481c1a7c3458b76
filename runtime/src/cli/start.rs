use super::{Command, Error, Globals};

/// Let a created container's process run
#[derive(clap::Parser)]
pub(super) struct Start {
    /// Name of the container
    id: String,
}

impl Command for Start {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        crate::launch::start(&globals.store(), &self.id, &mut globals.warn())?;
        Ok(0)
    }
}
