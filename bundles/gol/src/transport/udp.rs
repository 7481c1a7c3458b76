//! Datagrams: to a neighbour's own address, or all to one multicast group.

use super::{Peers, Transport, TransportError, Wait, wait_readable};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, IpMembershipRequest, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// What the kernel may hold for an agent that is computing: two rounds of the largest messages from eight neighbours.
const RECEIVE_BUFFER: usize = 2 * 8 * 65_536;

/// Datagrams to each neighbour's address.
pub struct Udp {
    socket: UdpSocket,
    peers: Peers,
    wait: Wait,
}

impl Udp {
    /// Binds the address of `region`.
    pub fn new(region: u32, peers: Peers, wait: Wait) -> Result<Self, TransportError> {
        let address = SocketAddr::new(peers.local, peers.address(region).port());
        let failed = |what| move |error| TransportError::new(region, what, address, error);
        let socket = UdpSocket::bind(address).map_err(failed("bind UDP"))?;
        prepare(&socket).map_err(failed("prepare the UDP socket at"))?;
        Ok(Udp { socket, peers, wait })
    }
}

impl Transport for Udp {
    fn send(&mut self, region: u32, message: &[u8]) -> io::Result<()> {
        let address = self.peers.address(region);
        or_dropped(self.socket.send_to(message, address))
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<Option<usize>> {
        receive(&self.socket, buffer, patience, self.wait)
    }
}

/// Datagrams to a group that every agent has joined; each takes what is addressed to its region.
pub struct Multicast {
    socket: UdpSocket,
    group: SocketAddr,
    wait: Wait,
}

impl Multicast {
    /// Joins `group` on the interface that has the address `interface` (unspecified: the kernel's choice).
    pub fn new(region: u32, group: SocketAddrV4, interface: Ipv4Addr, wait: Wait) -> Result<Self, TransportError> {
        let address = SocketAddr::V4(group);
        let failed = |what| move |errno: Errno| TransportError::new(region, what, address, errno.into());
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket =
            socket(AddressFamily::Inet, SockType::Datagram, flags, None).map_err(failed("open a UDP socket for"))?;
        // Every agent on a host binds the group's port.
        setsockopt(&socket, sockopt::ReuseAddr, &true).map_err(failed("share the port of"))?;
        bind(socket.as_raw_fd(), &SockaddrStorage::from(address)).map_err(failed("bind the multicast group"))?;
        let membership = IpMembershipRequest::new(*group.ip(), Some(interface));
        setsockopt(&socket, sockopt::IpAddMembership, &membership).map_err(failed("join the multicast group"))?;
        if !interface.is_unspecified() {
            let interface = nix::libc::in_addr { s_addr: u32::from_ne_bytes(interface.octets()) };
            set_multicast_interface(&socket, interface).map_err(failed("choose the interface for"))?;
        }
        let socket = UdpSocket::from(socket);
        prepare(&socket).map_err(|error| TransportError::new(region, "prepare the UDP socket at", address, error))?;
        Ok(Multicast { socket, group: address, wait })
    }
}

/// `IP_MULTICAST_IF` (ip(7)), which nix has no option for.
fn set_multicast_interface(socket: &impl AsFd, interface: nix::libc::in_addr) -> nix::Result<()> {
    let length = size_of::<nix::libc::in_addr>() as nix::libc::socklen_t;
    let (level, option) = (nix::libc::IPPROTO_IP, nix::libc::IP_MULTICAST_IF);
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: the option's value is an in_addr of the length given, which lives through the call
    let result = unsafe { nix::libc::setsockopt(descriptor, level, option, (&raw const interface).cast(), length) };
    Errno::result(result).map(drop)
}

impl Transport for Multicast {
    fn send(&mut self, _region: u32, message: &[u8]) -> io::Result<()> {
        or_dropped(self.socket.send_to(message, self.group))
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<Option<usize>> {
        receive(&self.socket, buffer, patience, self.wait)
    }
}

/// Never waits in the socket's calls, and has room for what comes while the agent computes.
fn prepare(socket: &UdpSocket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    // The kernel takes what net.core.rmem_max allows, which is enough for all but the widest halos.
    setsockopt(socket, sockopt::RcvBuf, &RECEIVE_BUFFER).map_err(io::Error::from)
}

/// A datagram that finds no room, no route, no listener, a cut cable or a firewall is a lost one: the receiver asks for it.
fn or_dropped(sent: io::Result<usize>) -> io::Result<()> {
    let lost = [
        Errno::EAGAIN,
        Errno::EINTR,
        Errno::ENOBUFS,
        Errno::ECONNREFUSED,
        Errno::EHOSTUNREACH,
        Errno::ENETUNREACH,
        Errno::ENETDOWN,
        Errno::EPERM,
    ];
    match sent {
        Err(error) if !lost.iter().any(|errno| error.raw_os_error() == Some(*errno as i32)) => Err(error),
        _ => Ok(()),
    }
}

fn receive(socket: &UdpSocket, buffer: &mut [u8], patience: Duration, wait: Wait) -> io::Result<Option<usize>> {
    let begin = Instant::now();
    let mut waited = false;
    loop {
        match socket.recv(buffer) {
            Ok(length) => return Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if wait == Wait::Spin && begin.elapsed() < patience => std::thread::yield_now(),
            Err(_) if wait == Wait::Block && !waited && !patience.is_zero() => {
                wait_readable(&[socket.as_fd()], patience)?;
                waited = true;
            }
            Err(_) => return Ok(None),
        }
    }
}
