//! What an agent makes of a message: each is checked before anything of it is used.

use super::{Exchange, ExchangeError, sides};
use crate::agent::clock;
use crate::agent::measures::Refused;
use crate::halo::strip_bytes;
use crate::protocol::{DecodeError, Header, Kind, UNKNOWN_BOUND};
use crate::transport::Transport;
use std::time::Duration;

impl<T: Transport> Exchange<T> {
    /// Takes a message in.
    pub(super) fn handle(&mut self, message: &[u8]) -> Result<(), ExchangeError> {
        let (header, rest) = match Header::decode(message) {
            Ok(decoded) => decoded,
            Err(error) => {
                let why = match error {
                    DecodeError::Corrupt => Refused::Corrupt,
                    DecodeError::Foreign => Refused::Foreign,
                    DecodeError::Version(_) => Refused::Version,
                };
                self.refuse(why, 0);
                return Ok(());
            }
        };
        if header.run != self.me.run {
            self.refuse(Refused::Run, header.source);
            return Ok(());
        }
        if header.source == self.me.region {
            return self.hear_of_oneself(&header);
        }
        // With multicast, everybody hears everything.
        if header.target != self.me.region {
            return Ok(());
        }
        let Some(index) = self.peers.iter().position(|peer| peer.region == header.source) else {
            self.refuse(Refused::Stranger, header.source);
            return Ok(());
        };
        if header.kind == Kind::Refusal {
            let mine = header.generation == u64::from(self.me.instance);
            return if mine { Err(ExchangeError::Taken(self.me.region)) } else { Ok(()) };
        }
        if *self.peers[index].instance.get_or_insert(header.instance) != header.instance {
            self.refuse(Refused::Instance, header.source);
            return self.send_short(Kind::Refusal, header.source, u64::from(header.instance), 0, 0);
        }
        self.peers[index].gone = header.kind == Kind::Bye;
        match header.kind {
            Kind::Halo => self.take_halo(index, &header, rest),
            Kind::Ask => return self.answer(index, &header),
            Kind::Hello => {
                self.peers[index].start = rest.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
                // The sides of a hello say whether it wants one back.
                if let (Some(start), 1..) = (self.start, header.sides) {
                    return self.send_short(Kind::Hello, header.source, 0, 0, start);
                }
            }
            Kind::Bye => self.peers[index].done = true,
            Kind::Refusal => {}
        }
        Ok(())
    }

    fn refuse(&mut self, why: Refused, source: u32) {
        self.measures.refuse(why);
        self.notices.once(why, source);
    }

    /// A message from this region: an echo of one's own (multicast), or there are two agents; the first one stays.
    fn hear_of_oneself(&mut self, header: &Header) -> Result<(), ExchangeError> {
        if header.instance == self.me.instance {
            return Ok(());
        }
        self.refuse(Refused::Instance, header.source);
        if header.instance < self.me.instance { Err(ExchangeError::Taken(self.me.region)) } else { Ok(()) }
    }

    fn take_halo(&mut self, index: usize, header: &Header, mut rest: &[u8]) {
        let (width, height, halo) = (self.layout.width, self.layout.height, self.layout.halo);
        let lengths = sides(header.sides).map(|side| strip_bytes(side, width, height, halo));
        let peer = &self.peers[index];
        if header.sides != peer.fills || header.generation % halo as u64 != 0 || lengths.sum::<usize>() != rest.len() {
            return self.refuse(Refused::Corrupt, peer.region);
        }
        if header.generation > self.generation + halo as u64 {
            return self.refuse(Refused::Future, peer.region);
        }
        let round = self.round(header.generation);
        let late = header.generation < self.generation;
        let mut duplicate = true;
        for side in sides(header.sides) {
            let (cells, after) = rest.split_at(strip_bytes(side, width, height, halo));
            rest = after;
            let strip = if late { &mut self.last[side as usize] } else { &mut self.rounds[round][side as usize] };
            if strip.generation < Some(header.generation) {
                strip.cells.copy_from_slice(cells);
                (strip.generation, strip.inexact, strip.sent) = (Some(header.generation), header.inexact, header.sent);
                duplicate = false;
            }
        }
        match (duplicate, late) {
            (true, _) => self.refuse(Refused::Duplicate, header.source),
            (false, true) => self.refuse(Refused::Late, header.source),
            (false, false) => self.measure_latency(header),
        }
    }

    fn measure_latency(&mut self, header: &Header) {
        let latency = clock::now().saturating_sub(header.sent);
        self.measures.halo_latency.observe(Duration::from_nanos(latency));
        let bound = match (header.clock_bound, self.bound) {
            _ if header.host == self.me.host => 0.0,
            (UNKNOWN_BOUND, _) | (_, None) => f64::INFINITY,
            (theirs, Some(ours)) => (f64::from(theirs) + f64::from(ours)) / 1e6,
        };
        self.measures.latency_bound.set(bound);
    }

    /// Sends a halo again, if it is (still) there.
    fn answer(&mut self, index: usize, header: &Header) -> Result<(), ExchangeError> {
        let round = self.round(header.generation);
        if self.peers[index].messages[round].generation != Some(header.generation) {
            return Ok(());
        }
        self.measures.resent.inc();
        self.send_halo(index, round)
    }
}
