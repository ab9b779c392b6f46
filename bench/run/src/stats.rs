//! Medians, ratios, slopes.
//!
//! Arithmetic on measured numbers and nothing else, so that it can be tested.

/// The middle one, or the mean of the middle two; `None` of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => None,
        len if len % 2 == 1 => Some(sorted[len / 2]),
        len => Some(f64::midpoint(sorted[len / 2 - 1], sorted[len / 2])),
    }
}

/// How many times `other` is as much as `one`.
pub fn ratio(other: f64, one: f64) -> Option<f64> {
    (one > 0.0 && other.is_finite()).then(|| other / one)
}

/// Between neighbours of a curve, the slope in logarithms: 1 where cost grows as work does.
pub fn slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let slope = |pair: &[(f64, f64)]| (pair[1].1 / pair[0].1).ln() / (pair[1].0 / pair[0].0).ln();
    points.windows(2).map(slope).collect()
}

/// With three digits that count.
pub fn three(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// A number of bytes, short.
pub fn bytes(count: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let value = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{} kB", three(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} MB", three(value / 1e6)),
        _ => format!("{} GB", three(value / 1e9)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median([7.0]), Some(7.0));
        assert_eq!(median([]), None);
    }

    #[test]
    fn ratios_and_slopes_say_how_much_more() {
        assert_eq!(ratio(3.0, 1.5), Some(2.0));
        assert_eq!(ratio(3.0, 0.0), None);
        let slopes = slopes(&[(10.0, 1.0), (100.0, 10.0), (1000.0, 1000.0)]);
        assert!((slopes[0] - 1.0).abs() < 1e-9 && (slopes[1] - 2.0).abs() < 1e-9, "{slopes:?}");
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(0.01234, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (1234.4, "1234")] {
            assert_eq!(three(value), text);
        }
        for (count, text) in [(999, "999 B"), (41_000, "41.0 kB"), (8_400_000, "8.40 MB"), (4_294_967_296, "4.29 GB")] {
            assert_eq!(bytes(count), text);
        }
    }
}
