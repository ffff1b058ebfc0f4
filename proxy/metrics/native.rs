//! The protobuf exposition format, which alone carries native histograms: buckets of one relative width, as many
//! as there are values for, with the classic ones beside them. io.prometheus.client.MetricFamily, delimited
//! (github.com/prometheus/client_model, metrics.proto).

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use prost::Message;

use super::{Family, Series, Values, classic};

/// Type of the format.
pub const CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// 2^SCHEMA buckets to each doubling: bounds are 9 % apart.
const SCHEMA: i32 = 3;
/// Shorter times (in s) would stand in a bucket around zero; none is kept shorter than 1 µs.
const ZERO: f64 = 1e-9;

/// These families, each behind its length.
pub fn encode(families: &[Family]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for family in families {
        bytes.extend(family_of(family).encode_length_delimited_to_vec());
    }
    bytes
}

fn family_of(family: &Family) -> wire::MetricFamily {
    let (kind, metrics) = match &family.values {
        Values::Counter(series) => {
            (wire::MetricType::Counter, series.iter().map(counter).collect())
        }
        Values::Gauge(series) => (wire::MetricType::Gauge, series.iter().map(gauge).collect()),
        Values::Histogram(series) => {
            (wire::MetricType::Histogram, series.iter().map(histogram).collect())
        }
    };
    wire::MetricFamily {
        name: Some(family.name.to_owned()),
        help: Some(family.help.to_owned()),
        kind: Some(kind.into()),
        metric: metrics,
    }
}

fn counter(series: &Series<u64>) -> wire::Metric {
    let value = wire::Number { value: Some(series.value as f64) };
    wire::Metric { counter: Some(value), ..labelled(series) }
}

fn gauge(series: &Series<u64>) -> wire::Metric {
    let value = wire::Number { value: Some(series.value as f64) };
    wire::Metric { gauge: Some(value), ..labelled(series) }
}

fn histogram(series: &Series<&Histogram<u64>>) -> wire::Metric {
    let recorded = series.value;
    let classic = classic(recorded);
    let (spans, deltas) = native(recorded);
    let buckets = classic.below.iter().map(|(bound, below)| wire::Bucket {
        cumulative_count: Some(*below),
        upper_bound: Some(*bound),
    });
    let histogram = wire::Histogram {
        sample_count: Some(classic.count),
        sample_sum: Some(classic.sum),
        bucket: buckets.collect(),
        schema: Some(SCHEMA),
        zero_threshold: Some(ZERO),
        zero_count: Some(0),
        positive_span: spans,
        positive_delta: deltas,
    };
    wire::Metric { histogram: Some(histogram), ..labelled(series) }
}

fn labelled<T>(series: &Series<T>) -> wire::Metric {
    let pair = |(name, value): &(&str, String)| wire::LabelPair {
        name: Some((*name).to_owned()),
        value: Some(value.clone()),
    };
    wire::Metric { label: series.labels.iter().map(pair).collect(), ..wire::Metric::default() }
}

/// The buckets that hold something: runs of neighbours, and each count as its difference from the one before.
fn native(recorded: &Histogram<u64>) -> (Vec<wire::BucketSpan>, Vec<i64>) {
    let mut counts: BTreeMap<i32, i64> = BTreeMap::new();
    for value in recorded.iter_recorded() {
        let seconds = value.value_iterated_to() as f64 / super::SECOND;
        *counts.entry(bucket(seconds)).or_default() += value.count_at_value() as i64;
    }
    let (mut spans, mut deltas) = (Vec::<wire::BucketSpan>::new(), Vec::new());
    let (mut next, mut before) = (None, 0);
    for (index, count) in counts {
        let gap = index - next.unwrap_or(0);
        match spans.last_mut() {
            Some(span) if gap == 0 => span.length = span.length.map(|length| length + 1),
            _ => spans.push(wire::BucketSpan { offset: Some(gap), length: Some(1) }),
        }
        deltas.push(count - before);
        (next, before) = (Some(index + 1), count);
    }
    (spans, deltas)
}

/// The bucket whose upper bound, 2^(index / 2^SCHEMA), is the first that is not below.
fn bucket(seconds: f64) -> i32 {
    (seconds.log2() * f64::from(1 << SCHEMA)).ceil() as i32
}

/// The messages, as far as they are used here; their numbers are those of metrics.proto.
mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct MetricFamily {
        #[prost(string, optional, tag = "1")]
        pub name: Option<String>,
        #[prost(string, optional, tag = "2")]
        pub help: Option<String>,
        #[prost(enumeration = "MetricType", optional, tag = "3")]
        pub kind: Option<i32>,
        #[prost(message, repeated, tag = "4")]
        pub metric: Vec<Metric>,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
    #[repr(i32)]
    pub enum MetricType {
        Counter = 0,
        Gauge = 1,
        Histogram = 4,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Metric {
        #[prost(message, repeated, tag = "1")]
        pub label: Vec<LabelPair>,
        #[prost(message, optional, tag = "2")]
        pub gauge: Option<Number>,
        #[prost(message, optional, tag = "3")]
        pub counter: Option<Number>,
        #[prost(message, optional, tag = "7")]
        pub histogram: Option<Histogram>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct LabelPair {
        #[prost(string, optional, tag = "1")]
        pub name: Option<String>,
        #[prost(string, optional, tag = "2")]
        pub value: Option<String>,
    }

    /// Counter and Gauge.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Number {
        #[prost(double, optional, tag = "1")]
        pub value: Option<f64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Histogram {
        #[prost(uint64, optional, tag = "1")]
        pub sample_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub sample_sum: Option<f64>,
        #[prost(message, repeated, tag = "3")]
        pub bucket: Vec<Bucket>,
        #[prost(sint32, optional, tag = "5")]
        pub schema: Option<i32>,
        #[prost(double, optional, tag = "6")]
        pub zero_threshold: Option<f64>,
        #[prost(uint64, optional, tag = "7")]
        pub zero_count: Option<u64>,
        #[prost(message, repeated, tag = "12")]
        pub positive_span: Vec<BucketSpan>,
        #[prost(sint64, repeated, packed = "false", tag = "13")]
        pub positive_delta: Vec<i64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Bucket {
        #[prost(uint64, optional, tag = "1")]
        pub cumulative_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub upper_bound: Option<f64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct BucketSpan {
        #[prost(sint32, optional, tag = "1")]
        pub offset: Option<i32>,
        #[prost(uint32, optional, tag = "2")]
        pub length: Option<u32>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_not_above_its_bound() {
        for (seconds, index) in [(1.0, 0), (1.05, 1), (2.0, 8), (2.1, 9), (0.5, -8), (0.51, -7)] {
            assert_eq!(bucket(seconds), index, "{seconds}");
        }
    }

    #[test]
    fn runs_of_buckets_become_spans_and_counts_differences() {
        let mut recorded = crate::latency::Latencies::default();
        let mut record = |ms: u64, times: u64| {
            for _ in 0..times {
                let took = std::time::Duration::from_millis(ms);
                recorded.record(crate::latency::Step::Tls, crate::latency::Leg::Both, took);
            }
        };
        // 1 s is in bucket 0, 1.06 s in bucket 1, 4 s in bucket 16.
        record(1000, 3);
        record(1060, 1);
        record(4000, 5);
        let (_, _, histogram) = recorded.iter().next().unwrap();
        let (spans, deltas) = native(histogram);
        let spans: Vec<_> = spans.iter().map(|span| (span.offset(), span.length())).collect();
        // What is kept to three digits stands up to 0.1 % higher: 1 s and 4 s pass their bounds.
        assert_eq!((spans, deltas), (vec![(1, 1), (15, 1)], vec![4, 1]));
    }
}
