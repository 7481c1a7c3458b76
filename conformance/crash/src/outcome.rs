//! How a case ends other than well.

use nix::errno::Errno;
use std::fmt::Display;

/// Why a case did not pass.
#[derive(Debug)]
pub enum Stop {
    /// What is wrong.
    Failed(String),
    /// What the machine lacks.
    Skipped(String),
}

/// What a case returns.
pub type Check<T = ()> = Result<T, Stop>;

impl Stop {
    /// A failure's text with where it happened before it.
    pub fn at(self, place: impl Display) -> Stop {
        match self {
            Stop::Failed(text) => Stop::Failed(format!("{place}: {text}")),
            skipped @ Stop::Skipped(_) => skipped,
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Stop::Failed(error.to_string())
    }
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Stop::Failed(errno.to_string())
    }
}

impl From<serde_json::Error> for Stop {
    fn from(error: serde_json::Error) -> Self {
        Stop::Failed(error.to_string())
    }
}

/// A failure with this text.
pub fn fail<T>(text: impl Display) -> Check<T> {
    Err(Stop::Failed(text.to_string()))
}

/// A failure with this text unless `condition` holds.
pub fn must(condition: bool, text: impl Display) -> Check {
    if condition { Ok(()) } else { fail(text) }
}

/// The whole of `text` must contain `part`, whatever the case of letters.
pub fn mentions(text: &str, part: &str) -> Check {
    must(text.to_lowercase().contains(&part.to_lowercase()), format_args!("\"{part}\" is not in: {}", text.trim()))
}
