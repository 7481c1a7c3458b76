//! The launch: what happens between a plan and a running process, in both sides of a clone.

mod console;
mod create;
mod delete;
mod error;
mod exec;
mod hooks;
mod init;
mod namespaces;
mod options;
mod process;
mod realtime;
mod run;
mod salvage;
mod start;
mod supervise;
mod sync;
mod userns;

pub use delete::{delete, kill};
pub use error::Error;
pub use exec::{Target, exec};
pub use options::{CreateOptions, ExecOptions};
pub use run::run;
pub use start::start;

use crate::state::Store;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::io::IoSlice;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// Makes a container whose init waits for [`start`].
///
/// # Errors
/// [`Error`], one variant a step; everything made is undone.
pub fn create(store: &Store, options: &CreateOptions, warn: &mut dyn FnMut(String)) -> Result<(), Error> {
    create::create(store, options, None, warn).map(drop)
}

/// Sends the init's pidfd to `--pidfd-socket`, in one message as runc does.
fn send_pidfd(path: &Path, pidfd: &OwnedFd) -> Result<(), Error> {
    let socket = console::connect_socket(path)?;
    let fds = [pidfd.as_raw_fd()];
    let parts = [IoSlice::new(b"pidfd")];
    sendmsg::<()>(socket.as_raw_fd(), &parts, &[ControlMessage::ScmRights(&fds)], MsgFlags::MSG_NOSIGNAL, None)
        .map(drop)
        .map_err(Error::Channel)
}
