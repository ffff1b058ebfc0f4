//! What tshark says of recordings: another reader's word on checksums, times, comments and streams.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;

use rdpwhy_analyzer::input::{Leg, Timestamp};
use tempfile::NamedTempFile;

use super::{PcapngWriter, Record};
use crate::synth::{Packet, Sender, SyntheticLeg, pieces};

const START: u64 = 1_700_000_000_000_000_001;
const V4: (&str, &str) = ("10.0.0.2:50123", "192.0.2.7:3389");
const V6: (&str, &str) = ("[2001:db8::2]:50124", "[2001:db8::7]:3389");
/// One bad checksum, malformed packet or lost segment is one line.
const BAD: &str = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 || icmp.checksum.status == 0 \
    || icmpv6.checksum.status == 0 || _ws.expert.severity == 8388608";
const MISSING: &str = "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || tcp.analysis.retransmission \
    || tcp.analysis.out_of_order || tcp.analysis.window_full";

/// A recording under way; each packet is a microsecond and a nanosecond after the one before.
struct Recording {
    writer: PcapngWriter<Vec<u8>>,
    packets: u64,
}

impl Recording {
    fn new() -> Recording {
        let writer = PcapngWriter::new(Vec::new(), "rdpwhy test", "section note").expect("written");
        Recording { writer, packets: 0 }
    }

    fn put<'a>(
        &mut self,
        leg: Leg,
        packets: impl IntoIterator<Item = Packet<'a>>,
        comments: &[&str],
    ) {
        let comments: Vec<String> = comments.iter().map(ToString::to_string).collect();
        for packet in packets {
            let time = Timestamp(START + self.packets * 1_001);
            self.writer
                .packets(&[Record {
                    leg,
                    time,
                    bytes: [&packet.head, packet.payload],
                    original_len: packet.original_len,
                    comments: &comments,
                }])
                .expect("written");
            self.packets += 1;
        }
    }

    fn open(&mut self, leg: Leg, tcp: &mut SyntheticLeg) {
        self.put(leg, [tcp.syn()], &[]);
        self.put(leg, [tcp.syn_ack()], &[]);
        self.put(leg, [tcp.ack(Sender::Opener)], &[]);
    }

    fn file(self) -> NamedTempFile {
        let mut file = NamedTempFile::new().expect("a temporary file");
        file.write_all(&self.writer.into_inner().expect("written")).expect("written");
        file
    }
}

fn leg((client, server): (&str, &str)) -> SyntheticLeg {
    SyntheticLeg::new(client.parse().expect("an address"), server.parse().expect("an address"), 99)
}

/// tshark's standard output for `file`, all checksums verified; `None` where tshark is not installed.
fn tshark(file: &NamedTempFile, arguments: &[&str]) -> Option<String> {
    let verify = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-n", "-r"];
    let output = match Command::new("tshark").args(verify).arg(file.path()).args(arguments).output()
    {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: tshark ({error})");
            return None;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

fn lines(file: &NamedTempFile, filter: &str) -> Option<usize> {
    tshark(file, &["-Y", filter]).map(|out| out.lines().count())
}

/// A TPKT connection request and answer, so that tshark's own dissectors find nothing to complain of.
const REQUEST: [u8; 19] = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0];
const CONFIRM: [u8; 19] = [3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 1, 0, 0, 0];

/// Both families: handshake, data both ways, long data, FIN, and nothing for tshark to remark.
#[test]
fn whole_connections_are_sound() {
    let long: Vec<u8> = (0..200_000u32).map(|n| (n * 7) as u8).collect();
    let mut recording = Recording::new();
    for (side, ends) in [(Leg::Client, V4), (Leg::Server, V6)] {
        let mut tcp = leg(ends);
        recording.open(side, &mut tcp);
        recording.put(side, tcp.data(Sender::Opener, &REQUEST), &["first", "zweite ✓"]);
        recording.put(side, tcp.data(Sender::Acceptor, &CONFIRM), &[]);
        recording.put(side, tcp.data(Sender::Acceptor, &long), &[]);
        recording.put(side, [tcp.ack(Sender::Opener)], &[]);
        recording.put(side, [tcp.fin(Sender::Acceptor)], &[]);
        recording.put(side, [tcp.fin(Sender::Opener)], &[]);
        recording.put(side, [tcp.ack(Sender::Acceptor)], &["last"]);
    }
    recording
        .writer
        .interface_statistics(Leg::Client, Timestamp(START), 13, 0, "summary")
        .expect("written");
    let packets = recording.packets;
    let file = recording.file();

    // Bytes that mean nothing make the RDP dissector stop; what TCP carries is not asked about here.
    let plain = ["-d", "tcp.port==3389,echo"];
    for filter in [BAD, MISSING] {
        let Some(out) = tshark(&file, &[&plain[..], &["-Y", filter]].concat()) else { return };
        assert_eq!(out, "", "{filter}");
    }
    assert_eq!(lines(&file, "tcp.checksum.status == 1"), Some(packets as usize));
    assert_eq!(lines(&file, "ip.checksum.status == 1"), Some(packets as usize / 2));
    let fields = [
        "-T",
        "fields",
        "-e",
        "frame.time_epoch",
        "-e",
        "frame.interface_name",
        "-e",
        "frame.comment",
    ];
    let out = tshark(&file, &fields).unwrap_or_default();
    let mut expected = String::new();
    for n in 0..packets {
        let time = START + n * 1_001;
        let name = if n < packets / 2 { "client-leg" } else { "server-leg" };
        let comment = match n % (packets / 2) {
            3 => "first,zweite ✓",
            12 => "last",
            _ => "",
        };
        let (seconds, nanos) = (time / 1_000_000_000, time % 1_000_000_000);
        writeln!(expected, "{seconds}.{nanos:09}\t{name}\t{comment}").expect("a string takes all");
    }
    assert_eq!(out, expected);
    for stream in ["0", "1"] {
        let follow = format!("follow,tcp,raw,{stream}");
        let out = tshark(&file, &["-q", "-z", &follow]).unwrap_or_default();
        assert_eq!(followed(&out), [REQUEST.to_vec(), [&CONFIRM[..], &long].concat()]);
    }
}

/// What `-z follow,tcp,raw` printed: the opener's bytes, then the acceptor's, whose lines are indented.
fn followed(out: &str) -> [Vec<u8>; 2] {
    let mut streams = [Vec::new(), Vec::new()];
    for line in out.lines() {
        let digits = line.trim();
        let bytes: Option<Vec<u8>> = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        if let Some(bytes) = bytes {
            streams[usize::from(line.starts_with('\t'))].extend(bytes);
        }
    }
    streams
}

#[test]
fn cut_data_has_its_true_length_and_no_bad_checksum() {
    let mut recording = Recording::new();
    for ends in [V4, V6] {
        let mut tcp = leg(ends);
        recording.open(Leg::Client, &mut tcp);
        recording.put(
            Leg::Client,
            pieces(&[0x17, 3, 3, 0x10, 0], 70_000)
                .map(|(kept, len)| tcp.segment(Sender::Acceptor, kept, len)),
            &[],
        );
        recording.put(Leg::Client, [tcp.segment(Sender::Opener, &[], 1)], &[]);
        recording.put(Leg::Client, tcp.data(Sender::Acceptor, b"whole again"), &[]);
        recording.put(Leg::Client, [tcp.rst(Sender::Opener)], &[]);
    }
    let file = recording.file();
    let plain = ["-d", "tcp.port==3389,echo"];
    for filter in [BAD, MISSING] {
        let Some(out) = tshark(&file, &[&plain[..], &["-Y", filter]].concat()) else { return };
        assert_eq!(out, "", "{filter}");
    }
    let fields = [
        "-Y",
        "frame.cap_len < frame.len",
        "-T",
        "fields",
        "-e",
        "tcp.len",
        "-e",
        "tcp.checksum.status",
    ];
    let out = tshark(&file, &fields).unwrap_or_default();
    assert_eq!(out, "60000\t2\n10000\t2\n1\t2\n".repeat(2)); // 2: unverified
    assert_eq!(lines(&file, "tcp.flags.reset == 1 && tcp.seq == 2 && tcp.ack == 70012"), Some(2));
}

/// The filter of the other tests does find what it looks for.
#[test]
fn a_wrong_checksum_would_be_seen() {
    let mut recording = Recording::new();
    let mut tcp = leg(V4);
    for at in [11, 37] {
        let mut bytes = tcp.syn().bytes();
        bytes[at] ^= 1; // IPv4 header checksum, TCP checksum
        let record = Record {
            leg: Leg::Client,
            time: Timestamp(START),
            bytes: [&bytes, &[]],
            original_len: bytes.len() as u32,
            comments: &[],
        };
        let written = recording.writer.packets(&[record]);
        written.expect("written");
    }
    let Some(bad) = lines(&recording.file(), BAD) else { return };
    assert_eq!(bad, 2);
}

/// Of section and interfaces, through Wireshark's own summary.
#[test]
fn the_summary_names_program_and_interfaces() {
    let mut recording = Recording::new();
    recording.put(Leg::Client, [leg(V4).syn()], &[]);
    let file = recording.file();
    let output = match Command::new("capinfos").arg(file.path()).output() {
        Ok(output) => output,
        Err(error) => return eprintln!("SKIPPED: capinfos ({error})"),
    };
    let out = String::from_utf8_lossy(&output.stdout);
    for part in [
        "rdpwhy test",
        "section note",
        "Name = client-leg",
        "Name = server-leg",
        "NULL/Loopback",
        "nanoseconds (9)",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
}

#[test]
fn only_what_was_skipped_is_missed() {
    let mut recording = Recording::new();
    let mut tcp = leg(V4);
    recording.open(Leg::Server, &mut tcp);
    recording.put(Leg::Server, tcp.data(Sender::Opener, &REQUEST), &[]);
    tcp.skip(Sender::Opener, 1_000_000);
    recording.put(Leg::Server, tcp.data(Sender::Opener, &REQUEST), &["gap"]);
    let file = recording.file();
    let fields =
        ["-Y", "tcp.analysis.lost_segment", "-T", "fields", "-e", "frame.comment", "-e", "tcp.seq"];
    let Some(out) = tshark(&file, &fields) else { return };
    assert_eq!(out, "gap\t1000020\n");
    assert_eq!(lines(&file, BAD), Some(0));
}

#[test]
fn failed_connects() {
    let mut recording = Recording::new();
    let mut refused = leg(V4);
    recording.put(Leg::Server, [refused.syn()], &[]);
    recording.put(Leg::Server, [refused.refused()], &[]);
    for (ends, kind, code, offender) in [(V4, 3, 10, "198.51.100.1"), (V6, 1, 1, "2001:db8:1::1")] {
        let mut tcp = leg((&ends.0.replace("501", "502"), ends.1));
        recording.put(Leg::Server, [tcp.syn()], &[]);
        recording.put(Leg::Server, [tcp.syn_retry()], &[]);
        recording.put(Leg::Server, [tcp.icmp_error(kind, code, offender.parse().ok())], &[]);
        recording.put(Leg::Server, [tcp.icmp_error(kind, code, None)], &[]);
    }
    let file = recording.file();
    let Some(bad) = lines(&file, BAD) else { return };
    assert_eq!(bad, 0);
    assert_eq!(
        lines(
            &file,
            "tcp.flags == 0x014 && tcp.seq == 1 && tcp.ack == 1 && tcp.window_size == 65535"
        ),
        Some(1)
    );
    assert_eq!(
        lines(&file, "icmp.checksum.status == 1 && icmp.type == 3 && icmp.code == 10"),
        Some(2)
    );
    assert_eq!(
        lines(&file, "icmpv6.checksum.status == 1 && icmpv6.type == 1 && icmpv6.code == 1"),
        Some(2)
    );
    assert_eq!(lines(&file, "ip.src == 198.51.100.1 || ipv6.src == 2001:db8:1::1"), Some(2));
    assert_eq!(lines(&file, "ip.src == 0.0.0.0 || ipv6.src == ::"), Some(2));
    assert_eq!(
        lines(&file, "(icmp || icmpv6) && tcp.dstport == 3389 && tcp.flags.syn == 1"),
        Some(4)
    );
    assert_eq!(lines(&file, "tcp.analysis.retransmission && !icmp && !icmpv6"), Some(2));
}
