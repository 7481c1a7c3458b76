//! The node-wide ledger: who asks what of the node's shared settings, and what they were before anybody did.
//!
//! Interrupt masks, governors, resume latencies and real-time budgets are one for the whole node, while containers come,
//! go and are killed in any order. So nobody "writes back what he saw": each owner books *claims*, the value of each kernel
//! file is computed from all claims of live owners and the one value that was there before the first of them, and when the
//! last claim is gone that value is restored. The file is written before the kernel's files are, so that at whatever moment a
//! process is killed the next one that takes the lock puts everything right; the claims of owners that have ended are
//! dropped by it too.
//!
//! ```no_run
//! # use rtrun_hooks::{Host, ledger::{Claim, Ledger, Mode, Owner}};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ledger = Ledger::system();
//! let owner = Owner::of(&Host::system(), "flight-1", 4711)?;
//! let report = ledger.book(&owner, &[
//!     Claim::Cpus { cpus: "2-3".parse()?, mode: Mode::Exclusive },
//!     Claim::IrqsAway { cpus: "2-3".parse()?, onto: None },
//! ])?;
//! for outcome in report.failures() {
//!     eprintln!("{outcome}");
//! }
//! ledger.release(&owner)?; // or nothing: when its init ends, the next caller drops it
//! # Ok(()) }
//! ```

mod book;
mod claim;
mod error;
pub(crate) mod file;
mod owner;
mod report;
mod settle;
mod wanted;

pub use book::Entry;
pub use claim::{Claim, IrqSource, Mode};
pub use error::Error;
pub use owner::Owner;
pub use report::{Effect, Outcome, Report};

use crate::host::Host;
use book::Book;
use file::Locked;
use nix::errno::Errno;
use std::path::PathBuf;

/// Where the ledger is kept unless told otherwise.
pub const DIRECTORY: &str = "/run/rtrun/ledger";

/// The ledger of a node.
#[derive(Clone, Debug)]
pub struct Ledger {
    dir: PathBuf,
    host: Host,
}

impl Ledger {
    /// The one in [`DIRECTORY`].
    pub fn system() -> Ledger {
        Ledger::new(DIRECTORY, Host::system())
    }

    /// One in another directory, of another host's files. Nothing is made before the first booking.
    pub fn new(dir: impl Into<PathBuf>, host: Host) -> Ledger {
        Ledger { dir: dir.into(), host }
    }

    /// Adds claims to the owner's, all or none, and brings the kernel to what all claims together want. Claims that the
    /// owner has already change nothing. What the kernel refuses stays booked and stands in the report: whether that is
    /// a failure is the caller's to say, by [`Ledger::release`].
    ///
    /// # Errors
    /// [`Error::Held`] and [`Error::Governor`] when another's claim excludes one of these, [`Error::Claim`],
    /// [`Error::Owner`], and those of the file.
    pub fn book(&self, owner: &Owner, claims: &[Claim]) -> Result<Report, Error> {
        claims.iter().try_for_each(Claim::check)?;
        let claims: Vec<Claim> = claims.iter().map(|claim| claim.on(&self.host)).collect();
        if !owner.lives(&self.host) {
            return Err(Error::Owner { id: owner.id.clone(), pid: owner.pid, errno: Errno::ESRCH });
        }
        let Some(locked) = file::lock_ledger(&self.dir, true)? else { return Ok(Report::default()) };
        let before = locked.load(&self.host)?;
        let mut book = self.living(&before);
        if let Some(conflict) = book.conflict(owner, &claims) {
            self.settle(&locked, &before, book)?;
            return Err(conflict);
        }
        book.add(owner, &claims);
        self.settle(&locked, &before, book)
    }

    /// Drops all that an owner has claimed, and restores what nobody else wants. An owner without claims is no error.
    ///
    /// # Errors
    /// Those of the file.
    pub fn release(&self, owner: &Owner) -> Result<Report, Error> {
        self.change(|book| book.entries.retain(|entry| entry.owner != *owner))
    }

    /// Drops the claims of all owners that have ended, and brings the kernel to what the others want. Every other
    /// operation does so as well.
    ///
    /// # Errors
    /// Those of the file.
    pub fn reconcile(&self) -> Result<Report, Error> {
        self.change(|_| ())
    }

    /// The entries of owners that live, without waiting for the lock.
    ///
    /// # Errors
    /// Those of the file.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        Ok(self.living(&file::load(&self.dir, &self.host)?).entries)
    }

    fn change(&self, change: impl FnOnce(&mut Book)) -> Result<Report, Error> {
        let Some(locked) = file::lock_ledger(&self.dir, false)? else { return Ok(Report::default()) };
        let before = locked.load(&self.host)?;
        let mut book = self.living(&before);
        change(&mut book);
        self.settle(&locked, &before, book)
    }

    fn living(&self, book: &Book) -> Book {
        let mut book = book.clone();
        book.entries.retain(|entry| entry.owner.lives(&self.host));
        book
    }

    fn settle(&self, locked: &Locked, before: &Book, book: Book) -> Result<Report, Error> {
        settle::settle(&self.host, before, book, |book| locked.save(book))
    }
}
