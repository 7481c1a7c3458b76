//! Faults: what each system call of each command can fail with, and what its user gets then.

mod calls;
mod deeds;
mod inject;
pub mod matrix;
mod registers;
pub mod table;
mod tolerated;

pub use deeds::{DEEDS, Deed};
