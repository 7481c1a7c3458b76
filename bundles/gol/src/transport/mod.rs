//! How messages get from agent to agent: datagrams to one or to a group, or streams. Any may lose, repeat and reorder them.

mod faulty;
mod tcp;
mod udp;

pub use faulty::{Faults, FaultsError, Faulty};
pub use tcp::Tcp;
pub use udp::{Multicast, Udp};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Carries messages between regions.
pub trait Transport {
    /// Sends a message to a region, or drops it when it can't be sent at once.
    fn send(&mut self, region: u32, message: &[u8]) -> io::Result<()>;

    /// Receives a message into `buffer`, waiting up to `patience`; `None` when none came or a signal did.
    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<Option<usize>>;
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn send(&mut self, region: u32, message: &[u8]) -> io::Result<()> {
        (**self).send(region, message)
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<Option<usize>> {
        (**self).receive(buffer, patience)
    }
}

/// How an agent waits for a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// Sleeps in the kernel.
    #[default]
    Block,
    /// Asks again and again, letting others of its priority run: a wake-up's latency saved, for an agent with a CPU to itself.
    Spin,
}

/// Where the agents of a run are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers {
    /// The address to bind, and that of regions which `known` does not hold.
    pub local: IpAddr,
    /// A region's port is this plus its number.
    pub base: u16,
    /// Addresses of regions elsewhere.
    pub known: BTreeMap<u32, SocketAddr>,
}

impl Peers {
    /// A region's address.
    pub fn address(&self, region: u32) -> SocketAddr {
        let default = || SocketAddr::new(self.local, self.port(region));
        self.known.get(&region).copied().unwrap_or_else(default)
    }

    /// A region's port, where no other is given.
    pub fn port(&self, region: u32) -> u16 {
        self.base.wrapping_add(region as u16)
    }
}

/// Why an agent can't be reached.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Another process has the port: most likely an agent of the same region.
    #[error("region {region}: {address} is in use: does another agent run region {region}? Else choose another port=")]
    InUse {
        /// The region.
        region: u32,
        /// The address.
        address: SocketAddr,
    },
    /// Any other refusal.
    #[error("region {region}: {what} {address}: {error}")]
    Socket {
        /// The region.
        region: u32,
        /// What was tried.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// The kernel's answer.
        error: io::Error,
    },
}

impl TransportError {
    fn new(region: u32, what: &'static str, address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => TransportError::InUse { region, address },
            _ => TransportError::Socket { region, what, address, error },
        }
    }
}

/// Waits until a descriptor can be read, or `patience` is over; a signal ends the wait early.
fn wait_readable(descriptors: &[BorrowedFd<'_>], patience: Duration) -> io::Result<()> {
    let mut polled = [const { None }; MAX_POLLED];
    for (slot, descriptor) in polled.iter_mut().zip(descriptors) {
        *slot = Some(PollFd::new(*descriptor, PollFlags::POLLIN));
    }
    let mut polled: [PollFd<'_>; MAX_POLLED] =
        polled.map(|slot| slot.unwrap_or(PollFd::new(descriptors[0], PollFlags::empty())));
    match ppoll(&mut polled[..descriptors.len().min(MAX_POLLED)], Some(TimeSpec::from(patience)), None) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// A listener, eight neighbours, and connections that have not said yet whose they are.
const MAX_POLLED: usize = 32;
