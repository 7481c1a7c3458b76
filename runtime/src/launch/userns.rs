//! The mappings of a new user namespace, written by the parent.

use crate::spec::{IdMapping, Linux};
use nix::unistd::{Pid, geteuid};
use std::fs;
use std::io;
use std::process::Command;

/// Why a mapping was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused the map.
    #[error("{field}: writing `{map}` to {path}: {error}")]
    Write {
        /// Field of the configuration.
        field: &'static str,
        /// What was written.
        map: String,
        /// Where.
        path: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// The set-user-ID helper is missing.
    #[error("{field}: running {helper}: {error}; several mappings without privilege need Debian's package uidmap")]
    Helper {
        /// Field of the configuration.
        field: &'static str,
        /// `newuidmap` or `newgidmap`.
        helper: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// The helper refused.
    #[error("{field}: {helper} refused: {message}; see /etc/subuid and /etc/subgid")]
    Refused {
        /// Field of the configuration.
        field: &'static str,
        /// `newuidmap` or `newgidmap`.
        helper: &'static str,
        /// What it said.
        message: String,
    },
}

/// Writes both maps of `pid`: directly as root, or for one's own single ID; through `newuidmap(1)` otherwise.
pub(crate) fn write_maps(pid: Pid, linux: &Linux) -> Result<(), Error> {
    let (uids, gids) = (&linux.uid_mappings, &linux.gid_mappings);
    if geteuid().is_root() {
        write(pid, "linux.gidMappings", "gid_map", gids)?;
        return write(pid, "linux.uidMappings", "uid_map", uids);
    }
    if let ([IdMapping { size: 1, .. }], [IdMapping { size: 1, .. }]) = (uids.as_slice(), gids.as_slice()) {
        // user_namespaces(7): without privilege gid_map is writable only once setgroups(2) is given up.
        let path = format!("/proc/{pid}/setgroups");
        fs::write(&path, "deny").map_err(|error| Error::Write {
            field: "linux.gidMappings",
            map: "deny".to_owned(),
            path,
            error,
        })?;
        write(pid, "linux.gidMappings", "gid_map", gids)?;
        return write(pid, "linux.uidMappings", "uid_map", uids);
    }
    helper(pid, "linux.gidMappings", "newgidmap", gids)?;
    helper(pid, "linux.uidMappings", "newuidmap", uids)
}

fn write(pid: Pid, field: &'static str, file: &str, mappings: &[IdMapping]) -> Result<(), Error> {
    let map: String =
        mappings.iter().map(|map| format!("{} {} {}\n", map.container_id, map.host_id, map.size)).collect();
    let path = format!("/proc/{pid}/{file}");
    fs::write(&path, &map).map_err(|error| Error::Write { field, map: map.trim_end().replace('\n', ", "), path, error })
}

fn helper(pid: Pid, field: &'static str, helper: &'static str, mappings: &[IdMapping]) -> Result<(), Error> {
    let numbers = mappings.iter().flat_map(|map| [map.container_id, map.host_id, map.size]);
    let output = Command::new(helper)
        .arg(pid.to_string())
        .args(numbers.map(|number| number.to_string()))
        .output()
        .map_err(|error| Error::Helper { field, helper, error })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Refused { field, helper, message: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}
