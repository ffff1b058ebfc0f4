//! Cut and arbitrary files: the reader ends, and loses nothing that was there.

use proptest::prelude::*;

use super::fixtures::{File, rich_pcapng, small_pcap};
use super::*;

#[test]
fn cut_anywhere_the_whole_packets_are_given() {
    let (rich, packets) = rich_pcapng();
    for (file, packets) in [(small_pcap(), 2), (rich, packets)] {
        let whole = read(&file[..]).0;
        assert_eq!(whole.len(), packets);
        let mut before = 0;
        for cut in 0..=file.len() {
            let Ok(mut reader) = PacketReader::open(&file[..cut]) else {
                assert!(cut < 24, "{cut}");
                continue;
            };
            let (seen, damage) = drain(&mut reader);
            assert!(seen.len() >= before, "{cut}");
            assert!(damage.len() <= 1, "{cut}");
            assert_eq!(seen, whole[..seen.len()], "{cut}");
            before = seen.len();
        }
        assert_eq!(before, packets);
    }
}

/// Gives one byte a read, as a slow pipe does, and counts.
struct Slow<'a> {
    rest: &'a [u8],
    reads: usize,
}

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.reads += 1;
        let len = into.len().min(1);
        self.rest.read(&mut into[..len])
    }
}

#[test]
fn a_slow_pipe_gives_the_same() {
    let (rich, _) = rich_pcapng();
    for file in [small_pcap(), rich] {
        assert_eq!(read(Slow { rest: &file, reads: 0 }), read(&file[..]));
    }
}

#[test]
fn nothing_is_read_before_it_is_needed() {
    // A source that must not be asked for more than the header and the first packet.
    struct Strict<'a>(&'a [u8]);
    impl Read for Strict<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            assert!(!self.0.is_empty(), "asked behind the first packet");
            self.0.read(into)
        }
    }
    let file = small_pcap();
    let mut reader = PacketReader::open(Strict(&file[..43])).expect("a capture");
    let first = reader.next_packet().expect("a packet").expect("undamaged");
    assert_eq!(first.raw.bytes, b"one");
}

/// Magics, so that arbitrary bytes get behind the first four.
fn beginnings() -> impl Strategy<Value = Vec<u8>> {
    let (rich, _) = rich_pcapng();
    let section = File::new(true).section(true).interface(1, 0, &[]).bytes;
    prop::sample::select(vec![
        Vec::new(),
        small_pcap(),
        small_pcap()[..24].to_vec(),
        File::new(true).pcap(0xa1b2_cd34, 0, 1).bytes,
        rich,
        section,
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(),
        b"\x28\xb5\x2f\xfd".to_vec(),
    ])
}

fn ends(file: &[u8]) -> Result<(), TestCaseError> {
    let Ok(mut reader) = PacketReader::open(file) else { return Ok(()) };
    let mut items = 0;
    while let Some(item) = reader.next_packet() {
        if let Ok(packet) = item {
            prop_assert!(packet.raw.bytes.len() <= 1 << 20);
        }
        items += 1;
        // Every packet and damage takes at least a frame of 12 bytes; compressed ones more.
        prop_assert!(items <= 1 << 20);
    }
    prop_assert!(reader.damage().len() <= 32);
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_bytes_end(start in beginnings(), rest in prop::collection::vec(any::<u8>(), 0..600)) {
        ends(&[start, rest].concat())?;
    }

    #[test]
    fn changed_bytes_end(
        file in beginnings(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut file = file;
        if !file.is_empty() {
            for (place, value) in changes {
                let place = place.index(file.len());
                file[place] = value;
            }
        }
        ends(&file)?;
    }
}
