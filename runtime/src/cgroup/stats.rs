//! What a container has used, in the shape of runc's `events --stats`.

use super::{Cgroup, Error};
use serde::Serialize;

/// The `data` object of a `stats` event.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// Tasks.
    pub pids: Pids,
}

/// Tasks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pids {
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
}

pub(super) fn read(cgroup: &Cgroup) -> Result<Stats, Error> {
    let dir = cgroup.controller("pids").or_else(|| cgroup.v2_tree()).ok_or(Error::Absent("no pids"))?.directory();
    let text = super::knob::read_text(dir.join("pids.current"))?;
    Ok(Stats { pids: Pids { current: text.trim().parse().ok() } })
}
