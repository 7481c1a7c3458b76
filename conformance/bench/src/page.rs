//! The whole report as one HTML page that needs nothing from elsewhere.

use std::fmt::Write;

use crate::plot::{self, escape};
use crate::report::Report;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1f2933; --soft: #616e7c; --line: #d9e0e6; --page: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --soft: #9aa5b1; --line: #3e4c59; --page: #161b21 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 1080px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: 0 } h2 { font-size: 1.15rem; margin-top: 2.5rem } h3 { font-size: 1rem; margin: 1.6rem 0 .3rem }
p.machine, figcaption { color: var(--soft) }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; white-space: nowrap; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right } th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--page) }
td small { color: var(--soft) }
figure { margin: 0; max-width: 760px } .plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)); gap: 0 2rem } svg { width: 100%; height: auto } svg text { fill: var(--ink); font: 13px system-ui, sans-serif }
.range { stroke: var(--ink); stroke-width: 1; fill: none; opacity: .65 } .grid { stroke: var(--line); fill: none }
";

/// The page.
pub fn html(report: &Report) -> String {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    let subject = report.names.first().map_or("", String::as_str);
    let _ = writeln!(
        page,
        "<meta name=\"viewport\" content=\"width=device-width\"><title>What a container costs: {}</title>",
        escape(subject)
    );
    let _ = writeln!(page, "<style>{STYLE}</style></head><body>\n<h1>What a container costs</h1>");
    let _ = writeln!(page, "<p class=\"machine\">{}</p>", escape(&report.machine));
    let _ = writeln!(
        page,
        "<p>Medians of interleaved rounds; the thin line is the range from the least to the greatest sample. <em>Cold</em> is after 150 ms of rest. The floor does the same kernel work on paths made ready for it, and reads and checks nothing.</p>"
    );
    for note in &report.notes {
        let _ = writeln!(page, "<p>{}</p>", escape(note));
    }
    table(report, &mut page);
    page.push_str("<h2>Side by side</h2>\n<div class=\"plots\">\n");
    for row in &report.rows {
        let cells: Vec<_> = report.names.iter().filter_map(|name| Some((name.as_str(), row.cell(name)?))).collect();
        if cells.is_empty() {
            continue;
        }
        let _ = writeln!(
            page,
            "<section><h3>{}</h3>\n<figure>{}</figure></section>",
            escape(&row.what),
            plot::bars(row.unit, &cells)
        );
    }
    page.push_str("</div>\n");
    if !report.scale.is_empty() {
        let _ = writeln!(
            page,
            "<h2>Beside many others</h2>\n<figure>{}<figcaption>Cost of one command of {} against the number of containers alive.</figcaption></figure>",
            plot::lines(&report.scale),
            escape(subject)
        );
    }
    page + "</body></html>\n"
}

fn table(report: &Report, page: &mut String) {
    page.push_str("<h2>All figures</h2>\n<div class=\"wide\"><table><tr>");
    report.header().iter().for_each(|cell| page.push_str(&format!("<th>{}</th>", escape(cell))));
    page.push_str("</tr>\n");
    for line in report.body() {
        page.push_str("<tr>");
        for cell in line {
            // The range is the lesser part of a figure.
            let _ = match cell.split_once(" (") {
                Some((median, range)) if range.contains('–') => {
                    write!(page, "<td>{median} <small>({range}</small></td>")
                }
                _ => write!(page, "<td>{}</td>", escape(&cell)),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Row;
    use crate::scale::Series;
    use crate::stats::Summary;

    #[test]
    fn the_page_has_every_figure_and_names_no_other_host() {
        let mut row = Row::new("create <x>".into(), "ms");
        row.fill([("a".into(), Summary::of([1.5])), ("b".into(), Summary::of([4.0]))]);
        let scale = vec![Series { name: "list", points: vec![(25, 1.0), (50, 2.0)] }];
        let names = ["a", "b"].map(String::from).to_vec();
        let page = html(&Report { machine: "m".into(), names, rows: vec![row], notes: vec!["n".into()], scale });
        assert!(page.contains("create &lt;x&gt;") && page.contains("1.50") && page.contains("polyline"), "{page}");
        let links = page.matches("http").count();
        assert_eq!(links, page.matches("http://www.w3.org/2000/svg").count());
        assert!(!page.contains("<script") && !page.contains("src="));
    }
}
