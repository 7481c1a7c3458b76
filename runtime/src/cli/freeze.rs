use super::{Command, Error, Globals, container_cgroup};
use crate::state::Status;

/// Freeze all processes of a container
#[derive(clap::Parser)]
pub(super) struct Pause {
    /// Name of the container
    id: String,
}

/// Thaw a paused container
#[derive(clap::Parser)]
pub(super) struct Resume {
    /// Name of the container
    id: String,
}

impl Command for Pause {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let container = globals.store().lock(&self.id)?;
        match container.status()? {
            Status::Created | Status::Running => container_cgroup(&container)?.freeze()?,
            status => {
                return Err(Error::Status { id: self.id, status, action: "pause", wanted: "container not running" });
            }
        }
        Ok(0)
    }
}

impl Command for Resume {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let container = globals.store().lock(&self.id)?;
        let cgroup = container_cgroup(&container)?;
        // A parked init may have been frozen too, and is created all the same: ask the cgroup.
        if !cgroup.frozen()? {
            let status = container.status()?;
            return Err(Error::Status { id: self.id, status, action: "resume", wanted: "container not paused" });
        }
        cgroup.thaw()?;
        Ok(0)
    }
}
