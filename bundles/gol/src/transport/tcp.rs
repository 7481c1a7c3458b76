//! Streams: one connection between two neighbours, made by the one whose region has the higher number.

use super::{MAX_POLLED, Peers, Transport, TransportError, Wait, wait_readable};
use crate::protocol::{HEADER, Header, LONGEST};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, setsockopt, socket, sockopt};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How long until a connection that failed is tried again.
const RETRY: Duration = Duration::from_millis(50);
/// Connections that have not said yet whose they are; a further one closes the oldest.
const MAX_STRANGERS: usize = 8;

/// Streams to each neighbour.
pub struct Tcp {
    region: u32,
    peers: Peers,
    wait: Wait,
    listener: TcpListener,
    links: Vec<Link>,
    strangers: Vec<Stream>,
}

/// The connection with a neighbour, and when it may be tried (again).
struct Link {
    region: u32,
    stream: Option<Stream>,
    retry: Instant,
}

/// A connection with what has come of a message and what is left of one to send.
struct Stream {
    socket: TcpStream,
    input: Vec<u8>,
    filled: usize,
    output: Vec<u8>,
}

impl Tcp {
    /// Listens at the address of `region` for those of `neighbours` with a higher number.
    pub fn new(region: u32, peers: Peers, neighbours: &[u32], wait: Wait) -> Result<Self, TransportError> {
        let address = SocketAddr::new(peers.local, peers.address(region).port());
        let failed = |what| move |error| TransportError::new(region, what, address, error);
        let listener = TcpListener::bind(address).map_err(failed("listen at TCP"))?;
        listener.set_nonblocking(true).map_err(failed("prepare the TCP listener at"))?;
        let link = |region: &u32| Link { region: *region, stream: None, retry: Instant::now() };
        let links = neighbours.iter().map(link).collect();
        Ok(Tcp { region, peers, wait, listener, links, strangers: Vec::with_capacity(MAX_STRANGERS) })
    }

    /// Connects to neighbours that this region connects to and has no connection with.
    fn connect(&mut self) {
        let now = Instant::now();
        for link in self.links.iter_mut().filter(|link| link.region < self.region) {
            if link.stream.is_none() && link.retry <= now {
                link.retry = now + RETRY;
                link.stream = begin_connect(self.peers.address(link.region)).ok();
            }
        }
    }

    /// Takes connections that neighbours made.
    fn accept(&mut self) {
        while let Ok((socket, _)) = self.listener.accept() {
            if let Ok(stream) = Stream::new(socket) {
                if self.strangers.len() == MAX_STRANGERS {
                    self.strangers.remove(0);
                }
                self.strangers.push(stream);
            }
        }
    }

    /// A whole message that has come, if any.
    fn take(&mut self, buffer: &mut [u8]) -> Option<usize> {
        for link in &mut self.links {
            match link.stream.as_mut().map(|stream| stream.take(buffer)) {
                Some(Ok(Some(length))) => return Some(length),
                Some(Ok(None)) | None => {}
                // The other side closed it, or what comes is no message.
                Some(Err(_)) => link.stream = None,
            }
        }
        let mut index = 0;
        while index < self.strangers.len() {
            match self.strangers[index].take(buffer) {
                Ok(None) => index += 1,
                Ok(Some(length)) => {
                    let stream = self.strangers.swap_remove(index);
                    let source = Header::decode(&buffer[..length]).map(|(header, _)| header.source);
                    let link = self.links.iter_mut().find(|link| Ok(link.region) == source);
                    if let Some(link) = link.filter(|link| link.stream.is_none()) {
                        link.stream = Some(stream);
                    }
                    return Some(length);
                }
                Err(_) => drop(self.strangers.swap_remove(index)),
            }
        }
        None
    }

    fn wait_readable(&self, patience: Duration) -> io::Result<()> {
        let mut descriptors = [self.listener.as_fd(); MAX_POLLED];
        let streams = self.links.iter().filter_map(|link| link.stream.as_ref()).chain(&self.strangers);
        let count =
            1 + descriptors[1..].iter_mut().zip(streams).map(|(slot, stream)| *slot = stream.socket.as_fd()).count();
        let unconnected = self.links.iter().any(|link| link.region < self.region && link.stream.is_none());
        let descriptors: &[BorrowedFd<'_>] = &descriptors[..count];
        wait_readable(descriptors, if unconnected { patience.min(RETRY) } else { patience })
    }
}

impl Transport for Tcp {
    fn send(&mut self, region: u32, message: &[u8]) -> io::Result<()> {
        self.connect();
        if let Some(link) = self.links.iter_mut().find(|link| link.region == region) {
            // A connection that breaks is a lost message: the receiver asks for it.
            if link.stream.as_mut().is_some_and(|stream| stream.send(message).is_err()) {
                link.stream = None;
            }
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<Option<usize>> {
        let end = Instant::now() + patience;
        loop {
            self.connect();
            self.accept();
            if let Some(length) = self.take(buffer) {
                return Ok(Some(length));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            match self.wait {
                Wait::Spin => std::thread::yield_now(),
                Wait::Block => self.wait_readable(left)?,
            }
        }
    }
}

/// Begins to connect without waiting for the other side.
fn begin_connect(address: SocketAddr) -> io::Result<Stream> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) | Err(nix::errno::Errno::EINPROGRESS) => Stream::new(TcpStream::from(socket)),
        Err(errno) => Err(errno.into()),
    }
}

impl Stream {
    fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
        Ok(Stream { socket, input: vec![0; LONGEST], filled: 0, output: Vec::with_capacity(LONGEST) })
    }

    /// Sends a message, or drops it while one before it is not out yet.
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(written) => drop(self.output.drain(..written)),
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        match self.socket.write(message) {
            Ok(written) => self.output.extend_from_slice(&message[written..]),
            Err(error) if would_block(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A whole message into `buffer`, if it has come.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            let wanted = match self.input[..self.filled].first_chunk::<HEADER>() {
                None => HEADER,
                Some(header) => Header::message_length(header).ok_or(ErrorKind::InvalidData)?,
            };
            if self.filled == wanted && wanted > HEADER || self.filled == HEADER && wanted == HEADER {
                buffer[..wanted].copy_from_slice(&self.input[..wanted]);
                self.filled = 0;
                return Ok(Some(wanted));
            }
            match self.socket.read(&mut self.input[self.filled..wanted]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.filled += read,
                Err(error) if would_block(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Not now; a connection that is still being made says so too.
fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::NotConnected)
}
