//! Thin, safe wrappers of kernel calls that the libraries don't have.

pub mod clone;
pub mod mount;
pub mod pidfd;
pub mod self_exe;
