//! Files that are no captures.

use super::*;

fn refused(bytes: &[u8]) -> String {
    PacketReader::open(bytes).expect_err("no capture").to_string()
}

#[test]
fn each_is_named_with_what_to_do() {
    let mut trace = vec![0; 4096];
    trace[..8].copy_from_slice(&[0, 0x10, 0, 0, 0x80, 2, 0, 0]);
    trace[72..76].copy_from_slice(&[2, 0, 2, 0xc0]);
    let cases: [(&[u8], &str); 14] = [
        (b"", "empty"),
        (&trace, "etl2pcapng in.etl out.pcapng"),
        (b"GMBU\0\x02\x01\0", "Network Monitor"),
        (b"RTSS\0\x02\x01\0", "Network Monitor"),
        (b"snoop\0\0\0\0\0\0\x02\0\0\0\x04", "snoop"),
        (b"No.     Time           Source                Destination", "text"),
        (b"Frame 1: 66 bytes on wire (528 bits)\r\n", "text"),
        ("\u{feff}No. Time Süd".as_bytes(), "text"),
        (b"PK\x03\x04\x14\0", "zip"),
        (b"\xfd7zXZ\0\0", "xz"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "7f 45 4c 46 02 01 01 00"),
        (b"\xa1\xb2", "a1 b2"),
        (b"\xa1\xb2\xc3\xd4\0\x02", "pcap file cut after 6 bytes"),
        (b"\x0a\x0d\x0d\x0a\x1c\0", "pcapng file cut after 6 bytes"),
    ];
    for (bytes, part) in cases {
        let message = refused(bytes);
        assert!(message.contains(part), "{message} lacks {part}");
    }
}

#[test]
fn a_source_that_fails_says_so() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let error = PacketReader::open(Failing).expect_err("no capture").to_string();
    assert!(error.contains("the disk is gone"), "{error}");
    let file = fixtures::small_pcap();
    let (seen, damage) = read(file[..45].chain(Failing));
    assert_eq!((seen.len(), damage.len()), (1, 1));
    assert!(damage[0].what.contains("the disk is gone"));
}
