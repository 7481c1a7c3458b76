//! The exchange of halos with the neighbours.
//!
//! Every neighbour gets one message a round, with all the strips that it needs. Messages of two rounds are kept on both
//! sides: a neighbour is at most one round ahead, since it needs this region's halo to get further, and what it lost it
//! asks for again.

mod handle;
mod session;

use super::clock;
use super::measures::Measures;
use super::report::Notices;
use crate::board::Board;
use crate::decomposition::{Layout, Side};
use crate::halo::{pack, strip_bytes, unpack};
use crate::protocol::{HEADER, Header, Kind, LONGEST, UNKNOWN_BOUND};
use crate::transport::Transport;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Messages that are taken in before a generation's are waited for: whoever floods an agent costs it no more than these.
const HEARD_AT_ONCE: usize = 64;

/// Who an agent is to the others.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The region.
    pub region: u32,
    /// The run.
    pub run: u64,
    /// Tells agents of a region apart; the smaller one was there first.
    pub instance: u32,
    /// The host's boot.
    pub host: u32,
}

/// Why the exchange can't go on.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Strips that no datagram holds.
    #[error(
        "the halo's strips for region {region} are {bytes} bytes, a message holds {LONGEST}: choose a smaller halo= or cells="
    )]
    TooLong {
        /// The neighbour.
        region: u32,
        /// Bytes of the message.
        bytes: usize,
    },
    /// The network is gone.
    #[error("{what} region {region}: {error}")]
    Network {
        /// What was tried.
        what: &'static str,
        /// To or for which region.
        region: u32,
        /// The kernel's answer.
        error: io::Error,
    },
    /// This region has an agent already.
    #[error("region {0} is taken: another agent of this run computes it already")]
    Taken(u32),
}

/// One side's strip of a generation.
struct Strip {
    generation: Option<u64>,
    inexact: bool,
    sent: u64,
    cells: Vec<u8>,
}

/// A message to a neighbour, kept until two rounds later.
struct Message {
    generation: Option<u64>,
    inexact: bool,
    bytes: Vec<u8>,
}

/// A neighbouring region.
struct Peer {
    region: u32,
    /// Sides of this region's halo that it fills.
    fills: u8,
    /// Sides of its halo that this region fills.
    filled: u8,
    instance: Option<u32>,
    /// Not waited for: never heard of, or done.
    gone: bool,
    done: bool,
    start: Option<u64>,
    messages: [Message; 2],
}

/// The exchange of one region with its neighbours.
pub struct Exchange<T> {
    transport: T,
    layout: Layout,
    me: Identity,
    /// T0 once it is settled.
    start: Option<u64>,
    bound: Option<u32>,
    sequence: u32,
    /// The generation whose halo is wanted.
    generation: u64,
    peers: Vec<Peer>,
    /// Sides whose neighbour is this region itself.
    own: u8,
    /// Strips of this round and of the next.
    rounds: [[Strip; 8]; 2],
    /// The newest strip of each side that was used or came too late.
    last: [Strip; 8],
    buffer: Vec<u8>,
    /// What was measured.
    pub measures: Arc<Measures>,
    /// Told once each.
    pub notices: Notices,
}

/// The sides in a set, in the order of their strips in a message.
pub(super) fn sides(set: u8) -> impl Iterator<Item = Side> {
    Side::ALL.into_iter().filter(move |side| set & side.bit() != 0)
}

impl<T: Transport> Exchange<T> {
    /// Allocates all that an exchange needs.
    pub fn new(
        transport: T,
        layout: Layout,
        me: Identity,
        measures: Arc<Measures>,
        notices: Notices,
    ) -> Result<Self, ExchangeError> {
        let bytes = |side| strip_bytes(side, layout.width, layout.height, layout.halo);
        let strip = |side| Strip { generation: None, inexact: false, sent: 0, cells: vec![0; bytes(side)] };
        let (mut own, mut peers) = (0, Vec::<Peer>::new());
        for side in Side::ALL {
            match layout.neighbour(me.region, side) {
                None => {}
                Some(region) if region == me.region => own |= side.bit(),
                Some(region) => match peers.iter_mut().find(|peer| peer.region == region) {
                    Some(peer) => {
                        (peer.fills, peer.filled) = (peer.fills | side.bit(), peer.filled | side.opposite().bit())
                    }
                    None => peers.push(Peer::new(region, side)),
                },
            }
        }
        for peer in &mut peers {
            let length = HEADER + sides(peer.filled).map(bytes).sum::<usize>();
            if length > LONGEST {
                return Err(ExchangeError::TooLong { region: peer.region, bytes: length });
            }
            peer.messages.iter_mut().for_each(|message| message.bytes = vec![0; length]);
        }
        let round = || Side::ALL.map(strip);
        let bound = clock::error_bound();
        measures.latency_bound.set(if peers.is_empty() { 0.0 } else { f64::INFINITY });
        Ok(Exchange {
            transport,
            layout,
            me,
            start: None,
            bound,
            sequence: 0,
            generation: 0,
            peers,
            own,
            rounds: [round(), round()],
            last: round(),
            buffer: vec![0; LONGEST],
            measures,
            notices,
        })
    }

    /// The neighbours' regions.
    pub fn neighbours(&self) -> impl Iterator<Item = u32> + '_ {
        self.peers.iter().map(|peer| peer.region)
    }

    /// The regions on these sides, each once, in ascending order; 0 where there are fewer than eight.
    pub fn regions(&self, set: u8) -> [u32; 8] {
        let mut regions = [0; 8];
        let found = self.peers.iter().filter(|peer| peer.fills & set != 0);
        let count = regions.iter_mut().zip(found).map(|(region, peer)| *region = peer.region).count();
        regions[..count].sort_unstable();
        regions
    }

    /// Which of a generation's messages and strips these are.
    fn round(&self, generation: u64) -> usize {
        (generation / self.layout.halo as u64 % 2) as usize
    }

    /// Sends every neighbour the strips of `generation`.
    pub fn post(&mut self, board: &Board, generation: u64, inexact: bool) -> Result<(), ExchangeError> {
        self.generation = generation;
        let round = self.round(generation);
        let Layout { width, height, halo, .. } = self.layout;
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            let message = &mut peer.messages[round];
            (message.generation, message.inexact) = (Some(generation), inexact);
            let mut rest = &mut message.bytes[HEADER..];
            for side in sides(peer.filled) {
                let (strip, after) = rest.split_at_mut(strip_bytes(side, width, height, halo));
                pack(board, side.opposite(), strip);
                rest = after;
            }
            self.send_halo(index, round)?;
        }
        Ok(())
    }

    fn send_halo(&mut self, index: usize, round: usize) -> Result<(), ExchangeError> {
        let peer = &self.peers[index];
        let message = &peer.messages[round];
        let mut header = self.header(Kind::Halo, peer.region, message.generation.unwrap_or(0), peer.filled);
        header.inexact = message.inexact;
        self.sequence = header.sequence;
        let peer = &mut self.peers[index];
        let bytes = &mut peer.messages[round].bytes;
        header.encode(bytes);
        let failed = |error| ExchangeError::Network { what: "send a halo to", region: peer.region, error };
        self.transport.send(peer.region, bytes).map_err(failed)
    }

    fn header(&self, kind: Kind, target: u32, generation: u64, sides: u8) -> Header {
        Header {
            kind,
            inexact: false,
            sides,
            run: self.me.run,
            generation,
            sent: clock::now(),
            source: self.me.region,
            target,
            instance: self.me.instance,
            sequence: self.sequence.wrapping_add(1),
            host: self.me.host,
            clock_bound: self.bound.unwrap_or(UNKNOWN_BOUND),
        }
    }

    /// Sends a message without cells; `word` follows the header.
    fn send_short(
        &mut self,
        kind: Kind,
        target: u32,
        generation: u64,
        sides: u8,
        word: u64,
    ) -> Result<(), ExchangeError> {
        let header = self.header(kind, target, generation, sides);
        self.sequence = header.sequence;
        let mut message = [0; HEADER + 8];
        message[HEADER..].copy_from_slice(&word.to_le_bytes());
        header.encode(&mut message);
        let failed = |error| ExchangeError::Network { what: "send to", region: target, error };
        self.transport.send(target, &message).map_err(failed)
    }

    /// Sides whose neighbours are not given up.
    pub fn present(&self) -> u8 {
        self.peers.iter().filter(|peer| !peer.gone).fold(0, |set, peer| set | peer.fills)
    }

    /// Gives up neighbours that have never been heard of, until they are. Returns the sides of those given up now.
    pub fn give_up_silent(&mut self) -> u8 {
        let silent = self.peers.iter_mut().filter(|peer| !peer.gone && peer.instance.is_none());
        silent.fold(0, |set, peer| {
            peer.gone = true;
            set | peer.fills
        })
    }

    /// Sides that a neighbour fills.
    pub fn all(&self) -> u8 {
        self.peers.iter().fold(0, |set, peer| set | peer.fills)
    }

    /// Sides out of `wanted` of which the strip of the generation has not come.
    pub fn missing(&self, wanted: u8) -> u8 {
        let round = &self.rounds[self.round(self.generation)];
        let there = |side: Side| round[side as usize].generation == Some(self.generation);
        sides(wanted).filter(|side| !there(*side)).fold(0, |set, side| set | side.bit())
    }

    /// Receives until the strips on `wanted` sides are there, or CLOCK_REALTIME is `until`; what is missing then.
    pub fn collect(&mut self, wanted: u8, until: u64) -> Result<u8, ExchangeError> {
        loop {
            let missing = self.missing(wanted);
            let left = until.saturating_sub(clock::now());
            if missing == 0 || left == 0 {
                return Ok(missing);
            }
            if !self.receive(Duration::from_nanos(left))? {
                return Ok(self.missing(wanted));
            }
        }
    }

    /// Takes in what has come already, from neighbours that nobody waits for too.
    pub fn hear(&mut self) -> Result<(), ExchangeError> {
        for _ in 0..HEARD_AT_ONCE {
            if !self.receive(Duration::ZERO)? {
                break;
            }
        }
        Ok(())
    }

    /// Receives and handles a message; `false` when none came.
    pub fn receive(&mut self, patience: Duration) -> Result<bool, ExchangeError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let received = self.transport.receive(&mut buffer, patience);
        let failed = |error| ExchangeError::Network { what: "receive for", region: self.me.region, error };
        let handled = match received.map_err(failed)? {
            Some(length) => self.handle(&buffer[..length]).map(|()| true),
            None => Ok(false),
        };
        self.buffer = buffer;
        handled
    }

    /// Asks the neighbours for the strips on `missing` sides.
    pub fn ask(&mut self, missing: u8) -> Result<(), ExchangeError> {
        for index in 0..self.peers.len() {
            let Peer { region, fills, .. } = self.peers[index];
            if fills & missing != 0 {
                self.measures.asked.inc();
                self.send_short(Kind::Ask, region, self.generation, fills & missing, 0)?;
            }
        }
        Ok(())
    }

    /// Puts the strips of the generation into the halo; those in `missing` from the last ones, if there were any. Returns
    /// the sides whose cells are not certainly right.
    pub fn fill(&mut self, board: &mut Board, missing: u8) -> u8 {
        let round = self.round(self.generation);
        let mut wrong = missing;
        for side in sides(self.own) {
            let strip = &mut self.last[side as usize].cells;
            pack(board, side.opposite(), strip);
        }
        let (mut oldest, mut newest) = (u64::MAX, 0);
        for side in sides(self.all()) {
            let index = side as usize;
            if missing & side.bit() == 0 {
                let strip = &mut self.rounds[round][index];
                wrong |= if strip.inexact { side.bit() } else { 0 };
                (oldest, newest) = (oldest.min(strip.sent), newest.max(strip.sent));
                std::mem::swap(strip, &mut self.last[index]);
            } else if self.last[index].generation.is_some() {
                self.measures.reused.inc();
            }
        }
        if newest > 0 {
            self.measures.barrier_skew.observe(Duration::from_nanos(newest - oldest));
        }
        for side in sides(self.all() | self.own) {
            unpack(board, side, &self.last[side as usize].cells);
        }
        wrong
    }
}

impl Peer {
    fn new(region: u32, side: Side) -> Self {
        let message = || Message { generation: None, inexact: false, bytes: Vec::new() };
        Peer {
            region,
            fills: side.bit(),
            filled: side.opposite().bit(),
            instance: None,
            gone: false,
            done: false,
            start: None,
            messages: [message(), message()],
        }
    }
}
