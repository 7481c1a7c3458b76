//! The container's filesystem as the container sees it. Needs root and a static busybox.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod attacks;
mod cover;
mod harness;
mod mounts;
mod userns;
