//! What the user's process may do: capabilities, system call filter, LSM labels.

pub mod capabilities;
pub mod lsm;
pub mod seccomp;

pub use capabilities::CapabilitySets;
pub use lsm::ExecLabel;
