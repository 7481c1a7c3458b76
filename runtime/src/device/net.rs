//! Network devices moved into the container's network namespace (`config-linux.md`, Network Devices).

use crate::spec::NetDevice;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

/// Why a network device can't be moved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// rtnetlink refused a step.
    #[error("linux.netDevices[{device:?}]: {step}: {errno}")]
    Step {
        /// Name on the host.
        device: String,
        /// What was tried.
        step: String,
        /// What the kernel said.
        errno: Errno,
    },
}

/// Moves the devices into the namespace, with their names there, their lasting addresses, and up.
///
/// # Errors
/// [`Error`].
pub fn move_devices(devices: &BTreeMap<String, NetDevice>, _namespace: BorrowedFd) -> Result<(), Error> {
    match devices.keys().next() {
        None => Ok(()),
        Some(device) => Err(Error::Step { device: device.clone(), step: "moving".into(), errno: Errno::EOPNOTSUPP }),
    }
}
