//! The summary for programs.

use serde::Serialize;

use super::{Latencies, Leg, Step};
use hdrhistogram::Histogram;

/// Schema of the document.
const SCHEMA: &str = "rdpwhy-latency/1";

/// All steps and legs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    /// Always `rdpwhy-latency/1`.
    pub schema: &'static str,
    /// One per step and leg.
    pub histograms: Vec<Row>,
}

/// One step of one leg; times in µs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Name of the step.
    pub step: &'static str,
    /// client, server, both (across a relay), single.
    pub leg: &'static str,
    /// Timed from its intended start.
    pub corrected: bool,
    /// The same in words.
    pub correction: &'static str,
    /// How many times.
    pub count: u64,
    /// The shortest.
    pub min_us: f64,
    /// The mean.
    pub mean_us: f64,
    /// The median.
    pub p50_us: f64,
    /// Nine of ten are not longer.
    pub p90_us: f64,
    /// 99 of 100 are not longer.
    pub p99_us: f64,
    /// 999 of 1000 are not longer.
    pub p99_9_us: f64,
    /// The longest.
    pub max_us: f64,
}

impl Document {
    /// Of everything that was recorded.
    pub fn new(latencies: &Latencies) -> Document {
        let row = |(step, leg, histogram)| row(latencies, step, leg, histogram);
        Document { schema: SCHEMA, histograms: latencies.iter().map(row).collect() }
    }
}

fn row(latencies: &Latencies, step: Step, leg: Leg, histogram: &Histogram<u64>) -> Row {
    let us = |ns: f64| (ns / 100.0).round() / 10.0;
    let at = |quantile| us(histogram.value_at_quantile(quantile) as f64);
    Row {
        step: step.name(),
        leg: leg.name(),
        corrected: step.is_from_intended_start(),
        correction: latencies.correction(step),
        count: histogram.len(),
        min_us: us(histogram.min() as f64),
        mean_us: us(histogram.mean()),
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p99_9_us: at(0.999),
        max_us: us(histogram.max() as f64),
    }
}
