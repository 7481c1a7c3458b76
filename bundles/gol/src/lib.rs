//! Conway's Game of Life as a distributed real-time agent, in layers that can each be tested:
//!
//! * [`board`], [`kernel`], [`advance`]: a rectangle of bit-packed cells with a halo, and what advances it (pure);
//! * [`pattern`], [`start`]: RLE and plaintext, in and out; generation 0;
//! * [`decomposition`], [`halo`], [`protocol`]: regions, their edges as bytes, messages (pure);
//! * [`transport`]: datagrams, multicast, streams, and faults in any of them;
//! * [`params`], [`agent`]: what a region is told, and what it does at each generation's release;
//! * [`naive`]: the rule by the book, and [`bench`]: what the kernels reach of their bounds.

pub mod advance;
pub mod agent;
pub mod bench;
pub mod board;
#[cfg(feature = "capi")]
pub mod capi;
pub mod decomposition;
pub mod halo;
pub mod kernel;
pub mod naive;
pub mod params;
pub mod pattern;
pub mod protocol;
pub mod start;
pub mod transport;
