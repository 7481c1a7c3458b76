//! One JSON document.

use serde_json::{Value, json};

use crate::harness::need::Ring;

use super::{Report, Result, reproduce};

/// `{"runtimes": [{"path", "passed", "failed", "skipped"}], "cases": [{"name", "note", "ring", "needs", "results": […]}]}`.
pub fn print(report: &Report) -> String {
    let runtime = |(column, path): (usize, &std::path::PathBuf)| {
        let counts = report.counts(column);
        json!({"path": path, "passed": counts.passed, "failed": counts.failed, "skipped": counts.skipped})
    };
    let cases = report.rows.iter().map(|row| {
        let results: Vec<Value> = report
            .runtimes
            .iter()
            .zip(&row.cells)
            .map(|(path, cell)| {
                let (verdict, message) = match &cell.result {
                    Result::Pass => ("pass", None),
                    Result::Fail(message) => ("fail", Some(message)),
                    Result::Skip(reason) => ("skip", Some(reason)),
                };
                json!({
                    "runtime": path, "verdict": verdict, "message": message, "milliseconds": cell.time.as_millis() as u64,
                    "reproduce": reproduce(&row.case, path), "kept": cell.kept
                })
            })
            .collect();
        let needs: Vec<String> = row.case.needs.iter().map(|need| format!("{need:?}")).collect();
        let ring = if row.case.ring() == Ring::Lab { "lab" } else { "host" };
        json!({"name": row.case.full_name(), "note": row.case.note, "ring": ring, "needs": needs, "results": results})
    });
    let runtimes: Vec<Value> = report.runtimes.iter().enumerate().map(runtime).collect();
    format!("{:#}\n", json!({"runtimes": runtimes, "cases": cases.collect::<Vec<_>>()}))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn counts_verdicts_and_notes_are_there() {
        let value: Value = serde_json::from_str(&print(&sample::report())).unwrap();
        assert_eq!(value["runtimes"][1]["failed"], 1);
        assert_eq!(value["cases"][0]["note"], "two lacks it");
        assert_eq!(value["cases"][1]["results"][0]["verdict"], "skip");
        assert_eq!(value["cases"][1]["results"][0]["message"], "no v2");
    }
}
