//! A transport that loses, repeats, reorders and damages what is sent through it, the same way for the same seed.

use super::Transport;
use std::io;
use std::str::FromStr;
use std::time::Duration;

/// Shares of messages (0 to 1) that something happens to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Never sent.
    pub loss: f64,
    /// Sent twice.
    pub duplicate: f64,
    /// Sent after the message that follows.
    pub reorder: f64,
    /// Sent with one bit changed.
    pub corrupt: f64,
    /// Begins the sequence of faults.
    pub seed: u64,
}

/// What is wrong with the text of faults.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "faults: `{0}`: give loss:SHARE, duplicate:SHARE, reorder:SHARE, corrupt:SHARE (each 0 to 1), seed:NUMBER, with commas"
)]
pub struct FaultsError(String);

impl FromStr for Faults {
    type Err = FaultsError;

    /// `loss:0.1,duplicate:0.05,seed:7`
    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Faults::default();
        for part in text.split(',') {
            let error = || FaultsError(part.into());
            let (name, value) = part.split_once(':').ok_or_else(error)?;
            if name == "seed" {
                faults.seed = value.parse().map_err(|_| error())?;
                continue;
            }
            let share: f64 = value.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(error)?;
            match name {
                "loss" => faults.loss = share,
                "duplicate" => faults.duplicate = share,
                "reorder" => faults.reorder = share,
                "corrupt" => faults.corrupt = share,
                _ => return Err(error()),
            }
        }
        Ok(faults)
    }
}

/// A transport with faults in what it sends.
pub struct Faulty<T> {
    inner: T,
    faults: Faults,
    state: u64,
    held: Option<(u32, Vec<u8>)>,
}

impl<T: Transport> Faulty<T> {
    /// Puts faults into `inner`.
    pub fn new(inner: T, faults: Faults) -> Self {
        Faulty { inner, faults, state: faults.seed, held: None }
    }

    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(1);
        crate::board::mix(self.state)
    }

    fn happens(&mut self, share: f64) -> bool {
        // 53 bits are a float's precision
        (self.random() >> 11) as f64 / ((1u64 << 53) as f64) < share
    }
}

impl<T: Transport> Transport for Faulty<T> {
    fn send(&mut self, region: u32, message: &[u8]) -> io::Result<()> {
        let Faults { loss, duplicate, reorder, corrupt, .. } = self.faults;
        if self.happens(loss) {
            return Ok(());
        }
        let mut message = message.to_vec();
        if self.happens(corrupt) {
            let bit = self.random() as usize % (message.len() * 8);
            message[bit / 8] ^= 1 << (bit % 8);
        }
        if self.held.is_none() && self.happens(reorder) {
            self.held = Some((region, message));
            return Ok(());
        }
        self.inner.send(region, &message)?;
        if self.happens(duplicate) {
            self.inner.send(region, &message)?;
        }
        self.held.take().map_or(Ok(()), |(region, held)| self.inner.send(region, &held))
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<Option<usize>> {
        self.inner.receive(buffer, patience)
    }
}
