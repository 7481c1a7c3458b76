//! What a case is made of and what it may use.

pub mod base;
pub mod call;
pub mod case;
pub mod cgroup;
pub mod container;
pub mod host;
pub mod isolate;
pub mod kernel;
pub mod kmsg;
pub mod leftovers;
pub mod need;
pub mod rootfs;
pub mod socket;

pub use case::{Case, Verdict, case, skip};
pub use container::Container;
pub use need::Need;
