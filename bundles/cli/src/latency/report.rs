//! The comparison as text, JSON and a page.

use std::fmt::Write;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::figures::{Figures, PERCENTILES, percentile};
use super::{Comparison, plot};

/// Said in every report.
const OMISSION: &str = "Releases are absolute instants. A thread that wakes after its next release has not slept for that one: \
    such releases are counted as missed and are not among the samples, so that a stall of many periods is one sample of its \
    full length and a number of missed releases (coordinated omission).";

/// A table of microseconds.
pub fn text(comparison: &Comparison) -> String {
    let mut text = format!("{}\n\n{:<10} {:>10}", subject(comparison), "", "samples");
    for name in PERCENTILES {
        let _ = write!(text, " {:>9}", format!("p{name}"));
    }
    let _ = writeln!(text, " {:>9} {:>8} {:>7} {:>22}", "max", "missed", "faults", "p99.9 to first");
    for figures in &comparison.figures {
        let Some(row) = row(comparison, figures) else {
            let _ = writeln!(text, "{:<10} {}", figures.name, refusal(figures));
            continue;
        };
        let _ = write!(text, "{:<10}", figures.name);
        for (index, cell) in row.iter().enumerate() {
            let width = [10, 9, 9, 9, 9, 9, 9, 9, 8, 7, 22][index.min(10)];
            let _ = write!(text, " {cell:>width$}");
        }
        text.push('\n');
    }
    let _ = writeln!(text, "\nus; `-`: fewer than ten samples lie above it. {OMISSION}");
    text
}

fn subject(comparison: &Comparison) -> String {
    let options = &comparison.options;
    format!(
        "Wake-up latency of SCHED_FIFO {} threads on CPU {}, every {:?}, {} rounds of {:?} in turns, load: {:?}",
        options.prio, comparison.cpus, options.interval, options.rounds, options.duration, options.load
    )
}

fn refusal(figures: &Figures) -> String {
    format!("could not be measured: {}", figures.refusals.last().map_or("no reason", String::as_str))
}

/// Samples, percentiles, max, missed, faults, ratio; `None` where nothing was measured.
fn row(comparison: &Comparison, figures: &Figures) -> Option<Vec<String>> {
    let all = figures.merged().filter(|all| !all.is_empty())?;
    let micros = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
    let mut row = vec![all.len().to_string()];
    row.extend(PERCENTILES.map(|name| micros(percentile(&all, name))));
    row.push(micros(Some(all.max() as f64 / 1_000.0)));
    row.push(figures.rounds.iter().map(|round| round.missed).sum::<u64>().to_string());
    row.push(figures.rounds.iter().map(|round| round.faults).sum::<u64>().to_string());
    row.push(ratio(comparison, figures, |histogram| histogram.value_at_percentile(99.9) as f64));
    Some(row)
}

/// Of the medians over rounds, with the range that the rounds' extremes allow.
fn ratio(comparison: &Comparison, figures: &Figures, value: fn(&Histogram<u64>) -> f64) -> String {
    let first = &comparison.figures[0];
    if first.name == figures.name {
        return "1".to_owned();
    }
    let told = || {
        let (ours, theirs) = (figures.range(value)?, first.range(value).filter(|range| range.0 > 0.0)?);
        let of_all = value(&figures.merged()?) / value(&first.merged()?);
        Some(format!("{of_all:.2} ({:.2}–{:.2})", ours.0 / theirs.1, ours.1 / theirs.0))
    };
    told().unwrap_or_else(|| "-".to_owned())
}

/// Everything, for other programs.
pub fn json(comparison: &Comparison) -> Value {
    let provenance: serde_json::Map<String, Value> =
        comparison.provenance.0.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let contenders: Vec<Value> = comparison
        .figures
        .iter()
        .map(|figures| {
            let all = figures.merged();
            let percentiles: serde_json::Map<String, Value> = PERCENTILES
                .iter()
                .map(|&name| (format!("p{name}"), json!(all.as_ref().and_then(|all| percentile(all, name)))))
                .collect();
            let range = figures.range(|histogram| histogram.value_at_percentile(99.9) as f64 / 1_000.0);
            json!({
                "name": figures.name,
                "rounds": figures.rounds.len(),
                "refusals": figures.refusals,
                "samples": all.as_ref().map_or(0, Histogram::len),
                "percentilesMicroseconds": percentiles,
                "p99.9Range": range,
                "maxMicroseconds": all.as_ref().map(|all| all.max() as f64 / 1_000.0),
                "missed": figures.rounds.iter().map(|round| round.missed).sum::<u64>(),
                "faults": figures.rounds.iter().map(|round| round.faults).sum::<u64>(),
                "memoryLocked": figures.rounds.iter().all(|round| round.locked),
                "smis": figures.rounds.iter().filter_map(|round| round.smis).reduce(|a, b| a + b),
            })
        })
        .collect();
    json!({ "subject": subject(comparison), "provenance": provenance, "contenders": contenders })
}

/// One page without scripts or outside files; it prints as it looks.
pub fn html(comparison: &Comparison) -> String {
    let mut body = format!("<h1>Wake-up latency</h1>\n<p>{}.</p>\n", escape(&subject(comparison)));
    body.push_str("<table><tr><th></th><th>samples</th>");
    for name in PERCENTILES {
        let _ = write!(body, "<th>p{name}</th>");
    }
    body.push_str("<th>max</th><th>missed</th><th>faults</th><th>p99.9 to the first (range)</th></tr>\n");
    for figures in &comparison.figures {
        let _ = write!(body, "<tr><th>{}</th>", escape(&figures.name));
        match row(comparison, figures) {
            Some(row) => row.iter().for_each(|cell| {
                let _ = write!(body, "<td>{}</td>", escape(cell));
            }),
            None => {
                let _ = write!(body, "<td colspan=\"11\" class=\"refused\">{}</td>", escape(&refusal(figures)));
            }
        }
        body.push_str("</tr>\n");
    }
    let _ = writeln!(
        body,
        "</table>\n<p class=\"note\">Microseconds. “-”: fewer than ten samples lie above it. {OMISSION}</p>"
    );
    plots(&mut body, comparison);
    body.push_str("<h2>Where</h2>\n<table class=\"where\">\n");
    for (name, value) in &comparison.provenance.0 {
        let _ = writeln!(body, "<tr><th>{name}</th><td>{}</td></tr>", escape(value));
    }
    body.push_str("</table>\n");
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Wake-up latency</title>\n<style>{STYLE}</style>\
         </head><body>\n{body}</body></html>\n"
    )
}

fn plots(body: &mut String, comparison: &Comparison) {
    let merged: Vec<Histogram<u64>> = comparison.figures.iter().filter_map(Figures::merged).collect();
    let right = merged.iter().map(|all| all.max() / 1_000).max().unwrap_or(0) + 1;
    let top = merged.iter().map(Histogram::len).max().unwrap_or(1);
    for figures in comparison.figures.iter().filter(|figures| !figures.rounds.is_empty()) {
        let by_cpu = figures.by_cpu();
        let curves: Vec<(String, &Histogram<u64>)> =
            by_cpu.iter().map(|(cpu, histogram)| (format!("CPU {cpu}"), histogram)).collect();
        let _ = writeln!(
            body,
            "<h2>{}</h2>\n<figure>{}</figure>",
            escape(&figures.name),
            plot::svg(&escape(&figures.name), &curves, right, top)
        );
    }
}

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}\
    h1{font-size:1.5em}h2{font-size:1.15em;margin-top:1.6em}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
    td,th{padding:.25em .6em;text-align:right;border-bottom:1px solid #ddd}th:first-child{text-align:left}\
    .where td,.where th{text-align:left;vertical-align:top;overflow-wrap:anywhere}.note{color:#555;font-size:.9em}\
    .refused{text-align:left;color:#a00}figure{margin:0}svg{width:100%;height:auto}\
    @media print{body{margin:0;max-width:none}h2,figure{break-inside:avoid;break-after:avoid}}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
