//! Numbers, times and words as the contract writes them.

use jiff::Timestamp as Instant;

use crate::input::Timestamp;

/// The contract's word for an enum, through serde so that there is one list of words.
pub(super) fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Microseconds are as fine as anyone measures here.
pub(super) fn round(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}

pub(super) fn rfc3339(time: Timestamp) -> String {
    let time = Instant::from_nanosecond(i128::from(time.0)).unwrap_or(Instant::UNIX_EPOCH);
    format!("{time:.3}")
}

pub(super) fn date(seconds: i64) -> String {
    Instant::from_second(seconds).unwrap_or(Instant::UNIX_EPOCH).to_string()
}
