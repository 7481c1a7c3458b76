//! Unix sockets that a runtime sends file descriptors to.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::call::eventually;
use super::case::{OrFail, Verdict, fail};

/// Listens at `path`, ready before the runtime starts.
pub fn listen(path: &Path) -> Verdict<UnixListener> {
    let listener = UnixListener::bind(path).or_fail(format_args!("bind {}", path.display()))?;
    listener.set_nonblocking(true).or_fail("non-blocking socket")?;
    Ok(listener)
}

/// Waits up to 5 s for a connection; gives the text and the descriptors sent over it (SCM_RIGHTS, unix(7)).
pub fn receive(listener: &UnixListener, what: &str) -> Verdict<(Vec<u8>, Vec<OwnedFd>)> {
    let accept = || listener.accept().ok();
    let (stream, _) = eventually(&format!("connection for {what}"), accept)?;
    stream.set_nonblocking(false).or_fail("blocking socket")?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).or_fail("read timeout")?;
    let (mut bytes, mut fds) = (Vec::new(), Vec::new());
    loop {
        let mut buffer = [0u8; 65536];
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let mut space = cmsg_space!([std::os::fd::RawFd; 8]);
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), flags)
            .or_fail(format_args!("receive {what}"))?;
        for control in message.cmsgs().or_fail("control messages")? {
            if let ControlMessageOwned::ScmRights(received) = control {
                // SAFETY: the kernel made these descriptors for this process just now; nothing else owns them.
                fds.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        let count = message.bytes;
        bytes.extend_from_slice(&buffer[..count]);
        // One message carries the descriptor; a long text may come in several pieces until the sender closes.
        let whole = !bytes.starts_with(b"{") || serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
        if count == 0 || (!fds.is_empty() && whole) {
            break;
        }
    }
    if fds.is_empty() { fail(format!("no descriptor came with {what}")) } else { Ok((bytes, fds)) }
}
