//! The Container Device Interface, 1.1 (`SPEC.md` of cncf-tags/container-device-interface): devices that their vendors
//! describe in files, by which podman, containerd and CRI-O pass them too.
//!
//! The reader is ours: the crate `container-device-interface` brings 176 packages (a JSON schema validator, an HTTP stack,
//! an async runtime) and asks for Rust 1.86.

mod edits;
mod file;
mod write;

pub use edits::{CdiHook, CdiMount, ContainerEdits, DeviceNode, MovedNetDevice};
pub use file::{DIRECTORIES, Device, Spec, names};
pub use write::{VENDOR, describe, write};

use super::Error;
use super::grant::{Grant, Wish};
use super::node::User;
use crate::host::Host;

/// Adds what the specification of a CDI device says.
pub(super) fn grant(host: &Host, user: &User, wish: &Wish, grant: &mut Grant) -> Result<(), Error> {
    let (spec, device) = file::find(host, wish.asked)?;
    for edits in [&spec.container_edits, &device.container_edits] {
        edits.apply(host, user, wish, grant)?;
    }
    grant.lease(wish.asked.to_owned(), wish.shared);
    Ok(())
}
