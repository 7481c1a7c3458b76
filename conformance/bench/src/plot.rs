//! Plots as SVG text: bars with their range, and lines. No script, no font and no colour from elsewhere.

use std::fmt::Write;

use crate::scale::Series;
use crate::stats::Summary;

const WIDTH: f64 = 720.0;
/// Where bars and lines begin: names and numbers stand left of it.
const LEFT: f64 = 170.0;
const ROW: f64 = 24.0;
/// Told apart by those who see no red and green as well (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];

/// One bar a contender: the median, a line from the least to the greatest sample, and the median in figures.
pub fn bars(unit: &str, cells: &[(&str, &Summary)]) -> String {
    let most = cells.iter().map(|(_, cell)| cell.max).fold(f64::MIN_POSITIVE, f64::max);
    let scale = |value: f64| LEFT + value / most * (WIDTH - LEFT - 90.0);
    let height = cells.len() as f64 * ROW + 6.0;
    let mut svg = open(height);
    for (row, (name, cell)) in cells.iter().enumerate() {
        let top = row as f64 * ROW + 4.0;
        let (middle, text) = (top + 8.0, top + 12.5);
        let colour = if row == 0 { COLOURS[0] } else { "#9aa5b1" };
        let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{text}\" text-anchor=\"end\">{}</text>", LEFT - 8.0, escape(name));
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{:.1}\" height=\"16\" rx=\"2\" fill=\"{colour}\"/>",
            (scale(cell.median) - LEFT).max(1.0)
        );
        if cell.max > cell.min {
            let (from, to) = (scale(cell.min), scale(cell.max));
            let _ = writeln!(
                svg,
                "<path d=\"M{from:.1} {middle}H{to:.1}M{from:.1} {a}v8M{to:.1} {a}v8\" class=\"range\"/>",
                a = middle - 4.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{text}\">{} {unit}</text>",
            scale(cell.max) + 8.0,
            figure(cell.median)
        );
    }
    svg + "</svg>\n"
}

/// One line a series, cost against count, both from zero.
pub fn lines(series: &[Series]) -> String {
    const HEIGHT: f64 = 340.0;
    let (left, right, top, bottom) = (60.0, WIDTH - 90.0, 14.0, HEIGHT - 44.0);
    let points = || series.iter().flat_map(|one| &one.points);
    let (across, up) = (ticks(points().map(|(x, _)| *x as f64)), ticks(points().map(|(_, y)| *y)));
    let (most_x, most_y) = (across.last().copied().unwrap_or(1.0), up.last().copied().unwrap_or(1.0));
    let at = |x: f64, y: f64| (left + x / most_x * (right - left), bottom - y / most_y * (bottom - top));
    let mut svg = open(HEIGHT);
    for value in up {
        let (_, y) = at(0.0, value);
        let _ = writeln!(svg, "<path d=\"M{left} {y:.1}H{right}\" class=\"grid\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 8.0,
            y + 4.0,
            figure(value)
        );
    }
    for value in across {
        let (x, _) = at(value, 0.0);
        let _ =
            writeln!(svg, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>", bottom + 18.0, value as u64);
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">containers alive</text>",
        (left + right) / 2.0,
        HEIGHT - 8.0
    );
    let _ = writeln!(
        svg,
        "<text x=\"14\" y=\"{}\" text-anchor=\"middle\" transform=\"rotate(-90 14 {0})\">ms</text>",
        (top + bottom) / 2.0
    );
    let mut labels: Vec<(f64, &Series, &str)> = Vec::new();
    for (one, colour) in series.iter().zip(COLOURS) {
        let path: Vec<String> =
            one.points.iter().map(|(x, y)| at(*x as f64, *y)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        labels.extend(one.points.last().map(|(x, y)| (at(*x as f64, *y).1, one, colour)));
    }
    // From the axis up, each at least a line above the last.
    labels.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut free = bottom - 4.0;
    for (y, one, colour) in labels {
        let y = y.min(free);
        free = y - 16.0;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" style=\"fill:{colour};font-weight:600\">{}</text>",
            right + 8.0,
            y + 4.0,
            one.name
        );
    }
    svg + "</svg>\n"
}

fn open(height: f64) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\">\n")
}

/// Round numbers from 0 to just above the greatest value: steps of 1, 2 or 5 times a power of ten.
fn ticks(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let most = values.fold(0.0, f64::max).max(1e-3);
    let power = 10f64.powf((most / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| most / step <= 6.0);
    let step = step.unwrap_or(power * 10.0);
    (0..=(most / step).ceil() as usize).map(|number| number as f64 * step).collect()
}

fn figure(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        value if value >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Text for XML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_medians() {
        let (one, two) = (Summary::of([1.0]).unwrap(), Summary::of([2.0]).unwrap());
        let svg = bars("ms", &[("a<b", &one), ("c", &two)]);
        let wide = |x: f64| format!("width=\"{x:.1}\"");
        assert!(svg.contains(&wide((WIDTH - LEFT - 90.0) / 2.0)) && svg.contains(&wide(WIDTH - LEFT - 90.0)), "{svg}");
        assert!(svg.contains("a&lt;b") && svg.contains("2 ms"), "{svg}");
    }

    #[test]
    fn ticks_are_round_and_reach_the_greatest() {
        assert_eq!(ticks([3.0, 480.0].into_iter()), [0.0, 100.0, 200.0, 300.0, 400.0, 500.0]);
        assert_eq!(ticks([4.2].into_iter()), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}
