//! Conway's Game of Life as a distributed real-time agent, in layers that can each be tested:
//!
//! * [`board`], [`kernel`], [`advance`]: a rectangle of bit-packed cells with a halo, and what advances it (pure);
//! * [`pattern`]: RLE and plaintext, in and out (pure);
//! * [`naive`]: the rule by the book, and [`bench`]: what the kernels reach of their bounds.

pub mod advance;
pub mod bench;
pub mod board;
pub mod kernel;
pub mod naive;
pub mod pattern;
