use super::{Command, Error, Globals};

/// Delete a container that has stopped
#[derive(clap::Parser)]
pub(super) struct Delete {
    /// Kill it first if it runs; one that does not exist is no error
    #[arg(short, long)]
    force: bool,
    /// Name of the container
    id: String,
}

impl Command for Delete {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        crate::launch::delete(&globals.store(), &self.id, self.force, &mut globals.warn())?;
        Ok(0)
    }
}
