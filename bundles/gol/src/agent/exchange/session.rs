//! The beginning and the end of a run: agreeing when generation 0 is, and staying until no neighbour needs anything more.

use super::{Exchange, ExchangeError};
use crate::agent::clock;
use crate::protocol::Kind;
use crate::transport::Transport;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Time between two signs of life before the start.
const HELLO: Duration = Duration::from_millis(100);
/// How many times a neighbour that has not said goodbye is asked to.
const GOODBYES: usize = 50;
/// How many times goodbye is said after all have.
const LAST_GOODBYES: usize = 3;

impl<T: Transport> Exchange<T> {
    /// Agrees with the neighbours on T0: the earliest that anybody proposes, `proposal` here. Returns when it is there.
    pub fn agree(&mut self, proposal: u64, stop: &AtomicBool) -> Result<u64, ExchangeError> {
        let mut start = proposal;
        let mut hello = 0;
        while !stop.load(Relaxed) {
            start = self.peers.iter().filter_map(|peer| peer.start).fold(start, u64::min);
            let now = clock::now();
            if now >= start {
                break;
            }
            if now >= hello {
                hello = now + clock::nanos(HELLO);
                self.greet(start)?;
            }
            self.receive(Duration::from_nanos(start.min(hello).saturating_sub(now)))?;
        }
        self.start = Some(start);
        Ok(start)
    }

    /// Tells every neighbour that this region is there, and T0.
    fn greet(&mut self, start: u64) -> Result<(), ExchangeError> {
        for index in 0..self.peers.len() {
            self.send_short(Kind::Hello, self.peers[index].region, 0, u8::MAX, start)?;
        }
        Ok(())
    }

    /// Says goodbye, and with `stay` sends again what neighbours ask for until they have said it too.
    pub fn close(&mut self, generation: u64, stay: bool, retry: Duration) -> Result<(), ExchangeError> {
        let mut left = if stay { GOODBYES } else { 1 };
        while left > 0 {
            left -= 1;
            for index in 0..self.peers.len() {
                self.send_short(Kind::Bye, self.peers[index].region, generation, 0, 0)?;
            }
            if self.peers.iter().all(|peer| peer.done) {
                left = left.min(LAST_GOODBYES - 1);
                if left == 0 {
                    break;
                }
            }
            let until = clock::now() + clock::nanos(retry);
            while stay && clock::now() < until {
                let patience = Duration::from_nanos(until.saturating_sub(clock::now()));
                self.receive(patience)?;
            }
        }
        Ok(())
    }
}
