//! Thin, safe wrappers of kernel calls that the libraries don't have.

pub mod mount;
