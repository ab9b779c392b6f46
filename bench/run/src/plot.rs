//! Pictures of results, as SVG: bars for a workload, lines for a curve.
//!
//! Written by hand: a few rectangles and lines need no library. Colours hold on light
//! and dark pages, and nothing is told by colour alone.

use crate::curves::{Axis, Curve, Point};
use crate::results::{Measured, Summary};
use crate::stats::three;
use crate::tools::Tool;
use std::fmt::Write;

const WIDTH: f64 = 860.0;
const OURS: &str = "#1f77b4";
const THEIRS: &str = "#999999";
const COLOURS: [&str; 6] = ["#1f77b4", "#2ca02c", "#d62728", "#9467bd", "#ff7f0e", "#8c564b"];

fn svg(height: f64, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn label(x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>\n", escaped(text))
}

fn line(from: (f64, f64), to: (f64, f64), style: &str) -> String {
    format!("<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" {style}/>\n", from.0, from.1, to.0, to.1)
}

/// Wall and CPU time of everybody who did the work, as bars side by side.
pub fn bars(measured: &Measured) -> String {
    let summaries: Vec<Summary> = measured.summaries().into_iter().filter(Summary::is_good).collect();
    let mut body = label(10.0, 20.0, "start", &format!("{}: {}", measured.name, measured.what));
    for (column, name, of) in
        [(0.0, "wall s", (|it: &Summary| it.wall_s) as fn(&Summary) -> f64), (1.0, "CPU s", |it: &Summary| it.cpu_s)]
    {
        let left = 110.0 + column * 375.0;
        let most = summaries.iter().map(of).fold(f64::MIN_POSITIVE, f64::max);
        body += &label(left, 44.0, "start", name);
        for (row, summary) in (0_u32..).zip(&summaries) {
            let top = 52.0 + f64::from(row) * 22.0;
            let (width, colour) =
                (of(summary) / most * 290.0, if summary.tool == Tool::Tidelock { OURS } else { THEIRS });
            if column == 0.0 {
                body += &label(left - 8.0, top + 13.0, "end", summary.tool.name());
            }
            let _ = writeln!(
                body,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"17\" fill=\"{colour}\"/>"
            );
            body += &label(left + width + 5.0, top + 13.0, "start", &three(of(summary)));
        }
    }
    svg(62.0 + 22.0 * f64::from(u32::try_from(summaries.len()).unwrap_or(0)), &body)
}

/// Where a decade begins and ends, in logarithms.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let logs: Vec<f64> = values.filter(|value| *value > 0.0).map(f64::log10).collect();
    let low = logs.iter().copied().fold(f64::MAX, f64::min).floor();
    let high = logs.iter().copied().fold(f64::MIN, f64::max).ceil();
    if high > low { (low, high) } else { (low, low + 1.0) }
}

/// Cost over work, both in logarithms, so that a slope is a straight line: wall time
/// drawn through, CPU time dashed.
pub fn curves(axis: Axis, all: &[Curve]) -> String {
    const HEIGHT: f64 = 460.0;
    let chosen: Vec<&Curve> = all.iter().filter(|curve| curve.axis == axis).collect();
    let points = || chosen.iter().flat_map(|curve| &curve.points);
    if points().next().is_none() {
        return svg(HEIGHT, "");
    }
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let work = |point: &Point| point.work as f64;
    let (x0, x1) = decades(points().map(work));
    let (y0, y1) = decades(points().flat_map(|point| [point.wall_s, point.cpu_s]));
    let x = |value: f64| 60.0 + (value.log10() - x0) / (x1 - x0) * 520.0;
    let y = |value: f64| HEIGHT - 40.0 - (value.max(1e-6).log10() - y0) / (y1 - y0) * (HEIGHT - 80.0);
    let mut body = label(10.0, 20.0, "start", &format!("seconds by {} (both axes logarithmic)", axis.unit()));
    let mut at = y0;
    while at <= y1 {
        let value = 10_f64.powf(at);
        body += &line((60.0, y(value)), (580.0, y(value)), "stroke=\"#dddddd\"");
        body += &label(54.0, y(value) + 4.0, "end", &three(value));
        at += 1.0;
    }
    let mut works: Vec<u64> = points().map(|point| point.work).collect();
    works.sort_unstable();
    works.dedup();
    for each in works {
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let at = x(each as f64);
        body += &line((at, 40.0), (at, HEIGHT - 40.0), "stroke=\"#eeeeee\"");
        body += &label(at, HEIGHT - 22.0, "middle", &axis.label(each));
    }
    for (n, curve) in (0_u32..).zip(&chosen) {
        let colour = COLOURS[n as usize % COLOURS.len()];
        for (of, dash) in
            [((|it: &Point| it.wall_s) as fn(&Point) -> f64, ""), (|it: &Point| it.cpu_s, "stroke-dasharray=\"5 4\"")]
        {
            for pair in curve.points.windows(2) {
                let place = |point: &Point| (x(work(point)), y(of(point)));
                let style = format!("stroke=\"{colour}\" stroke-width=\"2\" {dash}");
                body += &line(place(&pair[0]), place(&pair[1]), &style);
            }
            for point in &curve.points {
                let _ = writeln!(
                    body,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                    x(work(point)),
                    y(of(point))
                );
            }
        }
        let top = 60.0 + 20.0 * f64::from(n);
        body += &line((592.0, top - 4.0), (612.0, top - 4.0), &format!("stroke=\"{colour}\" stroke-width=\"3\""));
        body += &label(618.0, top, "start", &curve.name);
    }
    body += &label(592.0, HEIGHT - 40.0, "start", "drawn through: wall; dashed: CPU");
    svg(HEIGHT, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_whole_decades() {
        assert_eq!(decades([0.2, 30.0].into_iter()), (-1.0, 2.0));
        assert_eq!(decades([10.0].into_iter()), (1.0, 2.0));
    }

    #[test]
    fn a_curve_that_keeps_its_slope_is_a_straight_line() {
        let point = |work: u64, wall_s: f64| Point { work, wall_s, cpu_s: wall_s, rss_bytes: 0 };
        let curve = Curve {
            name: "a < b".to_owned(),
            axis: Axis::Files,
            points: vec![point(10, 0.1), point(100, 1.0), point(1000, 10.0)],
        };
        let text = curves(Axis::Files, std::slice::from_ref(&curve));
        assert!(text.contains("a &lt; b") && text.ends_with("</svg>\n"));
        let value = |line: &str, name: &str| -> f64 {
            let rest = line.split(&format!("{name}=\"")).nth(1).expect("an attribute");
            rest.split('"').next().and_then(|text| text.parse().ok()).expect("a number")
        };
        let circles: Vec<(f64, f64)> = text
            .lines()
            .filter(|line| line.starts_with("<circle"))
            .map(|line| (value(line, "cx"), value(line, "cy")))
            .collect();
        let slope = |n: usize| (circles[n + 1].1 - circles[n].1) / (circles[n + 1].0 - circles[n].0);
        assert!((slope(0) - slope(1)).abs() < 0.01, "{circles:?}");
        assert!(!curves(Axis::Bytes, &[curve]).contains("circle"));
    }
}
