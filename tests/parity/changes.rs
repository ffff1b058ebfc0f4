//! What happens to packets on their way into a capture: copies of a mirror port, retransmissions,
//! another order, other segment bounds, cut and lost packets. What keeps the facts keeps the
//! verdict; what loses facts may lose the verdict, and never makes another one.

use super::frames::{self, FIN, Frame, RST, SYN};
use super::streams::{self, Act};
use super::verdicts::{ESSENCE, differences, of_file};
use super::{bytes, samples};
use crate::corpus::folder;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rdpwhy_analyzer::input::Direction;
use serde_json::Value;

/// Samples with their packets and verdicts, read once.
struct Sample {
    name: String,
    frames: Vec<Frame>,
    verdicts: Vec<Value>,
}

fn all() -> Vec<Sample> {
    let read = |name: String| Sample {
        frames: frames::read(&folder().join(&name)),
        verdicts: of_file(&bytes(&name)),
        name,
    };
    samples().into_iter().map(read).collect()
}

/// Tries a change with random decisions on every sample, the same ones in every run.
fn check(cases: u32, change: fn(&[Frame], &mut Dice) -> Vec<Frame>) {
    let samples = all();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, random);
    let decisions = prop::collection::vec(any::<u16>(), 1..200);
    let outcome = runner.run(&(0..samples.len(), decisions), |(at, decisions)| {
        let sample = &samples[at];
        let changed = change(&sample.frames, &mut Dice { decisions, next: 0 });
        let got = of_file(&frames::pcap(&changed, 1, false, true));
        let differing = differences(&sample.verdicts, &got, ESSENCE);
        prop_assert!(differing.is_empty(), "{}: {}", sample.name, differing.join("\n"));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Random decisions, as proptest made them.
struct Dice {
    decisions: Vec<u16>,
    next: usize,
}

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        let decision = self.decisions[self.next % self.decisions.len()];
        self.next += 1;
        usize::from(decision) % sides.max(1)
    }
}

const CASES: u32 = 150;

/// The times of `frames` again, in order, one for each of `changed`.
fn in_time_order(mut changed: Vec<Frame>) -> Vec<Frame> {
    let mut last = 0;
    for frame in &mut changed {
        frame.time = frame.time.max(last);
        last = frame.time;
    }
    changed
}

#[test]
fn copies_of_a_mirror_port() {
    check(CASES, |frames, dice| {
        let mut changed = Vec::new();
        for frame in frames {
            changed.push(frame.clone());
            if dice.roll(2) == 0 {
                changed.push(Frame { time: frame.time + 2000, ..frame.clone() });
            }
        }
        in_time_order(changed)
    });
}

#[test]
fn retransmissions() {
    check(CASES, |frames, dice| {
        let mut changed: Vec<Frame> = Vec::new();
        for (at, frame) in frames.iter().enumerate() {
            changed.push(frame.clone());
            // Not behind an end: data after a RST is a fact of its own.
            let near = &frames[at..(at + 3).min(frames.len())];
            if frame.is_data()
                && near.iter().all(|f| f.flags() & (FIN | RST) == 0)
                && dice.roll(3) == 0
            {
                let mut again = frame.clone();
                again.set_ip_id(0x7000 + at as u16);
                again.time += 1000;
                changed.push(again);
            }
        }
        in_time_order(changed)
    });
}

#[test]
fn another_order() {
    check(CASES, |frames, dice| {
        let mut changed = frames.to_vec();
        for at in 1..changed.len() {
            let (a, b) = (&changed[at - 1], &changed[at]);
            let plain = |f: &Frame| f.is_tcp() && f.flags() & (FIN | SYN | RST) == 0;
            // What one side did before the other is a fact; its own packets may overtake each other.
            let may = plain(a) && plain(b) && (a.ports() == b.ports());
            if may && dice.roll(2) == 0 {
                changed.swap(at - 1, at);
                let time = changed[at].time;
                changed[at].time = changed[at - 1].time;
                changed[at - 1].time = time;
            }
        }
        changed
    });
}

#[test]
fn other_segment_bounds() {
    check(CASES, |frames, dice| {
        let mut changed = Vec::new();
        for frame in frames {
            if !frame.is_data() || frame.bytes.len() != frame.original_len as usize {
                changed.push(frame.clone());
                continue;
            }
            let len = frame.payload().len();
            // One byte each for the small messages, anything for the others.
            let smallest = if len < 400 && dice.roll(2) == 0 { 1 } else { len.div_ceil(9) };
            let mut from = 0;
            while from < len {
                let to = (from + smallest + dice.roll(smallest)).min(len);
                changed.push(frame.part(from, to));
                from = to;
            }
        }
        changed
    });
}

#[test]
fn lost_acknowledgements() {
    check(CASES, |frames, dice| {
        let mut opened = 0;
        let keep = |frame: &&Frame| {
            opened += usize::from(frame.flags() & SYN != 0);
            !frame.is_pure_ack() || dice.roll(2) == 0
        };
        frames.iter().filter(keep).cloned().collect()
    });
}

#[test]
fn application_data_cut_short() {
    // Behind the handshake: a session's bytes, of which only headers are captured.
    for sample in all().iter().filter(|sample| sample.name.starts_with("session-")) {
        let cut =
            |(at, frame): (usize, &Frame)| if at < 40 { frame.clone() } else { frame.cut(100) };
        let changed: Vec<Frame> = sample.frames.iter().enumerate().map(cut).collect();
        assert_ne!(changed, sample.frames, "{}", sample.name);
        let got = of_file(&frames::pcap(&changed, 1, false, true));
        let paths = ["/outcome", "/reached", "/verdict", "/ended/from", "/ended/how", "/rdp"];
        let differing = differences(&sample.verdicts, &got, &paths);
        assert!(differing.is_empty(), "{}: {}", sample.name, differing.join("\n"));
    }
}

#[test]
fn lost_data_makes_no_other_verdict() {
    // Every run of one to three data packets of what decides a verdict.
    const DECISIVE: usize = 40;
    let mut wrong = Vec::new();
    for sample in all() {
        let frames = &sample.frames;
        let data: Vec<usize> = (0..frames.len()).filter(|at| frames[*at].is_data()).collect();
        for from in 0..data.len().min(DECISIVE) {
            for to in from + 1..=(from + 3).min(data.len()) {
                let lost = &data[from..to];
                let kept = (0..frames.len()).filter(|at| !lost.contains(at));
                let kept: Vec<Frame> = kept.map(|at| frames[at].clone()).collect();
                for got in of_file(&frames::pcap(&kept, 1, false, true)) {
                    let was = sample.verdicts.iter().find(|was| was["client"] == got["client"]);
                    if !no_other(was.unwrap(), &got) {
                        wrong.push(format!("{} without {lost:?}: {}", sample.name, short(&got)));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

fn short(object: &Value) -> String {
    let fields = ["/index", "/outcome", "/reached", "/verdict/what", "/verdict/cause", "/complete"];
    fields.map(|path| object.pointer(path).unwrap_or(&Value::Null).to_string()).join(" ")
}

/// The same verdict, or none; one that names no cause says that something is missing, or that it has
/// become of the connection what it was.
fn no_other(was: &Value, got: &Value) -> bool {
    let cause = &got["verdict"]["cause"];
    let same = got["outcome"] == was["outcome"];
    let none = cause.is_null() && (same || got["complete"] == false);
    got["outcome"] == "unknown" || none || (same && *cause == was["verdict"]["cause"])
}

#[test]
fn every_prefix_of_the_first_messages() {
    for name in ["session-tls13.pcap", "session-tls12.pcap", "key-mismatch.pcap"] {
        let streams = streams::of_frames(&frames::read(&folder().join(name)));
        let stream = &streams[0];
        for dir in Direction::BOTH {
            let len: usize = stream
                .steps
                .iter()
                .filter(|step| step.dir == dir)
                .take(2)
                .map(|step| if let Act::Send(bytes) = &step.act { bytes.len() } else { 0 })
                .sum();
            let mut reached = Vec::new();
            for bytes in 0..len {
                let got = streams::prefix(stream, dir, bytes);
                // Nothing is wrong with a beginning, so nothing may be found wrong with it.
                assert_eq!(got["outcome"], "unknown", "{name} {dir:?} {bytes}: {got:#}");
                assert!(got["verdict"]["cause"].is_null(), "{name} {dir:?} {bytes}: {got:#}");
                reached.push(place(&got["reached"]));
            }
            assert!(reached.is_sorted(), "{name} {dir:?}: {reached:?}");
        }
    }
}

/// The step's place in their order.
fn place(reached: &Value) -> usize {
    const STEPS: [&str; 12] = [
        "none",
        "tcp",
        "x224_request",
        "x224_confirm",
        "tls_client_hello",
        "tls_server_hello",
        "tls_encrypted",
        "tls_finished",
        "credssp",
        "mcs",
        "licensing",
        "active",
    ];
    STEPS.iter().position(|step| reached == step).unwrap_or_else(|| panic!("{reached}"))
}
