//! The plot of OSADL's QA farm: microseconds across in bins of one, counts upwards by powers of ten, a curve a CPU.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// Of the drawing, in SVG's units.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
/// For the axes' numbers.
const LEFT: f64 = 60.0;
const BELOW: f64 = 40.0;
/// Colours that the colour-blind can tell (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// Counts of whole microseconds.
fn bins(histogram: &Histogram<u64>) -> Vec<u64> {
    let mut bins = vec![0; (histogram.max() / 1_000) as usize + 1];
    for value in histogram.iter_recorded() {
        // A bucket's upper end may be beyond the maximum.
        let bin = (value.value_iterated_to() / 1_000) as usize;
        let last = bins.len() - 1;
        bins[bin.min(last)] += value.count_at_value();
    }
    bins
}

/// One drawing; `right` is the same for all drawings of a report, so that they can be laid side by side.
pub fn svg(title: &str, curves: &[(String, &Histogram<u64>)], right: u64, top: u64) -> String {
    let (right, decades) = (right.max(10) as f64, (top.max(10) as f64).log10().ceil());
    let x = |micros: f64| LEFT + micros.min(right) / right * (WIDTH - LEFT - 10.0);
    let y = |count: f64| {
        let height = if count < 1.0 { 0.0 } else { (count.log10() + 0.3) / (decades + 0.3) };
        HEIGHT - BELOW - height * (HEIGHT - BELOW - 10.0)
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    axes(&mut svg, right, decades, &x, &y);
    for (index, (name, histogram)) in curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let _ = writeln!(
            svg,
            "<path d=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.2\"/>",
            path(histogram, &x, &y)
        );
        let max = histogram.max() as f64 / 1_000.0;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" fill=\"{colour}\" text-anchor=\"end\" font-size=\"12\">{name}: max {max:.0} µs</text>",
            WIDTH - 14.0,
            24.0 + 15.0 * index as f64
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn path(histogram: &Histogram<u64>, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut before = 0;
    for (bin, count) in bins(histogram).into_iter().enumerate() {
        // Runs of empty bins are one line along the axis.
        if count > 0 || before > 0 {
            if before == 0 {
                let _ = write!(path, "{}{:.1} {:.1}", if path.is_empty() { "M" } else { "L" }, x(bin as f64), y(0.0));
            }
            let _ = write!(path, "L{:.1} {:.1}", x(bin as f64), y(count as f64));
            let _ = write!(path, "L{:.1} {:.1}", x(bin as f64 + 1.0), y(count as f64));
        }
        before = count;
    }
    let _ = write!(path, "L{:.1} {:.1}", x(bins(histogram).len() as f64), y(0.0));
    path
}

fn axes(svg: &mut String, right: f64, decades: f64, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
    let mut label = |at: (f64, f64), anchor: &str, text: &str| {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" font-size=\"11\" fill=\"#444\">{text}</text>",
            at.0, at.1
        );
    };
    let step = step(right);
    let mut lines = String::new();
    let mut micros = 0.0;
    while micros <= right {
        label((x(micros), y(0.0) + 16.0), "middle", &format!("{micros:.0}"));
        let _ = writeln!(
            lines,
            "<path d=\"M{0:.1} {1:.1}V{2:.1}\" stroke=\"#eee\"/>",
            x(micros),
            y(0.0),
            y(10f64.powf(decades))
        );
        micros += step;
    }
    for decade in 0..=decades as i32 {
        let count = 10f64.powi(decade);
        label(
            (LEFT - 6.0, y(count) + 4.0),
            "end",
            &if decade < 4 { format!("{count:.0}") } else { format!("1e{decade}") },
        );
        let _ = writeln!(lines, "<path d=\"M{LEFT} {0:.1}H{1:.1}\" stroke=\"#ddd\"/>", y(count), x(right));
    }
    label((WIDTH / 2.0, HEIGHT - 6.0), "middle", "latency, µs");
    label((8.0, 16.0), "start", "samples");
    let _ = writeln!(lines, "<path d=\"M{LEFT} {0:.1}H{1:.1}\" stroke=\"#444\"/>", y(0.0), x(right));
    svg.push_str(&lines);
}

/// A round distance between numbers, so that at most ten fit.
fn step(right: f64) -> f64 {
    let scale = 10f64.powf((right / 10.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * scale).find(|step| right / step <= 10.0).unwrap_or(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_in_a_bin() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 10_000_000, 3).unwrap();
        for value in [0, 900, 1_000, 1_999, 5_000_000] {
            histogram.record(value).unwrap();
        }
        let bins = bins(&histogram);
        assert_eq!((bins[0], bins[1], bins.iter().sum::<u64>()), (2, 2, 5));
    }

    #[test]
    fn axes_have_at_most_ten_steps() {
        for right in [10.0, 99.0, 100.0, 1_234.0, 50_000.0] {
            assert!((2.0..=10.0).contains(&(right / step(right))), "{right}");
        }
    }
}
