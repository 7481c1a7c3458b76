//! The table for people.

use std::fmt::Write;

use super::{Cell, Report, Result, name, reproduce};

/// A row a case, a column a runtime; then what failed and how to run it again; the first runtime's counts last.
pub fn print(report: &Report) -> String {
    let mut text = String::new();
    let wide = report.rows.iter().map(|row| row.case.full_name().len()).max().unwrap_or(0).max(4);
    let columns: Vec<(String, usize)> = report.runtimes.iter().map(|path| name(path)).map(with_width).collect();
    let mut heading = format!("{:wide$}", "case");
    for (name, width) in &columns {
        let _ = write!(heading, "  {name:width$}");
    }
    let _ = writeln!(text, "{}", heading.trim_end());
    for row in &report.rows {
        let mut line = format!("{:wide$}", row.case.full_name());
        for (cell, (_, width)) in row.cells.iter().zip(&columns) {
            let _ = write!(line, "  {:width$}", brief(cell));
        }
        // The first runtime's reason, then the note: enough for a line.
        if let Some(Cell { result: Result::Skip(reason), .. }) = row.cells.first() {
            let _ = write!(line, "  ({reason})");
        }
        if let Some(note) = row.case.note {
            let _ = write!(line, "  [{note}]");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    failures(report, &mut text);
    for (column, (name, _)) in columns.iter().enumerate().skip(1) {
        let _ = writeln!(text, "{name}: {}", report.counts(column));
    }
    let _ = writeln!(text, "{}", report.counts(0));
    text
}

fn with_width(name: String) -> (String, usize) {
    let width = name.len().max("pass 9999 ms".len());
    (name, width)
}

fn brief(cell: &Cell) -> String {
    let word = match &cell.result {
        Result::Pass => "pass",
        Result::Fail(_) => "FAIL",
        Result::Skip(_) => return "skip".into(),
    };
    format!("{word} {:4} ms", cell.time.as_millis())
}

/// The messages of what failed, a runtime after the other, and the reasons why peers were skipped where the table
/// doesn't show them.
fn failures(report: &Report, text: &mut String) {
    for (column, runtime) in report.runtimes.iter().enumerate() {
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for row in &report.rows {
            match row.cells.get(column).map(|cell| &cell.result) {
                Some(Result::Fail(message)) => {
                    let _ = writeln!(text, "\n{} fails {}: {message}", name(runtime), row.case.full_name());
                    let _ = writeln!(text, "    again: {}", reproduce(&row.case, runtime));
                    if let Some(kept) = row.cells.get(column).and_then(|cell| cell.kept.as_ref()) {
                        let _ = writeln!(text, "    kept:  {}", kept.display());
                    }
                }
                Some(Result::Skip(reason)) if column > 0 => {
                    match reasons.iter_mut().find(|(known, _)| known == reason) {
                        Some((_, count)) => *count += 1,
                        None => reasons.push((reason, 1)),
                    }
                }
                _ => {}
            }
        }
        for (reason, count) in reasons {
            let _ = writeln!(text, "\n{} skips {count}: {reason}", name(runtime));
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_table_has_every_cell_reason_and_note() {
        let text = print(&sample::report());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "case          one           two");
        assert_eq!(lines[1], "topic/first   pass   12 ms  FAIL   12 ms  [two lacks it]");
        assert_eq!(lines[2], "topic/second  skip          pass   12 ms  (no v2)");
        assert!(text.contains("two fails topic/first: got 1"), "{text}");
        assert!(text.contains("--runtime /usr/bin/two --filter =topic/first"), "{text}");
    }

    #[test]
    fn the_first_runtimes_counts_come_last() {
        let text = print(&sample::report());
        assert_eq!(text.lines().last(), Some("1 passed, 0 failed, 1 skipped"));
        assert!(text.contains("two: 1 passed, 1 failed, 0 skipped"));
    }
}
