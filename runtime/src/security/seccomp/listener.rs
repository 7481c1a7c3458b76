use super::Error;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, send, sendmsg};
use serde::Serialize;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The container process state of `config-linux.md`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerProcessState<'a, S> {
    oci_version: &'a str,
    fds: [&'a str; 1],
    pid: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    metadata: &'a str,
    state: &'a S,
}

/// Connects the agent's socket; before the root changes, for the path is the host's.
///
/// # Errors
/// [`Error::Connect`].
pub fn connect_listener(path: &Path) -> Result<UnixStream, Error> {
    UnixStream::connect(path).map_err(|source| Error::Connect { path: path.to_path_buf(), source })
}

/// Sends the notify descriptor with the container's state (`state`, as on the hooks' stdin). One connection carries
/// one state: the caller closes the socket afterwards.
///
/// # Errors
/// [`Error::State`], [`Error::Send`].
pub fn send_listener<S: Serialize>(
    socket: BorrowedFd,
    notify: BorrowedFd,
    oci_version: &str,
    pid: i32,
    metadata: &str,
    state: &S,
) -> Result<(), Error> {
    let message = ContainerProcessState { oci_version, fds: ["seccompFd"], pid, metadata, state };
    let text = serde_json::to_vec(&message)?;
    let descriptors = [notify.as_fd().as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let parts = [IoSlice::new(&text)];
    let sent = retry(|| sendmsg::<()>(socket.as_raw_fd(), &parts, &rights, MsgFlags::MSG_NOSIGNAL, None))?;
    // The descriptor goes with the first bytes only, whatever is left of a long text follows plainly.
    let mut rest = &text[sent..];
    while !rest.is_empty() {
        let sent = retry(|| send(socket.as_raw_fd(), rest, MsgFlags::MSG_NOSIGNAL))?;
        rest = &rest[sent..];
    }
    Ok(())
}

fn retry(mut call: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Error> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result.map_err(Error::Send),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{ControlMessageOwned, recvmsg};
    use std::io::IoSliceMut;

    #[test]
    fn the_agent_gets_state_and_descriptor() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let state = serde_json::json!({"id": "c1", "status": "creating"});
        send_listener(ours.as_fd(), file.as_fd(), "1.3.0", 42, "meta", &state).unwrap();
        let (mut text, mut control) = ([0; 512], nix::cmsg_space!([std::os::fd::RawFd; 2]));
        let mut parts = [IoSliceMut::new(&mut text)];
        let message = recvmsg::<()>(theirs.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty()).unwrap();
        let ControlMessageOwned::ScmRights(descriptors) = message.cmsgs().unwrap().next().unwrap() else {
            panic!("no descriptors")
        };
        assert_eq!(descriptors.len(), 1);
        nix::unistd::close(descriptors[0]).unwrap();
        let length = message.bytes;
        let state: serde_json::Value = serde_json::from_slice(&text[..length]).unwrap();
        let expected = serde_json::json!({"ociVersion": "1.3.0", "fds": ["seccompFd"], "pid": 42, "metadata": "meta",
            "state": {"id": "c1", "status": "creating"}});
        assert_eq!(state, expected);
    }
}
