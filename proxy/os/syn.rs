//! What a SYN says about its sender: the IP and TCP header that [`super::saved_syn`] gives (RFC 791, RFC 8200,
//! RFC 9293 3.1 and 3.2). Boxes on the way lower the TTL, rewrite the MSS and blank out options; the order of the
//! options names the sender's TCP.

use rdpwhy_analyzer::wire::{ParseError, Parsed, Reader};

/// The header fields of a SYN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SynFacts {
    /// Time to live or hop limit on arrival.
    pub ttl: u8,
    /// IPv4 identification.
    pub ip_id: Option<u16>,
    /// IPv4 "don't fragment"; always true for IPv6, where nobody on the way may.
    pub dont_fragment: bool,
    /// Maximum segment size (option 2).
    pub mss: Option<u16>,
    /// Window as sent; a SYN's is never scaled.
    pub window: u16,
    /// Window scale shift (option 3).
    pub window_scale: Option<u8>,
    /// Selective acknowledgement permitted (option 4).
    pub sack: bool,
    /// Timestamps (option 8).
    pub timestamps: bool,
    /// Kinds of the options in order, each no-operation (1) included, up to the end-of-list option (0) if present.
    pub option_order: Vec<u8>,
    /// The option bytes as sent.
    pub options: Vec<u8>,
}

impl SynFacts {
    /// Reads an IPv4 or IPv6 packet that begins with its IP header. An option with a broken length ends the list;
    /// the options before it stand.
    pub fn parse(packet: &[u8]) -> Parsed<SynFacts> {
        let mut reader = Reader::new(packet);
        let mut facts = match packet.first().map(|first| first >> 4) {
            Some(4) => ipv4(&mut reader)?,
            Some(6) => ipv6(&mut reader)?,
            Some(_) => return Err(ParseError::Malformed { what: "IP version", offset: 0 }),
            None => return Err(ParseError::Incomplete { what: "IP version", offset: 0, need: 1 }),
        };
        reader.take(12, "TCP ports and numbers")?;
        let offset = reader.offset();
        let header = usize::from(reader.u8("TCP data offset")? >> 4) * 4;
        reader.u8("TCP flags")?;
        facts.window = reader.u16_be("TCP window")?;
        reader.take(4, "TCP checksum and urgent pointer")?;
        let length = header
            .checked_sub(20)
            .ok_or(ParseError::Malformed { what: "TCP data offset", offset })?;
        facts.options = reader.take(length, "TCP options")?.to_vec();
        facts.read_options();
        Ok(facts)
    }

    /// Fills the option fields from `options`.
    fn read_options(&mut self) {
        let mut rest = self.options.as_slice();
        while let [kind, after @ ..] = rest {
            self.option_order.push(*kind);
            match kind {
                0 => return,
                1 => rest = after,
                _ => {
                    let Some((&length, _)) = after.split_first() else { return };
                    let Some(value) = rest.get(2..usize::from(length)) else { return };
                    match (kind, value) {
                        (2, &[high, low]) => self.mss = Some(u16::from_be_bytes([high, low])),
                        (3, &[shift]) => self.window_scale = Some(shift),
                        (4, []) => self.sack = true,
                        (8, [_, _, _, _, _, _, _, _]) => self.timestamps = true,
                        _ => {}
                    }
                    rest = rest.get(usize::from(length)..).unwrap_or_default();
                }
            }
        }
    }
}

/// RFC 791 3.1.
fn ipv4(reader: &mut Reader<'_>) -> Parsed<SynFacts> {
    let header = usize::from(reader.u8("IP header length")? & 0x0f) * 4;
    reader.take(3, "IP type of service and length")?;
    let ip_id = reader.u16_be("IP identification")?;
    let fragment = reader.u16_be("IP fragment")?;
    let ttl = reader.u8("IP time to live")?;
    let offset = reader.offset();
    if reader.u8("IP protocol")? != TCP {
        return Err(ParseError::Malformed { what: "IP protocol", offset });
    }
    reader.take(10, "IP checksum and addresses")?;
    let options = header
        .checked_sub(20)
        .ok_or(ParseError::Malformed { what: "IP header length", offset: 0 })?;
    reader.take(options, "IP options")?;
    Ok(SynFacts {
        ttl,
        ip_id: Some(ip_id),
        dont_fragment: fragment & 0x4000 != 0,
        ..SynFacts::default()
    })
}

/// RFC 8200 3 and 4: the fixed header, then hop-by-hop, routing and destination options until TCP.
fn ipv6(reader: &mut Reader<'_>) -> Parsed<SynFacts> {
    reader.take(6, "IPv6 flow label and length")?;
    let mut next = reader.u8("IPv6 next header")?;
    let ttl = reader.u8("IPv6 hop limit")?;
    reader.take(32, "IPv6 addresses")?;
    while next != TCP {
        let offset = reader.offset();
        if !matches!(next, 0 | 43 | 60) {
            return Err(ParseError::Malformed { what: "IPv6 next header", offset });
        }
        next = reader.u8("IPv6 next header")?;
        let length = usize::from(reader.u8("IPv6 extension length")?) * 8 + 6;
        reader.take(length, "IPv6 extension")?;
    }
    Ok(SynFacts { ttl, dont_fragment: true, ..SynFacts::default() })
}

const TCP: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(options: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xc3, 0x50, 0x0d, 0x3d, 1, 2, 3, 4, 0, 0, 0, 0];
        bytes.extend([(((20 + options.len()) / 4) << 4) as u8, 0x02, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.extend(options);
        bytes
    }

    fn over_ipv4(options: &[u8]) -> Vec<u8> {
        let mut packet =
            vec![0x45, 0, 0, 52, 0x12, 0x34, 0x40, 0, 127, 6, 0, 0, 10, 0, 0, 5, 10, 0, 0, 9];
        packet.extend(tcp(options));
        packet
    }

    const WINDOWS: [u8; 12] = [2, 4, 0x05, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];

    #[test]
    fn ipv4_syn_of_windows() {
        let facts = SynFacts::parse(&over_ipv4(&WINDOWS)).expect("SYN");
        let expected = SynFacts {
            ttl: 127,
            ip_id: Some(0x1234),
            dont_fragment: true,
            mss: Some(1460),
            window: 65535,
            window_scale: Some(8),
            sack: true,
            timestamps: false,
            option_order: vec![2, 1, 3, 1, 1, 4],
            options: WINDOWS.to_vec(),
        };
        assert_eq!(facts, expected);
    }

    #[test]
    fn ipv6_syn_of_linux_behind_an_extension() {
        let linux = [2, 4, 0x05, 0xa0, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
        let mut packet = vec![0x60, 0, 0, 0, 0, 48, 60, 58];
        packet.extend([0; 32]);
        packet.extend([6, 0, 1, 4, 0, 0, 0, 0]);
        packet.extend(tcp(&linux));
        let facts = SynFacts::parse(&packet).expect("SYN");
        assert_eq!(
            (facts.ttl, facts.ip_id, facts.mss, facts.window_scale),
            (58, None, Some(1440), Some(7))
        );
        assert!(facts.sack && facts.timestamps);
        assert_eq!(facts.option_order, [2, 4, 8, 1, 3]);
    }

    #[test]
    fn broken_options_keep_those_before() {
        for broken in [[3, 0, 3, 8], [3, 1, 3, 8], [3, 9, 3, 8]] {
            let facts = SynFacts::parse(&over_ipv4(&[&[2, 4, 0x05, 0xb4][..], &broken].concat()))
                .expect("SYN");
            assert_eq!((facts.mss, facts.window_scale), (Some(1460), None));
            assert_eq!(facts.option_order, [2, 3]);
        }
    }

    #[test]
    fn cut_anywhere_is_incomplete() {
        let packet = over_ipv4(&WINDOWS);
        for cut in 0..packet.len() {
            assert!(
                SynFacts::parse(&packet[..cut]).is_err_and(|error| error.is_incomplete()),
                "cut at {cut}"
            );
        }
        let mut udp = packet.clone();
        udp[9] = 17;
        assert!(SynFacts::parse(&udp).is_err_and(|error| !error.is_incomplete()));
        udp[0] = 0x55;
        assert!(SynFacts::parse(&udp).is_err());
    }
}
