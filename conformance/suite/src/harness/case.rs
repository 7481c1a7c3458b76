//! A case: data and a small function.

use std::fmt::{Debug, Display};

use super::Container;
use super::need::{Need, Ring};

/// Why a case ended before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The runtime is wrong; the text says what was expected and what was seen
    Fail(String),
    /// This machine or build can't show it; the text says what is missing
    Skip(String),
}

/// What a case's function returns.
pub type Verdict<T = ()> = Result<T, Stop>;

/// One thing that a runtime must do.
#[derive(Clone, Copy)]
pub struct Case {
    /// File under `cases/` that it is in; filled in by `cases::all`
    pub topic: &'static str,
    /// Unique within the topic, words joined by `-`
    pub name: &'static str,
    /// Why a peer may legitimately differ
    pub note: Option<&'static str>,
    /// What the machine must have
    pub needs: &'static [Need<'static>],
    /// Drives the container and checks
    pub run: fn(&mut Container) -> Verdict,
}

/// A case named `name`.
pub const fn case(name: &'static str, run: fn(&mut Container) -> Verdict) -> Case {
    Case { topic: "", name, note: None, needs: &[], run }
}

impl Case {
    /// The same case with a note that the table shows.
    pub const fn note(mut self, note: &'static str) -> Case {
        self.note = Some(note);
        self
    }

    /// The same case, which needs all of these.
    pub const fn needs(mut self, needs: &'static [Need<'static>]) -> Case {
        self.needs = needs;
        self
    }

    /// The ring in which it can be shown: the lab, where a need is the lab's alone.
    pub fn ring(&self) -> Ring {
        self.needs.iter().map(Need::ring).max().unwrap_or(Ring::Host)
    }

    /// `topic/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.topic, self.name)
    }
}

/// Ends a case as failed.
pub fn fail<T>(message: impl Display) -> Verdict<T> {
    Err(Stop::Fail(message.to_string()))
}

/// Ends a case as skipped.
pub fn skip<T>(reason: impl Display) -> Verdict<T> {
    Err(Stop::Skip(reason.to_string()))
}

/// Fails unless `holds`; `message` says what should have been.
pub fn must(holds: bool, message: impl Display) -> Verdict {
    if holds { Ok(()) } else { fail(message) }
}

/// Fails unless both are equal; `what` names the thing compared.
pub fn same<A: Debug + PartialEq<B>, B: Debug>(what: impl Display, got: A, want: B) -> Verdict {
    if got == want { Ok(()) } else { fail(format!("{what}: got {got:?}, want {want:?}")) }
}

/// Fails unless `text` contains one of `needles`, letter case aside.
pub fn mentions(what: impl Display, text: &str, needles: &[&str]) -> Verdict {
    let lower = text.to_lowercase();
    let found = needles.iter().any(|needle| lower.contains(&needle.to_lowercase()));
    must(found, format_args!("{what}: {:?} mentions none of {needles:?}", text.trim()))
}

/// Turns the suite's own trouble (a file that can't be read, …) into a failed case that names what was tried.
pub trait OrFail<T> {
    /// The value, or a failure that starts with `what`.
    fn or_fail(self, what: impl Display) -> Verdict<T>;
}

impl<T, E: Display> OrFail<T> for Result<T, E> {
    fn or_fail(self, what: impl Display) -> Verdict<T> {
        self.map_err(|error| Stop::Fail(format!("{what}: {error}")))
    }
}

impl<T> OrFail<T> for Option<T> {
    fn or_fail(self, what: impl Display) -> Verdict<T> {
        self.ok_or_else(|| Stop::Fail(format!("{what}: missing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_names_both_sides() {
        assert_eq!(same("n", 1, 1), Ok(()));
        assert_eq!(same("n", 1, 2), Err(Stop::Fail("n: got 1, want 2".into())));
    }

    #[test]
    fn mentions_ignores_letter_case() {
        assert!(mentions("m", "Container DOES NOT exist", &["does not exist"]).is_ok());
        assert!(mentions("m", "other", &["a", "b"]).is_err());
    }
}
