use super::{Command, Error, Globals};
use crate::launch::CreateOptions;
use std::path::PathBuf;

/// Make a container; its process waits for `start`
#[derive(clap::Parser)]
pub(super) struct Create {
    #[command(flatten)]
    creation: Creation,
    /// Accepted: create never makes itself a subreaper
    #[arg(long)]
    no_subreaper: bool,
    /// Name of the new container
    id: String,
}

/// What `create` and `run` share.
#[derive(clap::Args)]
pub(super) struct Creation {
    /// The bundle's folder
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// Read this file in place of the bundle's config.json
    #[arg(short = 'f', long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    handles: Handles,
    /// Move the root over / instead of pivoting; for a root on a ramdisk
    #[arg(long)]
    no_pivot: bool,
    /// Accepted: no session keyring is ever made
    #[arg(long)]
    no_new_keyring: bool,
}

/// What the callers of `create`, `run` and `exec` hold of the new process.
#[derive(clap::Args)]
pub(super) struct Handles {
    /// Unix socket that is sent the terminal's master
    #[arg(long, value_name = "SOCKET")]
    pub(super) console_socket: Option<PathBuf>,
    /// Unix socket that is sent a pidfd of the process
    #[arg(long, value_name = "SOCKET")]
    pub(super) pidfd_socket: Option<PathBuf>,
    /// File to write the process's ID to
    #[arg(long, value_name = "FILE")]
    pub(super) pid_file: Option<PathBuf>,
    /// Number of descriptors after standard error to pass on
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) preserve_fds: u32,
}

impl Creation {
    /// The library's options.
    pub(super) fn options(self, id: String, globals: &Globals) -> CreateOptions {
        CreateOptions {
            id,
            bundle: self.bundle,
            config: self.config,
            console_socket: self.handles.console_socket,
            pid_file: self.handles.pid_file,
            pidfd_socket: self.handles.pidfd_socket,
            no_pivot: self.no_pivot,
            preserve_fds: self.handles.preserve_fds,
            manager: globals.manager,
            rootless: globals.is_rootless(),
        }
    }
}

impl Command for Create {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        crate::launch::create(&globals.store(), &self.creation.options(self.id, globals), &mut globals.warn())?;
        Ok(0)
    }
}
