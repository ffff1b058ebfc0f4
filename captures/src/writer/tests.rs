//! Blocks read back with pcap-file, and sinks that refuse.

use std::io::{self, Write};
use std::time::Duration;

use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::blocks::interface_statistics::InterfaceStatisticsOption;
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, Endianness};
use rdpwhy_analyzer::input::{Leg, Timestamp};

use super::{MANY, MAX_COMMENT, MAX_PACKET, PcapngWriter, Record};

const TIME: Timestamp = Timestamp(1_700_000_000_123_456_789);

fn blocks(bytes: &[u8]) -> Vec<Block<'static>> {
    let mut reader = PcapNgReader::new(bytes).expect("a section header");
    let mut blocks = vec![Block::SectionHeader(reader.section().clone())];
    while let Some(block) = reader.next_block() {
        blocks.push(block.expect("a block").0.into_owned());
    }
    blocks
}

fn packet<W: Write>(
    writer: &mut PcapngWriter<W>,
    leg: Leg,
    time: Timestamp,
    bytes: [&[u8]; 2],
    original_len: u32,
    comments: &[String],
) -> io::Result<()> {
    writer.packets(&[Record { leg, time, bytes, original_len, comments }])
}

fn comments(block: &Block) -> Vec<String> {
    let packet = block.as_enhanced_packet().expect("a packet");
    let comment = |option: &EnhancedPacketOption| match option {
        EnhancedPacketOption::Common(CommonOption::Comment(text)) => Some(text.to_string()),
        _ => None,
    };
    packet.options.iter().filter_map(comment).collect()
}

#[test]
fn every_block_reads_back() {
    let mut writer = PcapngWriter::new(Vec::new(), "rdpwhy 0.1.0", "a case").expect("written");
    let notes = ["first".to_string(), String::new(), "zweite ✓".to_string()];
    packet(&mut writer, Leg::Client, TIME, [&[0x45], &[1, 2]], 99, &notes).expect("written");
    packet(&mut writer, Leg::Server, Timestamp(u64::MAX), [&[]; 2], 0, &[]).expect("written");
    writer.interface_statistics(Leg::Server, TIME, 5, 2, "summary").expect("written");
    writer.interface_statistics(Leg::Client, Timestamp(0), 0, 0, "").expect("written");
    writer.flush().expect("flushed");
    let written = writer.bytes_written();
    let bytes = writer.into_inner().expect("written");
    assert_eq!(written, bytes.len() as u64);

    let blocks = blocks(&bytes);
    assert_eq!(blocks.len(), 7);
    let section = blocks[0].as_section_header().expect("the section");
    assert_eq!(section.endianness, Endianness::Little);
    let expected = [
        SectionHeaderOption::Common(CommonOption::Comment("a case".into())),
        SectionHeaderOption::UserApplication("rdpwhy 0.1.0".into()),
    ];
    assert_eq!(section.options, expected);
    for (block, name) in blocks[1..3].iter().zip(["client-leg", "server-leg"]) {
        let interface = block.as_interface_description().expect("an interface");
        assert_eq!((interface.linktype, interface.snaplen), (DataLink::NULL, 0));
        assert!(interface.options.contains(&InterfaceDescriptionOption::IfName(name.into())));
    }
    let packet = blocks[3].as_enhanced_packet().expect("a packet");
    assert_eq!((packet.interface_id, packet.original_len), (0, 99 + 4));
    assert_eq!(packet.timestamp, Duration::from_nanos(TIME.0));
    assert_eq!(*packet.data, [2, 0, 0, 0, 0x45, 1, 2]);
    assert_eq!(comments(&blocks[3]), ["first", "zweite ✓"]);
    let packet = blocks[4].as_enhanced_packet().expect("a packet");
    assert_eq!((packet.interface_id, packet.timestamp), (1, Duration::from_nanos(u64::MAX)));
    let statistics = blocks[5].as_interface_statistics().expect("statistics");
    assert_eq!((statistics.interface_id, statistics.timestamp), (1, Duration::from_nanos(TIME.0)));
    let expected = [
        InterfaceStatisticsOption::IsbIfRecv(5),
        InterfaceStatisticsOption::IsbIfDrop(2),
        InterfaceStatisticsOption::Common(CommonOption::Comment("summary".into())),
    ];
    assert_eq!(statistics.options, expected);
}

#[test]
fn the_fixed_start_on_the_wire() {
    let bytes =
        PcapngWriter::new(Vec::new(), "", "").expect("written").into_inner().expect("written");
    let section = [
        0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 28, 0, 0, 0,
    ];
    assert_eq!(bytes[..28], section);
    assert_eq!(bytes[28..32], [1, 0, 0, 0]);
    assert_eq!(bytes[36..44], [0, 0, 0, 0, 0, 0, 0, 0]);
    let resolution = [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]; // if_tsresol 9, end of options
    assert_eq!(bytes.windows(12).filter(|window| **window == resolution).count(), 2);
}

#[test]
fn long_comments_are_cut_between_characters() {
    let long = format!("a{}", "é".repeat(MAX_COMMENT));
    let mut writer = PcapngWriter::new(Vec::new(), &long, &long).expect("written");
    packet(&mut writer, Leg::Single, TIME, [&[]; 2], 0, &[long.clone(), "nul\0within".into()])
        .expect("written");
    writer.interface_statistics(Leg::Client, TIME, 0, 0, &long).expect("written");
    let blocks = blocks(&writer.into_inner().expect("written"));
    let cut = &long[..MAX_COMMENT - 1];
    assert_eq!(comments(&blocks[3]), [cut, "nul within"]);
}

#[test]
fn what_a_recording_can_not_hold_is_refused_and_harms_nothing() {
    let mut writer = PcapngWriter::new(Vec::new(), "", "").expect("written");
    let start = writer.bytes_written();
    let many = vec!["x".repeat(MAX_COMMENT); 18];
    let refusals = [
        packet(&mut writer, Leg::Client, TIME, [&[0; 4], &[0; 6]], 9, &[]),
        packet(&mut writer, Leg::Client, TIME, [&[0], &vec![0; MAX_PACKET]], u32::MAX, &[]),
        packet(&mut writer, Leg::Client, TIME, [&[0; 10], &[]], 10, &many),
    ];
    for refusal in refusals {
        assert_eq!(refusal.expect_err("refused").kind(), io::ErrorKind::InvalidInput);
    }
    assert_eq!(writer.bytes_written(), start);
    packet(&mut writer, Leg::Client, TIME, [&[0; 10], &[]], 10, &[]).expect("written");
    assert_eq!(blocks(&writer.into_inner().expect("written")).len(), 4);
}

/// Many bytes at once go another way than few; a reader sees no difference, whatever their padding.
#[test]
fn payloads_of_any_length_read_back() {
    let mut writer = PcapngWriter::new(Vec::new(), "", "").expect("written");
    let payload = |len: usize| (0..len).map(|at| (at * 7) as u8).collect::<Vec<u8>>();
    let lengths = [0, 1, 2, 3, 60_000, 60_001, 5, 30_002, 60_003];
    let payloads = lengths.map(payload);
    let note = ["a comment".to_owned()];
    let records: Vec<Record> = payloads
        .iter()
        .flat_map(|payload| [(payload, &note[..]), (payload, &[])])
        .map(|(payload, comments)| Record {
            leg: Leg::Client,
            time: TIME,
            bytes: [&[0x60, 9], payload],
            original_len: payload.len() as u32 + 2,
            comments,
        })
        .collect();
    assert!(2 * lengths.iter().sum::<usize>() > MANY && lengths[4] + lengths[5] < MANY);
    for at_once in [1, 2, records.len()] {
        records.chunks(at_once).for_each(|some| writer.packets(some).expect("written"));
    }
    let blocks = blocks(&writer.into_inner().expect("written"));
    assert_eq!(blocks.len(), 3 + 3 * records.len());
    for (block, record) in blocks[3..].iter().zip(records.iter().cycle()) {
        let packet = block.as_enhanced_packet().expect("a packet");
        assert_eq!(packet.original_len, 4 + record.original_len);
        assert_eq!(packet.data[..6], [30, 0, 0, 0, 0x60, 9]);
        assert!(packet.data[6..] == *record.bytes[1], "{} bytes", record.original_len);
        assert_eq!(comments(block), record.comments);
    }
}

/// A disk of `room` bytes.
struct SmallDisk {
    room: usize,
    held: Vec<u8>,
}

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(self.room - self.held.len());
        self.held.extend(&bytes[..fits]);
        match fits {
            0 => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(fits),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_the_recording_for_good() {
    let mut writer =
        PcapngWriter::new(SmallDisk { room: 400, held: Vec::new() }, "", "").expect("written");
    let mut packets = 0;
    let error = loop {
        let written = packet(&mut writer, Leg::Client, TIME, [&[7; 50], &[]], 50, &[]);
        match written.and_then(|()| writer.flush()) {
            Ok(()) => packets += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    writer.sink.room = 10_000; // room again: still no block behind half a block
    let later = [
        packet(&mut writer, Leg::Client, TIME, [&[7; 50], &[]], 50, &[]),
        writer.interface_statistics(Leg::Client, TIME, 0, 0, ""),
        writer.flush(),
    ];
    for result in later {
        assert_eq!(result.expect_err("refused").kind(), io::ErrorKind::StorageFull);
    }
    let whole = writer.bytes_written() as usize;
    let held = writer.sink.held;
    assert!(packets > 0 && held.len() == 400 && whole < 400);
    assert_eq!(blocks(&held[..whole]).len(), 3 + packets);
}

#[test]
fn a_disk_full_at_the_start_gives_no_writer() {
    let result = PcapngWriter::new(SmallDisk { room: 60, held: Vec::new() }, "", "");
    assert_eq!(result.err().map(|e| e.kind()), Some(io::ErrorKind::StorageFull));
}
