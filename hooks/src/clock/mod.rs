//! The clock gate: a container that needs the time starts when the clock is good, and not before.
//!
//! The clock is the node's: a time namespace has its own MONOTONIC and BOOTTIME, but not REALTIME, so a container only
//! observes it (`time_namespaces(7)`). A [`Source`] is asked for a [`Sample`]; the [`Gate`] opens when so many samples in a
//! row are good, for every source; the samples are [`Shared`] by all that ask on the node.
//!
//! ```no_run
//! # use rtrun_hooks::{Host, annotation::Annotations, clock::{self, Gate, Shared}};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let annotations = Annotations::default();
//! if let Some(gate) = Gate::asked(&annotations.clock) {
//!     let sources = clock::open_all(&annotations.clock.sources, &clock::no_cards)?;
//!     let passage = gate.wait(&sources, &Shared::system())?;
//!     println!("{passage}");
//! }
//! # Ok(()) }
//! ```

mod adjtimex;
mod chrony;
mod gate;
mod ptp;
mod shared;
mod wire;

pub use gate::{Gate, Passage, Reading};
pub use shared::Shared;

use crate::annotation::ClockSource;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How far a clock can be trusted, from the least.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Nothing disciplines it, or nothing tells.
    Freerun,
    /// It was disciplined, and its reference has been silent since.
    Holdover,
    /// It follows its reference.
    Locked,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Freerun => "FREERUN",
            State::Holdover => "HOLDOVER",
            State::Locked => "LOCKED",
        })
    }
}

/// One look at a clock.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Sample {
    /// How far it can be trusted.
    pub state: State,
    /// System clock less reference, nanoseconds, where the source tells.
    pub offset_ns: Option<i64>,
    /// The largest error of the system clock that the source vouches for, nanoseconds.
    pub bound_ns: Option<u64>,
    /// In words, for people.
    pub detail: String,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        if let Some(bound) = self.bound_ns {
            write!(f, ", within {:?}", Duration::from_nanos(bound))?;
        }
        write!(f, " ({})", self.detail)
    }
}

/// Who can tell of a clock.
pub trait Source {
    /// As the annotation names it; sources of one name are one, for all that ask on the node.
    fn name(&self) -> String;

    /// Looks once, for not much longer than a second.
    ///
    /// # Errors
    /// Why there is no answer; the gate goes on asking.
    fn sample(&self) -> Result<Sample, String>;
}

/// Why the gate stays shut.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A card whose clock nothing here can read.
    #[error(
        "clock source {family}:{index}: nothing here reads the clock of a {family} card; use adjtimex, chrony or ptp:/dev/ptpN"
    )]
    Card {
        /// Its family.
        family: String,
        /// Its number.
        index: u32,
    },
    /// A file that is no PTP clock.
    #[error("clock source ptp:{path}: {problem}")]
    Ptp {
        /// Its node.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The clock was not good in time.
    #[error(
        "the clock was not {require} within {timeout:?}: {}; \
             org.rtrun.clock.on-timeout=warn starts the container all the same",
        gate::join(readings)
    )]
    Timeout {
        /// What was asked for.
        require: State,
        /// How long it was waited for.
        timeout: Duration,
        /// The last of each source.
        readings: Vec<Reading>,
    },
    /// The samples' file.
    #[error(transparent)]
    Shared(#[from] crate::ledger::Error),
}

/// Finds a timecode card's clock by family and number.
pub type Cards<'a> = dyn Fn(&str, u32) -> Option<Box<dyn Source>> + 'a;

/// For callers that know no cards.
pub fn no_cards(_family: &str, _index: u32) -> Option<Box<dyn Source>> {
    None
}

/// The sources of `clock.source`; the kernel's own account where none is named.
///
/// # Errors
/// [`Error::Card`], [`Error::Ptp`].
pub fn open_all(sources: &[ClockSource], cards: &Cards<'_>) -> Result<Vec<Box<dyn Source>>, Error> {
    match sources {
        [] => Ok(vec![open(&ClockSource::Adjtimex, cards)?]),
        sources => sources.iter().map(|source| open(source, cards)).collect(),
    }
}

/// A source as an annotation names it.
///
/// # Errors
/// [`Error::Card`], [`Error::Ptp`].
pub fn open(source: &ClockSource, cards: &Cards<'_>) -> Result<Box<dyn Source>, Error> {
    Ok(match source {
        ClockSource::Adjtimex => Box::new(adjtimex::Adjtimex),
        ClockSource::Chrony(socket) => Box::new(chrony::Chrony::new(socket.clone())),
        ClockSource::Ptp(path) => Box::new(ptp::Ptp::open(path)?),
        ClockSource::Card { family, index } => {
            cards(family, *index).ok_or_else(|| Error::Card { family: family.clone(), index: *index })?
        }
    })
}
