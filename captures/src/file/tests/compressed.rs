//! Compressed captures. The bytes are what the programs gzip and zstd made of the small pcap file.

use super::fixtures::small_pcap;
use super::*;
use crate::file::OpenError;

/// Bytes 0 to 30.
const GZIP_1: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xbb\x72\x78\xd3\x42\x26\x06\x16\x06\
\x18\xf8\xff\x9f\x81\x81\x91\x01\x82\x59\x19\x00\x0a\x5a\x17\x09\x1e\x00\x00\x00";
/// The bytes from 30 on.
const GZIP_2: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x63\x60\x60\x66\x60\x00\xe3\xfc\xbc\
\x54\x26\x20\xc5\x8a\x84\x4b\x32\x8a\x52\x53\x01\xc1\x3a\x9e\x95\x22\x00\x00\x00";
/// All bytes.
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x04\x68\x65\x01\x00\x04\x02\xd4\xc3\xb2\xa1\x02\x00\x04\x00\
\xff\xff\x00\x00\x01\x00\x05\x00\x00\x00\x03\x6f\x6e\x65\x02\x00\x00\x00\x05\x74\x68\x72\x65\x65\
\x04\x00\xc0\x70\x90\xb5\x3b\x0a\x01\xb8\x09\x3b\x62\xec";
/// Bytes 0 to 30.
const ZSTD_1: &[u8] =
    b"\x28\xb5\x2f\xfd\x04\x68\xc5\x00\x00\x80\xd4\xc3\xb2\xa1\x02\x00\x04\x00\xff\
\xff\x00\x00\x01\x00\x05\x00\x02\x00\xee\x28\x04\xe0\x02\x99\x2b\x73\x7f";
/// The bytes from 30 on.
const ZSTD_2: &[u8] =
    b"\x28\xb5\x2f\xfd\x04\x68\xed\x00\x00\xb8\x00\x00\x03\x00\x00\x00\x03\x00\x00\
\x00\x6f\x6e\x65\x02\x00\x00\x00\x05\x74\x68\x72\x65\x65\x01\x00\x18\x37\x0c\x49\x66\x6e\x13";
/// RFC 8878 3.1.2.
const SKIPPED: &[u8] = b"\x5a\x2a\x4d\x18\x05\x00\x00\x00hello";

#[test]
fn gzip_of_several_members() {
    let (seen, damage) = read(&[GZIP_1, GZIP_2].concat()[..]);
    assert_eq!(seen, read(&small_pcap()[..]).0);
    assert_eq!(seen.len(), 2);
    assert_eq!(damage, []);
}

#[test]
fn zstd_of_several_frames() {
    let expected = read(&small_pcap()[..]).0;
    for file in [
        ZSTD.to_vec(),
        [ZSTD_1, ZSTD_2].concat(),
        [SKIPPED, ZSTD_1, SKIPPED, ZSTD_2, SKIPPED].concat(),
    ] {
        let (seen, damage) = read(&file[..]);
        assert_eq!(seen, expected);
        assert_eq!(damage, []);
    }
}

#[test]
fn cut_anywhere_it_ends() {
    for file in [[GZIP_1, GZIP_2].concat(), [ZSTD_1, SKIPPED, ZSTD_2].concat()] {
        let mut before = 0;
        for cut in 0..file.len() {
            let Ok(mut reader) = PacketReader::open(&file[..cut]) else {
                assert_eq!(before, 0, "{cut}");
                continue;
            };
            let (seen, damage) = drain(&mut reader);
            assert!(seen.len() >= before, "{cut}");
            assert!(seen.len() == 2 || damage.len() == 1, "{cut}");
            before = seen.len();
        }
    }
}

#[test]
fn what_follows_the_compressed_part_costs_no_packet() {
    for part in [[GZIP_1, GZIP_2].concat(), ZSTD.to_vec()] {
        let (seen, damage) = read(&[&part[..], b"garbage"].concat()[..]);
        assert_eq!((seen.len(), damage.len()), (2, 1));
    }
}

#[test]
fn compressed_twice_is_said() {
    // A stored deflate block around the beginning of another gzip file, without an end.
    let inner = b"\x1f\x8b\x08\x00";
    let outer = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x04\0\xfb\xff".as_slice(), inner].concat();
    let error = PacketReader::open(&outer[..]).expect_err("no capture");
    assert!(matches!(error, OpenError::CompressedTwice), "{error:?}");
}
