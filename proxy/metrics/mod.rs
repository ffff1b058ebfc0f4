//! Measures for Prometheus: what they are, the formats that carry them, and the endpoint that serves them.

mod http;
mod native;
mod text;

use hdrhistogram::Histogram;
use rdpwhy_analyzer::report::Outcome;

use crate::latency::Latencies;
use crate::measures::Sessions;

pub use http::serve;

/// How the measures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text exposition format 0.0.4: classic histograms.
    Text,
    /// The protobuf exposition format: native histograms with classic ones beside them.
    Protobuf,
}

/// Upper bounds of the classic buckets, in s: from a handshake on one machine to a session that hangs.
const BOUNDS: [f64; 19] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0, 300.0,
];

/// ns in a second.
const SECOND: f64 = 1e9;

/// Everything that is measured, as it stands.
pub fn write(sessions: &Sessions, latencies: &Latencies, format: Format) -> Vec<u8> {
    let families = families(sessions, latencies);
    match format {
        Format::Text => text::encode(&families).into_bytes(),
        Format::Protobuf => native::encode(&families),
    }
}

/// Measures of one name.
struct Family<'a> {
    name: &'static str,
    help: &'static str,
    values: Values<'a>,
}

enum Values<'a> {
    Counter(Vec<Series<u64>>),
    Gauge(Vec<Series<u64>>),
    /// Times in ns.
    Histogram(Vec<Series<&'a Histogram<u64>>>),
}

/// A value and its labels.
struct Series<T> {
    labels: Vec<(&'static str, String)>,
    value: T,
}

/// What a classic histogram says.
struct Classic {
    /// Upper bounds in s, and how many values are not above.
    below: Vec<(f64, u64)>,
    count: u64,
    /// In s.
    sum: f64,
}

fn families<'a>(sessions: &Sessions, latencies: &'a Latencies) -> [Family<'a>; 5] {
    let series = |labels: Vec<(&'static str, String)>, value| Series { labels, value };
    let judged = sessions.judged.iter().map(|((outcome, what, cause), count)| {
        let outcome = outcome_name(*outcome).to_owned();
        let labels = vec![("outcome", outcome), ("what", what.clone()), ("cause", cause.clone())];
        series(labels, *count)
    });
    let bytes = ["to_server", "to_client"].into_iter().zip(sessions.bytes);
    let bytes = bytes.map(|(dir, bytes)| series(vec![("direction", dir.to_owned())], bytes));
    let steps = latencies.iter().map(|(step, leg, histogram)| Series {
        labels: vec![("step", step.name().to_owned()), ("leg", leg.name().to_owned())],
        value: histogram,
    });
    [
        Family {
            name: "rdpwhy_open_sessions",
            help: "Sessions that are open.",
            values: Values::Gauge(vec![series(Vec::new(), sessions.open.len() as u64)]),
        },
        Family {
            name: "rdpwhy_facts_bytes",
            help: "Memory that the facts of open sessions take; what some share counts for each.",
            values: Values::Gauge(vec![series(Vec::new(), sessions.facts)]),
        },
        Family {
            name: "rdpwhy_sessions_total",
            help: "Sessions with a final verdict, by outcome, phenomenon and cause.",
            values: Values::Counter(judged.collect()),
        },
        Family {
            name: "rdpwhy_session_bytes_total",
            help: "Bytes of sessions that are over, by direction.",
            values: Values::Counter(bytes.collect()),
        },
        Family {
            name: "rdpwhy_step_duration_seconds",
            help: "Time that a step took, by leg; not corrected: no rate is known. The sum has three significant digits.",
            values: Values::Histogram(steps.collect()),
        },
    ]
}

/// Buckets that each hold those below them, sum and count.
fn classic(histogram: &Histogram<u64>) -> Classic {
    let count = histogram.len();
    let below = BOUNDS.map(|bound| (bound, histogram.count_between(0, (bound * SECOND) as u64)));
    let sum = histogram.mean() * count as f64 / SECOND;
    Classic { below: below.to_vec(), count, sum }
}

/// The outcome as reports have it.
fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Established => "established",
        Outcome::Rehearsal => "rehearsal",
        Outcome::Failed => "failed",
        Outcome::Unknown => "unknown",
        Outcome::NotRdp => "not_rdp",
    }
}
