//! Samples cut into rotated files, and files that only look so.

use std::path::{Path, PathBuf};

use rdpwhy_analyzer::verdict::Identities;
use serde_json::Value;
use tempfile::TempDir;

use super::{Unit, units};
use crate::offline::progress::Progress;
use crate::offline::{Scope, Told, batch};

/// A capture file in pieces: what stands before the first packet, and the packets in their records or blocks.
struct Pieces {
    head: Vec<u8>,
    packets: Vec<Vec<u8>>,
}

impl Pieces {
    fn of(sample: &str) -> Pieces {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/samples").join(sample);
        let bytes = std::fs::read(path).unwrap();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let mut pieces = Pieces { head: Vec::new(), packets: Vec::new() };
        let ng = bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
        let mut at = if ng { 0 } else { 24 };
        pieces.head.extend(&bytes[..at]);
        while at < bytes.len() {
            let len = if ng { word(at + 4) } else { 16 + word(at + 8) };
            let piece = &bytes[at..at + len];
            match word(at) {
                // Section Header and Interface Description Blocks.
                0x0a0d_0d0a | 1 if ng => pieces.head.extend(piece),
                kind if ng && kind != 6 => {}
                _ => pieces.packets.push(piece.to_vec()),
            }
            at += len;
        }
        pieces
    }

    /// The files between these cuts.
    fn cut(&self, cuts: &[usize]) -> Vec<Vec<u8>> {
        let ends = cuts.iter().copied().chain([self.packets.len()]);
        let begins = [0].into_iter().chain(cuts.iter().copied());
        let file = |(begin, end): (usize, usize)| {
            [self.head.clone(), self.packets[begin..end].concat()].concat()
        };
        begins.zip(ends).map(file).collect()
    }

    /// The same with its packets so much later.
    fn later(mut self, seconds: u32) -> Pieces {
        for packet in &mut self.packets {
            let time = u32::from_le_bytes(packet[..4].try_into().unwrap()) + seconds;
            packet[..4].copy_from_slice(&time.to_le_bytes());
        }
        self
    }
}

/// What an analysis came to.
struct Came {
    folder: TempDir,
    units: Vec<Unit>,
    remarks: Vec<String>,
    objects: Vec<Value>,
}

/// Writes the files and analyses them in this order.
fn analyze(files: &[(&str, Vec<u8>)]) -> Came {
    let folder = tempfile::tempdir().unwrap();
    let mut paths: Vec<PathBuf> = Vec::new();
    for (name, bytes) in files {
        paths.push(folder.path().join(name));
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let (mut remarks, mut objects) = (Vec::new(), Vec::new());
    let units = units(&paths, &mut |remark| remarks.push(remark.to_owned()));
    let scope = Scope { ports: vec![3389], all: false, timed: false };
    let (shown, none) = (Identities::Shown, Progress::none());
    batch::run(&units, 2, &scope, &shown, &none, &mut |told| match told {
        Told::Connection(connection) => objects.push(serde_json::to_value(&connection).unwrap()),
        Told::Unreadable(name, why) => panic!("{name}: {why}"),
        Told::Note(_) | Told::OtherTcp(_) | Told::Measured(_) => {}
    });
    Came { folder, units, remarks, objects }
}

impl Came {
    /// How many files each unit has.
    fn shape(&self) -> Vec<usize> {
        self.units.iter().map(|unit| unit.files.len()).collect()
    }

    /// The verdicts as if everything had come from one file: `cuts` are the packets before each file.
    fn as_one(&self, names: &[&str], cuts: &[usize]) -> Vec<Value> {
        let mut objects = self.objects.clone();
        for object in &mut objects {
            object["source"] = Value::Null;
            for item in object["evidence"].as_array_mut().unwrap() {
                let Some(origin) = item["origin"].as_object_mut() else { continue };
                let file = origin["file"].as_str().map(|file| self.folder.path().join(file));
                let at = names.iter().position(|n| Some(self.folder.path().join(n)) == file);
                let before = at.and_then(|at| at.checked_sub(1)).map_or(0, |at| cuts[at] as u64);
                if origin["kind"] == "packet" {
                    assert!(at.is_some(), "{origin:?}");
                    origin["n"] = (origin["n"].as_u64().unwrap() + before).into();
                }
                origin["file"] = Value::Null;
            }
        }
        objects
    }
}

fn samples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/samples");
    let files = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".pcap"));
    assert!(names.len() > 30);
    names
}

#[test]
fn a_capture_cut_in_two_anywhere_is_judged_as_a_whole() {
    const NAMES: [&str; 2] = ["case.pcap", "case.pcap1"];
    for sample in samples() {
        let pieces = Pieces::of(&sample);
        let whole = analyze(&[("case.pcap", pieces.cut(&[]).remove(0))]).as_one(&NAMES, &[]);
        for cut in 1..pieces.packets.len() {
            let [one, two] = pieces.cut(&[cut]).try_into().unwrap();
            let came = analyze(&[(NAMES[0], one), (NAMES[1], two)]);
            assert_eq!(came.shape(), [2], "{sample} {cut}: {:?}", came.remarks);
            assert_eq!(came.as_one(&NAMES, &[cut]), whole, "{sample} cut behind {cut}");
        }
    }
}

#[test]
fn files_given_in_any_order_are_read_in_order_of_time() {
    const NAMES: [&str; 3] = [
        "case_00009_20260101120000.pcap",
        "case_00010_20260101120001.pcap",
        "case_00011_20260101120002.pcap",
    ];
    for sample in samples() {
        let pieces = Pieces::of(&sample);
        let whole = analyze(&[(NAMES[0], pieces.cut(&[]).remove(0))]).as_one(&NAMES, &[]);
        let count = pieces.packets.len();
        for cut in (1..count.saturating_sub(1)).step_by(count.div_ceil(16)) {
            let cuts = [cut, cut + 1 + (count - cut - 1) / 2];
            let [one, two, three] = pieces.cut(&cuts).try_into().unwrap();
            let came = analyze(&[(NAMES[2], three), (NAMES[0], one), (NAMES[1], two)]);
            assert_eq!(came.shape(), [3], "{sample} {cuts:?}: {:?}", came.remarks);
            assert_eq!(came.as_one(&NAMES, &cuts), whole, "{sample} cut behind {cuts:?}");
            let source = came.units[0].source();
            assert!(source.ends_with(NAMES[2]) && source.contains(NAMES[0]), "{source}");
        }
    }
}

#[test]
fn a_recording_in_a_ring_of_files_is_judged_as_a_whole() {
    const NAMES: [&str; 2] = ["case.00004.pcapng", "case.00005.pcapng"];
    for sample in ["relay-demo.pcapng", "relay-session.pcapng", "relay-wrong-password.pcapng"] {
        let pieces = Pieces::of(sample);
        let whole = analyze(&[(NAMES[0], pieces.cut(&[]).remove(0))]).as_one(&NAMES, &[]);
        let mut joined = 0;
        for cut in 1..pieces.packets.len() {
            let [one, two] = pieces.cut(&[cut]).try_into().unwrap();
            let came = analyze(&[(NAMES[0], one), (NAMES[1], two)]);
            if came.shape() == [2] {
                joined += 1;
                assert_eq!(came.as_one(&NAMES, &[cut]), whole, "{sample} cut behind {cut}");
            } else {
                assert_eq!(came.remarks.len(), 1, "{sample} cut behind {cut}");
            }
        }
        // Where a packet that was held back stands last, a cut before it looks like another recording.
        assert!(joined * 10 > pieces.packets.len() * 9, "{sample}: {joined}");
    }
}

#[test]
fn numbers_that_start_again_go_on() {
    let [one, two, three] = Pieces::of("session-nla.pcap").cut(&[30, 60]).try_into().unwrap();
    let came = analyze(&[("case.pcap0", two), ("case.pcap1", three), ("case.pcap2", one)]);
    assert_eq!(came.shape(), [3], "{:?}", came.remarks);
    assert_eq!(came.objects[0]["outcome"], "established");
}

#[test]
fn files_without_a_packet_are_no_hole() {
    let pieces = Pieces::of("session-nla.pcap");
    let [one, two] = pieces.cut(&[30]).try_into().unwrap();
    let came =
        analyze(&[("case.pcap", one), ("case.pcap1", pieces.head.clone()), ("case.pcap2", two)]);
    assert_eq!(came.shape(), [2, 1], "{:?}", came.remarks);
}

/// The second file, in its own name, is not joined to the first.
fn stays_alone(name: &str, first: Vec<u8>, second: Vec<u8>, why: &str) {
    let came = analyze(&[("case.pcap1", first), (name, second)]);
    assert_eq!(came.shape(), [1, 1], "{why}");
    let [remark] = came.remarks.as_slice() else { panic!("{:?}", came.remarks) };
    assert!(remark.contains(why) && remark.contains("case.pcap"), "{remark}");
}

#[test]
fn what_only_has_the_name_stays_a_file_of_its_own() {
    let pieces = Pieces::of("session-nla.pcap");
    let [one, two] = pieces.cut(&[50]).try_into().unwrap();
    let whole = pieces.cut(&[]).remove(0);
    stays_alone("case.pcap2", whole.clone(), whole.clone(), "their times overlap");
    stays_alone("case.pcap2", whole, two.clone(), "their times overlap");
    stays_alone("case.pcap3", one.clone(), two.clone(), "not the next one by its name");
    stays_alone("case.pcap2", two.clone(), one.clone(), "not the next one by its name");
    let mut other = two;
    other[20] = 101; // Another link type in the header.
    stays_alone("case.pcap2", one.clone(), other, "different interfaces");
    let later = Pieces::of("session-nla.pcap").later(3700).cut(&[]).remove(0);
    stays_alone("case.pcap2", one, later, "more than an hour");
}

#[test]
fn files_beside_a_rotation_keep_their_place() {
    let pieces = Pieces::of("session-nla.pcap");
    let [one, two] = pieces.cut(&[50]).try_into().unwrap();
    let http = Pieces::of("http.pcap").cut(&[]).remove(0);
    let came = analyze(&[
        ("http.pcap", http.clone()),
        ("case.pcap1", two),
        ("other.pcap", http),
        ("case.pcap", one),
    ]);
    assert_eq!(came.shape(), [1, 2, 1]);
    assert!(came.remarks.iter().all(|remark| remark.contains("read as one capture")));
    assert!(came.units[1].files[0].ends_with("case.pcap"), "{:?}", came.units);
}
