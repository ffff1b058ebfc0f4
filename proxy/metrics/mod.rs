//! Measures for Prometheus: the text exposition format 0.0.4, and the endpoint that serves it.

mod http;

use std::fmt::Write;

use hdrhistogram::Histogram;
use rdpwhy_analyzer::report::Outcome;

use crate::latency::Latencies;
use crate::measures::Sessions;

pub use http::{CONTENT_TYPE, serve};

/// Upper bounds of the buckets, in s: from a handshake on one machine to a session that hangs.
const BOUNDS: [f64; 19] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0, 300.0,
];

/// ns in a second.
const SECOND: f64 = 1e9;

/// Everything that is measured, as it stands.
pub fn text(sessions: &Sessions, latencies: &Latencies) -> String {
    let mut text = String::new();
    head(&mut text, "rdpwhy_open_sessions", "gauge", "Sessions that are open.");
    let _ = writeln!(text, "rdpwhy_open_sessions {}", sessions.open.len());

    let name = "rdpwhy_sessions_total";
    head(
        &mut text,
        name,
        "counter",
        "Sessions with a final verdict, by outcome, phenomenon and cause.",
    );
    for ((outcome, what, cause), count) in &sessions.judged {
        let outcome = outcome_name(*outcome);
        let _ = writeln!(
            text,
            "{name}{{outcome=\"{outcome}\",what=\"{what}\",cause=\"{cause}\"}} {count}"
        );
    }

    let name = "rdpwhy_session_bytes_total";
    head(&mut text, name, "counter", "Bytes of sessions that are over, by direction.");
    for (direction, bytes) in ["to_server", "to_client"].iter().zip(sessions.bytes) {
        let _ = writeln!(text, "{name}{{direction=\"{direction}\"}} {bytes}");
    }

    let name = "rdpwhy_step_duration_seconds";
    let help = "Time that a step took, by leg; not corrected: no rate is known. The sum has three significant digits.";
    head(&mut text, name, "histogram", help);
    for (step, leg, histogram) in latencies.iter() {
        let labels = format!("step=\"{}\",leg=\"{}\"", step.name(), leg.name());
        buckets(&mut text, name, &labels, histogram);
    }
    text
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// A classic histogram: buckets that each hold those below them, sum and count.
fn buckets(text: &mut String, name: &str, labels: &str, histogram: &Histogram<u64>) {
    let count = histogram.len();
    for bound in BOUNDS {
        let below = histogram.count_between(0, (bound * SECOND) as u64);
        let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {below}");
    }
    let sum = histogram.mean() * count as f64 / SECOND;
    let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
    let _ = writeln!(text, "{name}_sum{{{labels}}} {sum}");
    let _ = writeln!(text, "{name}_count{{{labels}}} {count}");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::{Leg, Step};
    use std::time::Duration;

    fn value(text: &str, series: &str) -> f64 {
        let line = text.lines().find(|line| line.rsplit_once(' ').unwrap().0 == series);
        line.unwrap_or_else(|| panic!("no {series} in\n{text}"))
            .rsplit_once(' ')
            .unwrap()
            .1
            .parse()
            .unwrap()
    }

    #[test]
    fn buckets_hold_those_below_them() {
        let mut latencies = Latencies::default();
        for ms in [1, 2, 40, 400_000] {
            latencies.record(Step::Tls, Leg::Both, Duration::from_millis(ms));
        }
        let text = text(&Sessions::default(), &latencies);
        let at = |le: &str| {
            let name = "rdpwhy_step_duration_seconds_bucket";
            value(&text, &format!("{name}{{step=\"tls\",leg=\"both\",le=\"{le}\"}}"))
        };
        assert_eq!(
            ["0.0005", "0.001", "0.0025", "0.025", "0.05", "300", "+Inf"].map(at),
            [0.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0]
        );
        let sum = value(&text, "rdpwhy_step_duration_seconds_sum{step=\"tls\",leg=\"both\"}");
        assert!((sum / 400.043 - 1.0).abs() < 0.001, "{sum}");
        assert_eq!(
            value(&text, "rdpwhy_step_duration_seconds_count{step=\"tls\",leg=\"both\"}"),
            4.0
        );
    }

    #[test]
    fn sessions_have_outcome_and_cause() {
        let mut sessions = Sessions { bytes: [5, 7], ..Sessions::default() };
        sessions.open.insert(9);
        let key = (Outcome::Failed, "neg-failure".to_owned(), "nla-required".to_owned());
        sessions.judged.insert(key, 3);
        let text = text(&sessions, &Latencies::default());
        let failed =
            "rdpwhy_sessions_total{outcome=\"failed\",what=\"neg-failure\",cause=\"nla-required\"}";
        assert_eq!(value(&text, failed), 3.0);
        assert_eq!(value(&text, "rdpwhy_open_sessions"), 1.0);
        assert_eq!(value(&text, "rdpwhy_session_bytes_total{direction=\"to_client\"}"), 7.0);
        // Every series stands behind its type, and each type is told once.
        let types = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(types, 4);
    }
}
