//! The summary for people.

use super::Latencies;

/// The quantiles of the columns behind the minimum.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// One row per step and leg, and below it what was corrected and what was left out. Says so where there
/// is nothing.
pub fn table(latencies: &Latencies) -> String {
    if latencies.is_empty() {
        return "latency: no step was timed\n".to_owned();
    }
    let head = ["step", "leg", "count", "min", "p50", "p90", "p99", "p99.9", "max"];
    let mut rows = vec![head.map(str::to_owned)];
    let mut notes: Vec<(&'static str, Vec<&'static str>)> = Vec::new();
    for (step, leg, histogram) in latencies.iter() {
        let [p50, p90, p99, p999] = QUANTILES.map(|q| words(histogram.value_at_quantile(q)));
        let [min, max] = [histogram.min(), histogram.max()].map(words);
        let [name, leg] = [step.name(), leg.name()].map(str::to_owned);
        rows.push([name, leg, histogram.len().to_string(), min, p50, p90, p99, p999, max]);
        let note = latencies.correction(step);
        match notes.iter_mut().find(|(words, _)| *words == note) {
            Some((_, steps)) if steps.contains(&step.name()) => {}
            Some((_, steps)) => steps.push(step.name()),
            None => notes.push((note, vec![step.name()])),
        }
    }
    let mut text = aligned(&rows);
    match notes.as_slice() {
        [(note, _)] => text += &format!("{note}\n"),
        several => {
            for (note, steps) in several {
                text += &format!("{}: {note}\n", steps.join(", "));
            }
        }
    }
    text
}

/// Names to the left, numbers to the right.
fn aligned(rows: &[[String; 9]]) -> String {
    let mut widths = [0; 9];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column < 2 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// A time in ns with three significant digits and its unit.
fn words(ns: u64) -> String {
    let us = ns as f64 / 1000.0;
    let (value, unit) = match us {
        ..999.5 => (us, "us"),
        ..999_500.0 => (us / 1e3, "ms"),
        _ => (us / 1e6, "s"),
    };
    let decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::super::{Leg, Step};
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        let said = [1_000, 23_400, 999_600, 1_532_000, 99_960_000, 2_100_000_000].map(words);
        assert_eq!(said, ["1.00 us", "23.4 us", "1.00 ms", "1.53 ms", "100 ms", "2.10 s"]);
    }

    #[test]
    fn the_columns_are_aligned_and_nothing_is_said_to_be_corrected() {
        let mut latencies = Latencies::default();
        for ms in 1..=1000 {
            latencies.record(Step::Tcp, Leg::Server, Duration::from_millis(ms));
        }
        latencies.record(Step::ServerTurn, Leg::Server, Duration::from_micros(7));
        let text = table(&latencies);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].len(), lines[1].len());
        assert_eq!(lines[1].len(), lines[2].len());
        let cells: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(cells[..5], ["tcp", "server", "1000", "1.00", "ms"]);
        // Three significant digits: the value is the upper end of its bucket.
        assert_eq!(cells[5..], ["500", "ms", "900", "ms", "990", "ms", "999", "ms", "1.00", "s"]);
        assert_eq!(lines[3], "not corrected: no rate is known");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn what_is_corrected_is_told_from_what_is_not() {
        let mut latencies = Latencies::default();
        for step in [Step::Tcp, Step::X224, Step::Response] {
            latencies.record(step, Leg::Single, Duration::from_millis(1));
        }
        let text = table(&latencies);
        assert!(text.contains("tcp, x224: timed from the actual start: not corrected"), "{text}");
        assert!(text.contains("response: timed from the intended start: corrected"), "{text}");
        assert_eq!(table(&Latencies::default()), "latency: no step was timed\n");
    }
}
