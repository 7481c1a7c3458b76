//! Devices of the host that a container gets.

pub mod net;
mod netlink;
