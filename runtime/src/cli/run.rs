use super::create::Creation;
use super::{Command, Error, Globals, exit_code};

/// Create and start a container, wait for its end, and delete it
#[derive(clap::Parser)]
pub(super) struct Run {
    #[command(flatten)]
    creation: Creation,
    /// Return once it has started
    #[arg(short, long)]
    detach: bool,
    /// Leave the container when its process has ended
    #[arg(long)]
    keep: bool,
    /// Accepted: the container's process is our own child
    #[arg(long)]
    no_subreaper: bool,
    /// Name of the new container
    id: String,
}

impl Command for Run {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let options = self.creation.options(self.id, globals);
        Ok(exit_code(crate::launch::run(&globals.store(), &options, self.detach, self.keep, &mut globals.warn())?))
    }
}
