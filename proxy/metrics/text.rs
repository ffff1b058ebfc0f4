//! The text exposition format 0.0.4: for people, and for scrapers that ask for nothing else.

use std::fmt::Write;

use super::{Family, Series, Values, classic};

/// Type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// These families.
pub fn encode(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { name, help, values } in families {
        let kind = match values {
            Values::Counter(_) => "counter",
            Values::Gauge(_) => "gauge",
            Values::Histogram(_) => "histogram",
        };
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        match values {
            Values::Counter(all) | Values::Gauge(all) => {
                for series in all {
                    let _ = writeln!(text, "{name}{} {}", labels(series, None), series.value);
                }
            }
            Values::Histogram(all) => {
                for series in all {
                    let classic = classic(series.value);
                    for (bound, below) in &classic.below {
                        let le = labels(series, Some(bound.to_string()));
                        let _ = writeln!(text, "{name}_bucket{le} {below}");
                    }
                    let (all, le) = (labels(series, None), labels(series, Some("+Inf".to_owned())));
                    let _ = writeln!(text, "{name}_bucket{le} {}", classic.count);
                    let _ = writeln!(text, "{name}_sum{all} {}", classic.sum);
                    let _ = writeln!(text, "{name}_count{all} {}", classic.count);
                }
            }
        }
    }
    text
}

/// In braces, where there are any; `le` is the upper bound of a bucket.
fn labels<T>(series: &Series<T>, le: Option<String>) -> String {
    let le = le.map(|bound| format!("le=\"{bound}\""));
    let own = series.labels.iter().map(|(name, value)| format!("{name}=\"{value}\""));
    let all: Vec<String> = own.chain(le).collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::{Latencies, Leg, Step};
    use crate::measures::Sessions;
    use crate::metrics::families;
    use rdpwhy_analyzer::report::Outcome;
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
        let text = encode(&families(&Sessions::default(), &latencies));
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
        let text = encode(&families(&sessions, &Latencies::default()));
        let failed =
            "rdpwhy_sessions_total{outcome=\"failed\",what=\"neg-failure\",cause=\"nla-required\"}";
        assert_eq!(value(&text, failed), 3.0);
        assert_eq!(value(&text, "rdpwhy_open_sessions"), 1.0);
        assert_eq!(value(&text, "rdpwhy_session_bytes_total{direction=\"to_client\"}"), 7.0);
        // Every series stands behind its type, and each type is told once.
        let types = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(types, 5);
    }
}
