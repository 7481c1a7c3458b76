//! The channel between a launching command and the child it cloned: one packet a message.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, socketpair,
};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// What one side tells the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signal {
    /// Parent: the user namespace's mappings are written.
    Mapped = b'm' as isize,
    /// Parent: the cgroups are made; carries the descriptors to enter by.
    Cgroups = b'c' as isize,
    /// Child: namespaces and mounts are made, host-side hooks and devices may come.
    Hooks = b'h' as isize,
    /// Parent: hooks have run.
    Continue = b'g' as isize,
    /// Intermediate: the init's pid in the parent's PID namespace.
    Pid = b'p' as isize,
    /// Child: all that can be done before the user's process is done.
    Ready = b'r' as isize,
    /// Parent: the container is recorded; carries [`Recorded`].
    Recorded = b'a' as isize,
    /// Child: a step failed; carries its text.
    Failed = b'e' as isize,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) signal: Signal,
    pub(crate) payload: Vec<u8>,
    pub(crate) fds: Vec<OwnedFd>,
}

impl Message {
    /// A payload that is a process ID.
    pub(crate) fn pid(&self) -> i32 {
        self.payload.as_slice().try_into().map_or(0, i32::from_ne_bytes)
    }

    /// A payload that is text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// What the child learns of itself when it is recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded {
    /// Its process ID on the host.
    pub(crate) pid: i32,
    /// The signals that it ignores, as [`crate::state::ProcessStat`] has them.
    pub(crate) ignored: u64,
}

impl Recorded {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [&self.pid.to_ne_bytes()[..], &self.ignored.to_ne_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Recorded> {
        let (pid, ignored) = bytes.split_first_chunk()?;
        Some(Recorded { pid: i32::from_ne_bytes(*pid), ignored: u64::from_ne_bytes(ignored.try_into().ok()?) })
    }
}

/// One end; close-on-exec, so that a successful execve is seen as the end of the stream.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// Longest text of a failure; more is cut.
const TEXT: usize = 4096;
/// More cgroup hierarchies than Linux has controllers.
const FDS: usize = 24;

impl Channel {
    pub(crate) fn pair() -> Result<(Channel, Channel), Errno> {
        let (a, b) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Channel(a), Channel(b)))
    }

    /// A connected socket as a channel.
    pub(crate) fn from_socket(socket: OwnedFd) -> Channel {
        Channel(socket)
    }

    /// A second descriptor of the same end.
    pub(crate) fn duplicate(&self) -> Result<Channel, Errno> {
        self.0.try_clone().map(Channel).map_err(crate::sys::errno)
    }

    pub(crate) fn send(&self, signal: Signal, payload: &[u8], fds: &[RawFd]) -> Result<(), Errno> {
        let kind = [signal as u8];
        let payload = &payload[..payload.len().min(TEXT)];
        let rights = [ControlMessage::ScmRights(fds)];
        let control: &[ControlMessage] = if fds.is_empty() { &[] } else { &rights };
        let parts = [IoSlice::new(&kind), IoSlice::new(payload)];
        loop {
            match sendmsg::<()>(self.0.as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None) {
                Err(Errno::EINTR) => {}
                other => return other.map(drop),
            }
        }
    }

    /// The next message; `None` when the other end is closed, ECONNRESET when it was closed with something unread.
    pub(crate) fn receive(&self) -> Result<Option<Message>, Errno> {
        let mut reset = false;
        let mut buffer = [0u8; TEXT + 1];
        let mut control = cmsg_space!([RawFd; FDS]);
        let (length, fds) = loop {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            match recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut control), flags) {
                Err(Errno::EINTR) => {}
                // Told once, before what the other end had still said.
                Err(Errno::ECONNRESET) if !reset => reset = true,
                Err(errno) => return Err(errno),
                Ok(received) => break (received.bytes, owned_fds(received.cmsgs()?)),
            }
        };
        let Some((&kind, payload)) = buffer[..length].split_first() else {
            return if reset { Err(Errno::ECONNRESET) } else { Ok(None) };
        };
        let signal = [
            Signal::Mapped,
            Signal::Cgroups,
            Signal::Hooks,
            Signal::Continue,
            Signal::Pid,
            Signal::Ready,
            Signal::Recorded,
            Signal::Failed,
        ]
        .into_iter()
        .find(|&signal| signal as u8 == kind)
        .ok_or(Errno::EPROTO)?;
        Ok(Some(Message { signal, payload: payload.to_vec(), fds }))
    }

    /// The parent's record of this process.
    pub(crate) fn expect_recorded(&self) -> Result<Recorded, Errno> {
        Recorded::from_bytes(&self.expect(Signal::Recorded)?.payload).ok_or(Errno::EPROTO)
    }

    /// The next message, which must be `wanted`; EPIPE when the other end is gone.
    pub(crate) fn expect(&self, wanted: Signal) -> Result<Message, Errno> {
        match self.receive()? {
            Some(message) if message.signal == wanted => Ok(message),
            Some(_) => Err(Errno::EPROTO),
            None => Err(Errno::EPIPE),
        }
    }
}

fn owned_fds<'a>(messages: impl Iterator<Item = ControlMessageOwned> + 'a) -> Vec<OwnedFd> {
    let rights = messages.filter_map(|message| match message {
        ControlMessageOwned::ScmRights(fds) => Some(fds),
        _ => None,
    });
    // SAFETY: the kernel installed these descriptors for us with this message, and nobody else has them.
    rights.flatten().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect()
}
