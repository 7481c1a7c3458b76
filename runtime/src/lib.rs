//! rtrun: a low-level OCI container runtime for real-time Linux.
pub mod cgroup;
pub mod check;
pub mod cli;
pub mod criu;
pub mod device;
pub mod host;
pub mod launch;
pub mod rdt;
pub mod rootfs;
pub mod sched;
pub mod security;
pub mod spec;
pub mod state;
pub mod sys;
pub mod time;
