//! How far a run is, on stderr: one line that is written over on a terminal, the failures alone elsewhere.

use std::io::{IsTerminal, Write};

use super::{Cell, Result, Row};

/// The first runtime's counts so far.
pub struct Progress {
    total: usize,
    done: usize,
    failed: usize,
    terminal: bool,
}

impl Progress {
    /// Of a run of so many cases.
    pub fn new(total: usize) -> Progress {
        Progress { total, done: 0, failed: 0, terminal: std::io::stderr().is_terminal() }
    }

    /// A case has ended on every runtime.
    pub fn row(&mut self, row: &Row) {
        self.done += 1;
        let mut text = String::new();
        if let Some(Cell { result: Result::Fail(message), .. }) = row.cells.first() {
            self.failed += 1;
            text = format!("FAIL {}: {}\n", row.case.full_name(), message.lines().next().unwrap_or_default());
        }
        // Clear the line, then write it anew below what failed.
        let text = match self.terminal {
            true => format!("\r\x1b[K{text}{}", self.line(&row.case.full_name())),
            false => text,
        };
        // Progress that can't be shown is no failure of the run.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// Leaves the terminal's line to what comes next.
    pub fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }

    fn line(&self, name: &str) -> String {
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        format!("[{:3}/{}{failed}] {name}", self.done, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn failures_of_the_first_runtime_count() {
        let report = sample::report();
        let mut progress = Progress { total: 2, done: 0, failed: 0, terminal: false };
        progress.row(&report.rows[0]);
        assert_eq!(progress.line("a/b"), "[  1/2] a/b");
        progress.failed = 1;
        assert_eq!(progress.line("a/b"), "[  1/2, 1 failed] a/b");
    }
}
