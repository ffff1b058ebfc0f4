//! Results as Markdown: medians with their spread, and ratios taken round by round.

use std::collections::BTreeMap;
use std::fmt::Write;

use hdrhistogram::Histogram;

use crate::load::Sample;
use crate::peers::Kind;

/// All rounds of one workload.
pub struct Series {
    /// Its heading.
    pub title: String,
    /// What the cost is.
    pub cost: &'static str,
    /// What the speed is; `None` where it means nothing.
    pub speed: Option<&'static str>,
    /// Per relay the samples, one per round; `None` where a run failed.
    pub samples: BTreeMap<Kind, Vec<Option<Sample>>>,
    /// Relays that were left out, and why.
    pub skipped: Vec<(Kind, String)>,
}

/// Relays that others are compared with.
const YARDSTICKS: [Kind; 4] =
    [Kind::Haproxy, Kind::HaproxySplice, Kind::HaproxyTcpdump, Kind::Rdpwhy];

impl Series {
    /// The series as a section with a table.
    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n| relay | {} |", self.title, self.cost);
        let yardsticks: Vec<Kind> =
            YARDSTICKS.into_iter().filter(|kind| self.samples.contains_key(kind)).collect();
        for kind in &yardsticks {
            let _ = write!(text, " ratio to {} |", kind.name());
        }
        let latencies = self.samples.values().flatten().flatten().any(|s| s.latency.is_some());
        if latencies {
            text += " added p50 µs | added p99 µs | added p99.9 µs | p50 ratio to haproxy |";
        }
        if let Some(speed) = self.speed {
            let _ = write!(text, " {speed} |");
        }
        let columns = text.lines().last().map_or(0, |line| line.matches('|').count() - 1);
        let _ = writeln!(text, "\n|{}", " --- |".repeat(columns));
        for (kind, samples) in &self.samples {
            let _ = write!(text, "| {} | {} |", kind.name(), self.costs(*kind, samples));
            for yardstick in &yardsticks {
                let _ = write!(text, " {} |", self.ratios(samples, *yardstick));
            }
            if latencies {
                for quantile in [0.5, 0.99, 0.999] {
                    let _ = write!(text, " {} |", self.added(*kind, samples, quantile));
                }
                let _ = write!(text, " {} |", self.median_ratios(samples));
            }
            if self.speed.is_some() {
                let speeds = samples.iter().flatten().map(|sample| sample.speed).collect();
                let _ = write!(text, " {} |", spread(speeds));
            }
            text.push('\n');
        }
        for (kind, why) in &self.skipped {
            let _ = writeln!(text, "\n{}: skipped: {why}", kind.name());
        }
        text + &self.every_round(latencies)
    }

    /// The costs as they were measured, and the medians of the latency.
    fn every_round(&self, latencies: bool) -> String {
        let names = self.samples.keys().map(|kind| kind.name()).collect::<Vec<_>>().join(" | ");
        let p50 = if latencies { " / p50 µs" } else { "" };
        let mut text = format!(
            "\nEvery round, {}{p50}:\n\n| round | {names} |\n|{}\n",
            self.cost,
            " --- |".repeat(self.samples.len() + 1)
        );
        let rounds = self.samples.values().map(Vec::len).max().unwrap_or(0);
        for round in 0..rounds {
            let cells = self.samples.iter().map(|(kind, samples)| {
                let Some(Some(sample)) = samples.get(round) else { return "failed".to_owned() };
                let cost = match kind {
                    Kind::Direct => "–".to_owned(),
                    _ => number(sample.cost),
                };
                let median = sample.latency.as_ref().map(median);
                cost + &median.map_or_else(String::new, |p50| format!(" / {}", number(p50)))
            });
            let _ = writeln!(text, "| {} | {} |", round + 1, cells.collect::<Vec<_>>().join(" | "));
        }
        text
    }

    /// Runs that failed.
    pub fn failures(&self) -> usize {
        self.samples.values().flatten().filter(|sample| sample.is_none()).count()
    }

    fn costs(&self, kind: Kind, samples: &[Option<Sample>]) -> String {
        if kind == Kind::Direct {
            return "–".to_owned();
        }
        let mut text = spread(samples.iter().flatten().map(|sample| sample.cost).collect());
        let recorded = || samples.iter().flatten().filter_map(|sample| sample.recorded);
        if let Some(bytes) = recorded().map(|recorded| recorded.bytes).min() {
            let _ = write!(text, ", {} MiB recorded", bytes >> 20);
        }
        let dropped: Vec<f64> =
            recorded().filter_map(|recorded| Some(recorded.dropped? as f64)).collect();
        if !dropped.is_empty() {
            let _ = write!(text, ", {} packets dropped", spread(dropped));
        }
        text
    }

    fn ratios(&self, samples: &[Option<Sample>], yardstick: Kind) -> String {
        let Some(base) = self.samples.get(&yardstick) else { return "–".to_owned() };
        spread(
            samples
                .iter()
                .zip(base)
                .filter_map(|(one, base)| Some((one.as_ref()?.cost, base.as_ref()?.cost)))
                .filter(|(cost, base)| *cost > 0.0 && *base > 0.0)
                .map(|(cost, base)| cost / base)
                .collect(),
        )
    }

    /// The median latency in all beside HAProxy's in the same round.
    fn median_ratios(&self, samples: &[Option<Sample>]) -> String {
        let Some(base) = self.samples.get(&Kind::Haproxy) else { return "–".to_owned() };
        let of = |sample: &Option<Sample>| Some(median(sample.as_ref()?.latency.as_ref()?));
        let ratios = samples.iter().zip(base).filter_map(|(one, base)| Some(of(one)? / of(base)?));
        spread(ratios.collect())
    }

    /// What the relay adds to a quantile of the latency without one, in the same round. For `direct`
    /// the quantile itself.
    fn added(&self, kind: Kind, samples: &[Option<Sample>], quantile: f64) -> String {
        let of = |sample: &Option<Sample>| {
            let latency: &Histogram<u64> = sample.as_ref()?.latency.as_ref()?;
            Some(latency.value_at_quantile(quantile) as f64 / 1e3)
        };
        let direct = self.samples.get(&Kind::Direct).filter(|_| kind != Kind::Direct);
        let micros = samples.iter().enumerate().filter_map(|(round, sample)| {
            let without = direct.map_or(Some(0.0), |direct| of(direct.get(round)?))?;
            Some(of(sample)? - without)
        });
        let text = spread(micros.collect());
        if kind == Kind::Direct { format!("(in all {text})") } else { text }
    }
}

/// In microseconds.
fn median(latency: &Histogram<u64>) -> f64 {
    latency.value_at_quantile(0.5) as f64 / 1e3
}

/// `median [min..max]`, or a dash for nothing.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else {
        return "–".to_owned();
    };
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    };
    format!("{} [{}..{}]", number(median), number(*least), number(*most))
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
