//! Test Anything Protocol, version 13.

use std::fmt::Write;

use super::{Report, Result, name};

/// One test a case and runtime; messages as diagnostics; the first runtime's counts last, as a comment.
pub fn print(report: &Report) -> String {
    let mut text = format!("TAP version 13\n1..{}\n", report.rows.len() * report.runtimes.len());
    let mut number = 0;
    for row in &report.rows {
        for (runtime, cell) in report.runtimes.iter().zip(&row.cells) {
            number += 1;
            let title = format!("{number} - {} on {}", row.case.full_name(), name(runtime));
            let _ = match &cell.result {
                Result::Pass => writeln!(text, "ok {title}"),
                Result::Skip(reason) => writeln!(text, "ok {title} # SKIP {}", reason.replace('\n', " ")),
                Result::Fail(message) => {
                    writeln!(text, "not ok {title}\n# {}", message.trim_end().replace('\n', "\n# "))
                }
            };
        }
    }
    let _ = writeln!(text, "# {}", report.counts(0));
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_cell_is_one_numbered_test() {
        let text = print(&sample::report());
        let want = "TAP version 13\n1..4\nok 1 - topic/first on one\nnot ok 2 - topic/first on two\n\
                    # got 1 <want> \"2\"\n# more\nok 3 - topic/second on one # SKIP no v2\nok 4 - topic/second on two\n\
                    # 1 passed, 0 failed, 1 skipped\n";
        assert_eq!(text, want);
    }
}
