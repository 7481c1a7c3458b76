//! rtrun: a low-level OCI container runtime for real-time Linux.
pub mod rootfs;
pub mod spec;
pub mod sys;
