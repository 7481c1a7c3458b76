//! JUnit XML, as CI systems read it: one `testsuite` a runtime.

use std::fmt::Write;

use super::{Report, Result, name};

/// The document.
pub fn print(report: &Report) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (column, runtime) in report.runtimes.iter().enumerate() {
        let counts = report.counts(column);
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
            escape(&name(runtime)),
            report.rows.len(),
            counts.failed,
            counts.skipped
        );
        for row in &report.rows {
            let Some(cell) = row.cells.get(column) else { continue };
            let (topic, case, seconds) = (escape(row.case.topic), escape(row.case.name), cell.time.as_secs_f64());
            let _ = write!(text, "    <testcase classname=\"{topic}\" name=\"{case}\" time=\"{seconds:.3}\"");
            let _ = match &cell.result {
                Result::Pass => writeln!(text, "/>"),
                Result::Fail(message) => writeln!(text, "><failure message=\"{}\"/></testcase>", escape(message)),
                Result::Skip(reason) => writeln!(text, "><skipped message=\"{}\"/></testcase>", escape(reason)),
            };
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// Text for an attribute; control characters, which XML 1.0 forbids, become `?`.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            control if control.is_control() => out.push('?'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn messages_are_escaped() {
        let text = print(&sample::report());
        assert!(text.contains("<failure message=\"got 1 &lt;want&gt; &quot;2&quot;&#10;more\"/>"), "{text}");
        assert!(text.contains("<testsuite name=\"two\" tests=\"2\" failures=\"1\" skipped=\"0\">"));
        assert!(text.contains("<skipped message=\"no v2\"/>"));
    }
}
