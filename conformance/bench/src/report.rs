//! The table, as text, Markdown and JSON.

use serde_json::{Value, json};

use crate::scale::{self, Series};
use crate::stats::Summary;

/// One measure of all contenders.
pub struct Row {
    /// What was measured.
    pub what: String,
    /// `ms`, `MiB` or `calls`.
    pub unit: &'static str,
    cells: Vec<(String, Summary)>,
}

impl Row {
    /// A row without cells.
    pub fn new(what: String, unit: &'static str) -> Self {
        Self { what, unit, cells: Vec::new() }
    }

    /// Takes the cells of those contenders that have a value.
    pub fn fill(&mut self, cells: impl IntoIterator<Item = (String, Option<Summary>)>) {
        self.cells.extend(cells.into_iter().filter_map(|(name, cell)| Some((name, cell?))));
    }

    /// The value of the contender of this name.
    pub fn cell(&self, name: &str) -> Option<&Summary> {
        self.cells.iter().find(|(who, _)| who == name).map(|(_, summary)| summary)
    }

    /// The subject's median as a multiple of another's.
    fn ratio(&self, subject: &str, other: &str) -> Option<f64> {
        (subject != other).then_some(())?;
        Some(self.cell(subject)?.median / self.cell(other)?.median)
    }
}

/// All rows, and who the columns are.
pub struct Report {
    /// The machine in one line.
    pub machine: String,
    /// The contenders' names in the columns' order; the first one is the subject of the ratios.
    pub names: Vec<String>,
    /// The measures.
    pub rows: Vec<Row>,
    /// What was counted rather than timed, in sentences.
    pub notes: Vec<String>,
    /// The first runtime's commands against the number of containers; empty if not asked for.
    pub scale: Vec<Series>,
}

impl Report {
    fn subject(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// The table's first line.
    pub fn header(&self) -> Vec<String> {
        let subject = self.subject();
        let ratios = self.names[1..].iter().map(|other| format!("{subject} / {other}"));
        ["", "unit"].map(String::from).into_iter().chain(self.names.clone()).chain(ratios).collect()
    }

    /// The table's other lines.
    pub fn body(&self) -> Vec<Vec<String>> {
        let cell = |row: &Row, name: &String| row.cell(name).map_or(String::new(), |cell| show(cell, row.unit));
        let ratio = |row: &Row, other: &String| {
            row.ratio(self.subject(), other).map_or(String::new(), |ratio| format!("{ratio:.2}"))
        };
        let line = |row: &Row| {
            let cells = self.names.iter().map(|name| cell(row, name));
            let ratios = self.names[1..].iter().map(|other| ratio(row, other));
            [row.what.clone(), row.unit.to_string()].into_iter().chain(cells).chain(ratios).collect()
        };
        self.rows.iter().map(line).collect()
    }

    /// The table in aligned columns.
    pub fn text(&self) -> String {
        let table: Vec<Vec<String>> = std::iter::once(self.header()).chain(self.body()).collect();
        let width = |column: usize| table.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
        let pad = |line: &Vec<String>| {
            let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        format!("{}\n\n{}\n{}", self.machine, table.iter().map(pad).collect::<String>(), self.lines())
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let rule = line(self.header().iter().map(|_| "---".to_string()).collect());
        let body: String = self.body().into_iter().map(line).collect();
        format!("{}\n\n{}{rule}{body}\n{}", self.machine, line(self.header()), self.lines())
    }

    fn lines(&self) -> String {
        self.notes.iter().map(|note| format!("* {note}\n")).collect::<String>() + &scale::text(&self.scale)
    }

    /// Everything as JSON, with the ratios left to the reader.
    pub fn json(&self) -> Value {
        let summary = |s: &Summary| json!({ "median": s.median, "min": s.min, "max": s.max });
        let cells = |row: &Row| row.cells.iter().map(|(name, s)| (name.clone(), summary(s))).collect();
        let rows = self.rows.iter().map(|row| {
            let cells: serde_json::Map<String, Value> = cells(row);
            json!({ "what": row.what, "unit": row.unit, "contenders": cells })
        });
        let scale: serde_json::Map<String, Value> =
            self.scale.iter().map(|series| (series.name.into(), json!(series.points))).collect();
        json!({ "machine": self.machine, "rows": rows.collect::<Vec<_>>(), "notes": self.notes, "scale": scale })
    }
}

fn show(cell: &Summary, unit: &str) -> String {
    match unit {
        "calls" => format!("{:.0}", cell.median),
        _ => format!("{:.2} ({:.2}–{:.2})", cell.median, cell.min, cell.max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut row = Row::new("create".into(), "ms");
        row.fill([("a".into(), Summary::of([1.0])), ("b".into(), Summary::of([4.0])), ("c".into(), None)]);
        let names = ["a", "b", "c"].map(String::from).to_vec();
        Report { machine: "m".into(), names, rows: vec![row], notes: vec!["note".into()], scale: Vec::new() }
    }

    #[test]
    fn ratios_are_of_the_first_contender_to_each_other() {
        let table = report().markdown();
        assert!(table.contains("| a / b | a / c |"), "{table}");
        assert!(table.contains("| 1.00 (1.00–1.00) | 4.00 (4.00–4.00) |  | 0.25 |  |"), "{table}");
    }

    #[test]
    fn json_has_every_value_that_was_measured() {
        let json = report().json();
        assert_eq!(json["rows"][0]["contenders"]["b"]["median"], 4.0);
        assert!(json["rows"][0]["contenders"].get("c").is_none());
    }
}
