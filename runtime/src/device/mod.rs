//! Devices of the host that a container gets: network devices, and those named by `org.rtrun.devices`.
//!
//! [`resolve`] turns names into a [`Grant`], plain data that is merged into the configuration before the launch.

mod card;
pub mod cdi;
mod error;
mod family;
mod grant;
pub mod net;
mod netlink;
mod node;
mod resolve;
#[cfg(test)]
mod tests;

pub use card::{Access, Card, access, all_cards, cards};
pub use error::Error;
pub use family::{CONFIG, Families, Family};
pub use grant::{Found, Grant, Lease};
pub use resolve::{pci_device, resolve};
