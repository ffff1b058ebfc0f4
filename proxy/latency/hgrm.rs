//! `.hgrm`: the percentile distribution as the plotter of HdrHistogram reads it; values in ms.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// Lines between two halvings of the distance to 100 %, as the other implementations have it.
const TICKS: u32 = 5;
/// ns in the unit of the values.
const MS: f64 = 1e6;

/// The distribution; `note` stands in its last line, as a comment.
pub(super) fn text(histogram: &Histogram<u64>, note: &str) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0;
    for value in histogram.iter_quantiles(TICKS) {
        total += value.count_since_last_iteration();
        let quantile = value.quantile_iterated_to();
        let at = value.value_iterated_to() as f64 / MS;
        let _ = match quantile {
            // The reciprocal is no number there.
            1.0.. => writeln!(text, "{at:12.3} {quantile:2.12} {total:10}"),
            _ => {
                let reciprocal = 1.0 / (1.0 - quantile);
                writeln!(text, "{at:12.3} {quantile:2.12} {total:10} {reciprocal:14.2}")
            }
        };
    }
    let [mean, deviation, max] =
        [histogram.mean(), histogram.stdev(), histogram.max() as f64].map(|value| value / MS);
    let [buckets, sub_buckets] = [u32::from(histogram.buckets()), sub_buckets(histogram)];
    let count = histogram.len();
    let _ = writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(text, "#[Max     = {max:12.3}, Total count    = {count:12}]");
    let _ = writeln!(text, "#[Buckets = {buckets:12}, SubBuckets     = {sub_buckets:12}]");
    let _ = writeln!(text, "# values in ms; {note}");
    text
}

/// Slots of a bucket: the power of two that tells twice as many values apart as the digits ask for.
fn sub_buckets(histogram: &Histogram<u64>) -> u32 {
    (2 * 10_u32.pow(histogram.sigfig().into())).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plotter_finds_its_columns_and_the_footer() {
        let mut histogram = super::super::empty();
        for ms in 1..=4_u64 {
            histogram.record(ms * 1_000_000).unwrap();
        }
        let text = text(&histogram, "not corrected: no rate is known");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(lines[1], "");
        let columns = |line: &str| -> Vec<f64> {
            line.split_whitespace().map(|cell| cell.parse().unwrap()).collect()
        };
        let first = columns(lines[2]);
        assert_eq!((first[1], first[2], first[3]), (0.0, 1.0, 1.0));
        assert!((first[0] - 1.0).abs() < 0.002, "{first:?}");
        let rows: Vec<Vec<f64>> = lines[2..]
            .iter()
            .take_while(|line| !line.starts_with('#'))
            .map(|l| columns(l))
            .collect();
        let half = rows.iter().find(|row| row[1] == 0.5).unwrap();
        assert_eq!((half[2], half[3]), (2.0, 2.0));
        let last = rows.last().unwrap();
        assert_eq!((last.len(), last[1], last[2]), (3, 1.0, 4.0));
        let footer = &lines[2 + rows.len()..];
        assert_eq!(footer[0], "#[Mean    =        2.500, StdDeviation   =        1.118]");
        assert!(footer[1].ends_with("Total count    =            4]"), "{}", footer[1]);
        assert!(footer[2].ends_with("SubBuckets     =         2048]"), "{}", footer[2]);
        assert_eq!(footer[3], "# values in ms; not corrected: no rate is known");
    }
}
