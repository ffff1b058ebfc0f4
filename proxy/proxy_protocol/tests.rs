//! Vectors written by hand from the specification, and properties over any bytes.

use proptest::prelude::*;

use super::*;

fn ends(source: &str, destination: &str) -> Ends {
    Ends { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
}

/// A header of version 2: command, family, length, what follows.
fn v2(command: u8, family: u8, length: u16, body: &[u8]) -> Vec<u8> {
    let signature = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A];
    [&signature[..], &[command, family], &length.to_be_bytes(), body].concat()
}

const V4: [u8; 12] = [192, 168, 0, 1, 192, 168, 0, 11, 0xDC, 0x04, 0x01, 0xBB];

#[test]
fn the_lines_of_the_specification_are_read() {
    let long = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    for (line, expected) in [
        (
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".to_owned(),
            Some(ends("192.168.0.1:56324", "192.168.0.11:443")),
        ),
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n".to_owned(),
            Some(ends("255.255.255.255:65535", "255.255.255.255:65535")),
        ),
        (
            "PROXY TCP6 2001:db8::1 ::ffff:10.0.0.9 0 3389\r\n".to_owned(),
            Some(ends("[2001:db8::1]:0", "[::ffff:10.0.0.9]:3389")),
        ),
        (
            format!("PROXY TCP6 {long} {long} 65535 65535\r\n"),
            Some(ends(&format!("[{long}]:65535"), &format!("[{long}]:65535"))),
        ),
        ("PROXY UNKNOWN\r\n".to_owned(), None),
        (format!("PROXY UNKNOWN {long} {long} 65535 65535\r\n"), None),
        ("PROXY UNKNOWN what ever\r\n".to_owned(), None),
    ] {
        let header = Header { ends: expected, length: line.len() };
        assert_eq!(parse(line.as_bytes()), Ok(Some(header)), "{line:?}");
        let followed = [line.as_bytes(), b"\x03\0\0\x13"].concat();
        assert_eq!(parse(&followed), Ok(Some(header)), "{line:?}");
        for end in 0..line.len() {
            assert_eq!(parse(&line.as_bytes()[..end]), Ok(None), "{line:?} up to {end}");
        }
    }
}

#[test]
fn lines_that_do_not_match_exactly_are_refused() {
    for (line, why) in [
        ("GET / HTTP/1.1\r\n\r\n", Malformed::Signature),
        ("\x03\0\0\x13\x0e\u{e0}", Malformed::Signature),
        ("proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n", Malformed::Signature),
        ("PROXY\tTCP4 1.1.1.1 2.2.2.2 1 2\r\n", Malformed::Signature),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n", Malformed::Line),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rx", Malformed::Line),
        ("PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n", Malformed::Words),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n", Malformed::Words),
        ("PROXY TCP4 1.1.1.01 2.2.2.2 1 2\r\n", Malformed::Words),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", Malformed::Words),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n", Malformed::Words),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n", Malformed::Words),
        ("PROXY TCP4 ::1 ::1 1 2\r\n", Malformed::Words),
        ("PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", Malformed::Words),
        ("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", Malformed::Words),
        ("PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", Malformed::Words),
        ("PROXY UNKNOWN?\r\n", Malformed::Words),
        ("PROXY \r\n", Malformed::Words),
    ] {
        assert_eq!(parse(line.as_bytes()), Err(why), "{line:?}");
    }
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(93));
    assert_eq!(parse(endless.as_bytes()), Err(Malformed::Line));
    assert_eq!(parse(&endless.as_bytes()[..106]), Ok(None));
    let at_the_edge = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
    assert_eq!(parse(at_the_edge.as_bytes()), Err(Malformed::Line), "108 bytes");
}

#[test]
fn the_blocks_of_the_specification_are_read() {
    let v6 = [[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]; 2].concat();
    let v6 = [&v6[..], &[0xC3, 0x50, 0x0D, 0x3D]].concat();
    let both = Some(ends("192.168.0.1:56324", "192.168.0.11:443"));
    let noop = [&V4[..], &[0x04, 0, 2, 7, 7, 0xE0, 0, 0]].concat();
    for (block, expected) in [
        (v2(0x21, 0x11, 12, &V4), both),
        (v2(0x21, 0x11, 20, &noop), both),
        (v2(0x21, 0x21, 36, &v6), Some(ends("[2001:db8::1]:50000", "[2001:db8::1]:3389"))),
        // LOCAL: whatever is in it is skipped.
        (v2(0x20, 0x00, 0, &[]), None),
        (v2(0x20, 0xFF, 5, &[1; 5]), None),
        (v2(0x20, 0x11, 12, &V4), None),
        // Families and transports that are none of TCP.
        (v2(0x21, 0x00, 0, &[]), None),
        (v2(0x21, 0x00, 3, &[9; 3]), None),
        (v2(0x21, 0x12, 12, &V4), None),
        (v2(0x21, 0x10, 12, &V4), None),
        (v2(0x21, 0x31, 216, &[b'/'; 216]), None),
    ] {
        let header = Header { ends: expected, length: block.len() };
        assert_eq!(parse(&block), Ok(Some(header)), "{block:02x?}");
        assert_eq!(parse(&[&block[..], b"\x03\0\0\x13"].concat()), Ok(Some(header)));
        for end in 0..block.len() {
            assert_eq!(parse(&block[..end]), Ok(None), "{block:02x?} up to {end}");
        }
    }
}

#[test]
fn blocks_with_unknown_codes_or_wrong_lengths_are_refused() {
    let cut = [&V4[..], &[0x04, 0, 2, 7]].concat();
    let torn = [&V4[..], &[0x04, 0]].concat();
    for (block, why) in [
        (v2(0x11, 0x11, 12, &V4), Malformed::Code),
        (v2(0x22, 0x11, 12, &V4), Malformed::Code),
        (v2(0x21, 0x41, 12, &V4), Malformed::Code),
        (v2(0x21, 0x13, 12, &V4), Malformed::Code),
        (v2(0x21, 0x11, 11, &V4[..11]), Malformed::Length),
        (v2(0x21, 0x21, 12, &V4), Malformed::Length),
        (v2(0x21, 0x11, 16, &cut), Malformed::Length),
        (v2(0x21, 0x11, 14, &torn), Malformed::Length),
        (v2(0x21, 0x11, 4081, &[]), Malformed::Long),
        (v2(0x20, 0x00, u16::MAX, &[]), Malformed::Long),
    ] {
        assert_eq!(parse(&block), Err(why), "{block:02x?}");
    }
    assert_eq!(parse(b"\r\n\r\n\0\r\nQUIX"), Err(Malformed::Signature));
}

#[test]
fn a_checksum_that_is_there_must_be_right() {
    // RFC 9260 appendix A and its known check value.
    assert_eq!(checksum(b"123456789", 9), 0xE306_9283);
    let with = |sum: u32| {
        let extension = [&[0x03, 0, 4][..], &sum.to_be_bytes()].concat();
        v2(0x21, 0x11, 19, &[&V4[..], &extension].concat())
    };
    let right = checksum(&with(0), 31);
    assert!(matches!(parse(&with(right)), Ok(Some(Header { length: 35, .. }))));
    assert_eq!(parse(&with(right ^ 1)), Err(Malformed::Checksum));
}

#[test]
fn headers_are_written_as_the_specification_has_them() {
    let v4 = ends("192.168.0.1:56324", "192.168.0.11:443");
    let line = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
    assert_eq!(write(Version::V1, v4), line);
    assert_eq!(write(Version::V2, v4), v2(0x21, 0x11, 12, &V4));
    let mixed = ends("192.168.0.1:56324", "[2001:db8::b]:443");
    let line = b"PROXY TCP6 0:0:0:0:0:ffff:c0a8:1 2001:db8:0:0:0:0:0:b 56324 443\r\n";
    assert_eq!(write(Version::V1, mixed), line);
    // A client of a socket for both families is one of IPv4.
    let mapped = ends("[::ffff:192.168.0.1]:56324", "[::ffff:192.168.0.11]:443");
    assert_eq!(write(Version::V1, mapped), write(Version::V1, v4));
}

fn some_address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(|octets| IpAddr::from(octets).to_canonical()),
    ];
    (ip, any::<u16>()).prop_map(SocketAddr::from)
}

/// Bytes that are likely to get past the first look.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![
        Just(Vec::new()),
        Just(b"PROXY TCP4 ".to_vec()),
        Just(b"PROXY UNKNOWN ".to_vec()),
        (0x1Fu8..0x23, any::<u8>(), 0u16..300).prop_map(|(c, f, l)| v2(c, f, l, &[])),
    ];
    (head, proptest::collection::vec(any::<u8>(), 0..400)).prop_map(|(h, t)| [h, t].concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(source in some_address(), destination in some_address(),
                                     tail in proptest::collection::vec(any::<u8>(), 0..40)) {
        for version in [Version::V1, Version::V2] {
            let written = write(version, Ends { source, destination });
            prop_assert!(written.len() <= LONGEST_LINE);
            let header = parse(&[&written[..], &tail].concat()).unwrap().unwrap();
            let read = header.ends.unwrap();
            prop_assert_eq!(header.length, written.len());
            prop_assert_eq!(read.source.ip().to_canonical(), source.ip());
            prop_assert_eq!(read.destination.ip().to_canonical(), destination.ip());
            let ports = (read.source.port(), read.destination.port());
            prop_assert_eq!(ports, (source.port(), destination.port()));
        }
    }

    #[test]
    fn any_bytes_are_read_within_bounds_and_the_same_however_they_come(bytes in likely()) {
        let whole = parse(&bytes);
        if let Ok(None) = whole {
            prop_assert!(bytes.len() < LONGEST);
        }
        if let Ok(Some(header)) = whole {
            prop_assert!(header.length <= bytes.len().min(LONGEST));
            // No byte of the client is taken for one of the header.
            prop_assert_eq!(parse(&bytes[..header.length]), whole);
            prop_assert_eq!(parse(&bytes[..header.length - 1]), Ok(None));
        }
        for end in 0..bytes.len() {
            // A decision never changes with more bytes.
            let early = parse(&bytes[..end]);
            prop_assert!(early == Ok(None) || early == whole, "{:?} then {:?}", early, whole);
        }
    }
}
