//! Requests to the kernel's rtnetlink, `rtnetlink(7)`: one message, its answer, nothing kept.

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

const HEADER: usize = 16;
const MULTIPART_END: u16 = libc::NLMSG_DONE as u16;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const ACK: u16 = libc::NLM_F_ACK as u16;
const DUMP: u16 = libc::NLM_F_DUMP as u16;

/// A message being written: header, fixed part, attributes.
pub(super) struct Request(Vec<u8>);

impl Request {
    /// Of this type, with the fixed structure that belongs to it.
    pub(super) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Request {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(REQUEST | flags).to_ne_bytes());
        bytes.extend(fixed);
        Request(bytes)
    }

    /// Adds an attribute.
    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Request {
        self.0.extend((value.len() as u16 + 4).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn finish(mut self, flags: u16) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        let flags = u16::from_ne_bytes([self.0[6], self.0[7]]) | flags;
        self.0[6..8].copy_from_slice(&flags.to_ne_bytes());
        self.0
    }
}

/// A socket in one network namespace.
pub(super) struct Socket(OwnedFd);

impl Socket {
    /// In the calling thread's namespace.
    pub(super) fn here() -> Result<Socket, Errno> {
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Socket(socket))
    }

    /// In another namespace. A thread of its own enters it and ends, so that nothing else ever runs there.
    pub(super) fn inside(namespace: BorrowedFd) -> Result<Socket, Errno> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(namespace, CloneFlags::CLONE_NEWNET)?;
                Socket::here()
            });
            thread.join().unwrap_or(Err(Errno::ECHILD))
        })
    }

    /// Sends a change and waits for the kernel's word on it.
    pub(super) fn change(&self, request: Request) -> Result<(), Errno> {
        self.exchange(&request.finish(ACK), |_, _| {})
    }

    /// Asks for all objects; `each` gets type and payload of each.
    pub(super) fn dump(&self, request: Request, each: impl FnMut(u16, &[u8])) -> Result<(), Errno> {
        self.exchange(&request.finish(DUMP), each)
    }

    fn exchange(&self, request: &[u8], mut each: impl FnMut(u16, &[u8])) -> Result<(), Errno> {
        send(self.0.as_raw_fd(), request, MsgFlags::empty())?;
        // The kernel fills at most 32 KiB at a time.
        let mut buffer = vec![0; 1 << 15];
        loop {
            let length = match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                length => length?,
            };
            let mut rest = &buffer[..length];
            while let Some((kind, payload, next)) = message(rest) {
                match kind {
                    MULTIPART_END => return Ok(()),
                    ERROR => return status(payload),
                    _ => each(kind, payload),
                }
                rest = next;
            }
        }
    }
}

/// Type and payload of the first message, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let header = bytes.get(..HEADER)?;
    let length = u32::from_ne_bytes(header[0..4].try_into().ok()?) as usize;
    let payload = bytes.get(HEADER..length)?;
    let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((u16::from_ne_bytes([header[4], header[5]]), payload, next))
}

/// `struct nlmsgerr`: 0 or a negative errno first.
fn status(payload: &[u8]) -> Result<(), Errno> {
    let errno = payload.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(-libc::EBADMSG, i32::from_ne_bytes);
    if errno == 0 { Ok(()) } else { Err(Errno::from_raw(-errno)) }
}

/// The attributes behind a fixed part of `fixed` bytes.
pub(super) fn attributes(payload: &[u8], fixed: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = payload.get(fixed..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?) & libc::NLA_TYPE_MASK as u16;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}
