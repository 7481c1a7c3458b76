//! Results, and the four forms in which they are printed.

mod json;
mod junit;
pub mod progress;
mod tap;
mod text;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::Case;
use crate::options::Format;

/// How one case went on one runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Result {
    /// As it must be
    Pass,
    /// Not as it must be, and how
    Fail(String),
    /// Not shown here, and why
    Skip(String),
}

/// A result and the time it took.
#[derive(Debug, Clone)]
pub struct Cell {
    /// How it went
    pub result: Result,
    /// From before the bundle was made until the process of the case ended
    pub time: Duration,
    /// Where its folder was kept, if it failed
    pub kept: Option<PathBuf>,
}

/// One case, one cell a runtime.
pub struct Row {
    /// The case
    pub case: Case,
    /// In the order of the runtimes
    pub cells: Vec<Cell>,
}

/// Everything that was run.
pub struct Report {
    /// Absolute paths, in the order given
    pub runtimes: Vec<PathBuf>,
    /// In the order of the cases
    pub rows: Vec<Row>,
}

/// How many cases of one runtime ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Passed
    pub passed: usize,
    /// Failed
    pub failed: usize,
    /// Skipped
    pub skipped: usize,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Report {
    /// Whether the first runtime failed nothing.
    pub fn passed(&self) -> bool {
        self.counts(0).failed == 0
    }

    /// The counts of the runtime in `column`.
    pub fn counts(&self, column: usize) -> Counts {
        let mut counts = Counts::default();
        for cell in self.rows.iter().filter_map(|row| row.cells.get(column)) {
            match cell.result {
                Result::Pass => counts.passed += 1,
                Result::Fail(_) => counts.failed += 1,
                Result::Skip(_) => counts.skipped += 1,
            }
        }
        counts
    }
}

/// The report in the form asked for.
pub fn print(report: &Report, format: Format) -> String {
    match format {
        Format::Text => text::print(report),
        Format::Tap => tap::print(report),
        Format::Json => json::print(report),
        Format::Junit => junit::print(report),
    }
}

/// The one command that runs this case on this runtime again; its folder is then where `--keep` says.
pub fn reproduce(case: &Case, runtime: &Path) -> String {
    let program = std::env::current_exe().map_or("rtrun-conformance".into(), |path| path.display().to_string());
    format!("{program} --runtime {} --filter ={}", runtime.display(), case.full_name())
}

/// The name of a runtime in a heading.
fn name(runtime: &Path) -> String {
    runtime.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
pub mod sample {
    use super::*;
    use crate::harness::case;

    /// Two cases on two runtimes: pass and fail, skip and pass.
    pub fn report() -> Report {
        let cell = |result| Cell { result, time: Duration::from_millis(12), kept: None };
        let case = |name| Case { topic: "topic", ..case(name, |_| Ok(())) };
        Report {
            runtimes: vec!["/usr/bin/one".into(), "/usr/bin/two".into()],
            rows: vec![
                Row {
                    case: case("first").note("two lacks it"),
                    cells: vec![cell(Result::Pass), cell(Result::Fail("got 1 <want> \"2\"\nmore".into()))],
                },
                Row { case: case("second"), cells: vec![cell(Result::Skip("no v2".into())), cell(Result::Pass)] },
            ],
        }
    }

    #[test]
    fn only_the_first_runtime_decides() {
        let mut report = report();
        assert!(report.passed());
        assert_eq!(report.counts(1), Counts { passed: 1, failed: 1, skipped: 0 });
        report.runtimes.swap(0, 1);
        report.rows.iter_mut().for_each(|row| row.cells.swap(0, 1));
        assert!(!report.passed());
    }

    #[test]
    fn the_reproducing_command_names_exactly_one_case() {
        let line = reproduce(&report().rows[0].case, Path::new("/usr/bin/one"));
        assert!(line.contains("--runtime /usr/bin/one --filter =topic/first"), "{line}");
    }
}
