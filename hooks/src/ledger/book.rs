//! What the ledger remembers, and the rules by which claims exclude each other. No I/O.

use super::{Claim, Error, Mode, Owner};
use crate::knob::{Target, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The form of the file; another form is another number.
pub(super) const VERSION: u32 = 1;

/// One owner's claims.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Whose.
    pub owner: Owner,
    /// What, sorted, each once.
    pub claims: Vec<Claim>,
}

/// The value that a kernel file had before the first entry that changes it.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub(crate) struct Original {
    pub value: Value,
    /// What the target was then (an interrupt's action): a number that the kernel has given to another device since has
    /// nothing to restore.
    pub identity: String,
    /// What was last written, of a setting that goes on answering with what was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Value>,
}

/// The whole ledger.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Book {
    pub version: u32,
    /// Of which boot; after another one nothing of it holds.
    pub boot: String,
    pub entries: Vec<Entry>,
    #[serde(with = "pairs")]
    pub originals: BTreeMap<Target, Original>,
}

impl Book {
    pub(super) fn new(boot: String) -> Book {
        Book { version: VERSION, boot, ..Book::default() }
    }

    /// The first claim that another owner's excludes. A CPU has one governor whoever asks, the owner himself too.
    pub(super) fn conflict(&self, owner: &Owner, claims: &[Claim]) -> Option<Error> {
        let concerns = |entry: &Entry, mine: &Claim| entry.owner != *owner || matches!(mine, Claim::Governor { .. });
        let against = |mine| {
            let entries = self.entries.iter().filter(move |entry| concerns(entry, mine));
            entries.flat_map(|entry| entry.claims.iter().map(|theirs| (theirs, &entry.owner)))
        };
        claims.iter().find_map(|mine| against(mine).find_map(|(theirs, holder)| excludes(mine, theirs, holder)))
    }

    /// Adds claims to an owner's; those it has already stay one.
    pub(super) fn add(&mut self, owner: &Owner, claims: &[Claim]) {
        let at = self.entries.iter().position(|entry| entry.owner == *owner).unwrap_or_else(|| {
            self.entries.push(Entry { owner: owner.clone(), claims: Vec::new() });
            self.entries.len() - 1
        });
        let entry = &mut self.entries[at];
        entry.claims.extend_from_slice(claims);
        entry.claims.sort();
        entry.claims.dedup();
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.entries.iter().flat_map(|entry| &entry.claims)
    }
}

/// Why `mine` can't be while `theirs` is.
fn excludes(mine: &Claim, theirs: &Claim, holder: &Owner) -> Option<Error> {
    let held = |what: String, mode: Mode| Error::Held { what, mode, holder: holder.id.clone(), pid: holder.pid };
    match (mine, theirs) {
        (Claim::Cpus { cpus, mode }, Claim::Cpus { cpus: other, mode: held_as }) => {
            let both = cpus.and(other);
            let shared = *mode == Mode::Shared && *held_as == Mode::Shared;
            (!both.is_empty() && !shared).then(|| held(format!("CPUs {both}"), *held_as))
        }
        (Claim::Device { name, mode }, Claim::Device { name: other, mode: held_as }) => {
            let shared = *mode == Mode::Shared && *held_as == Mode::Shared;
            (name == other && !shared).then(|| held(format!("device {name}"), *held_as))
        }
        (Claim::Governor { cpus, governor }, Claim::Governor { cpus: other, governor: held_as }) => {
            let both = cpus.and(other);
            (!both.is_empty() && governor != held_as).then(|| Error::Governor {
                cpus: both,
                governor: held_as.clone(),
                holder: holder.id.clone(),
                pid: holder.pid,
            })
        }
        _ => None,
    }
}

/// A map whose keys are no strings, as a list of pairs.
mod pairs {
    use super::{BTreeMap, Original, Target};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<Target, Original>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Target, Original>, D::Error> {
        Vec::<(Target, Original)>::deserialize(from).map(|pairs| pairs.into_iter().collect())
    }
}
