//! The PROXY protocol, versions 1 and 2: a header in front of a connection's first byte by which a proxy says
//! whose connection it passes on. Written from haproxy's `proxy-protocol.txt`; section numbers are its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header that is accepted, in bytes. Version 1 needs 107 at most (2.1); version 2 can say of itself
/// that it is 64 KiB long, of which addresses take 216 and known extensions some hundred.
pub const LONGEST: usize = 4096;

/// The two forms of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Version {
    /// A line of text
    V1,
    /// A binary block
    V2,
}

/// The ends of the connection that a proxy passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Who connected.
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
}

/// A header that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose connection it is. `None` where the proxy speaks for itself (`LOCAL`), does not know (`UNKNOWN`), or
    /// names ends that are no TCP addresses: then those of the connection itself hold.
    pub ends: Option<Ends>,
    /// Its length in bytes; what comes behind it belongs to the client.
    pub length: usize,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Neither signature.
    #[error("the first bytes are no PROXY protocol header")]
    Signature,
    /// Version 1 without its CR LF in time, or with one of them alone.
    #[error("the line of version 1 does not end as it must")]
    Line,
    /// A word or number of version 1 that it does not know.
    #[error("the line of version 1 is not well-formed")]
    Words,
    /// A version, command, family or transport that version 2 does not have.
    #[error("version 2 has no such version, command, family or transport")]
    Code,
    /// Version 2 with less room than its addresses or extensions need.
    #[error("the lengths in the header of version 2 do not fit together")]
    Length,
    /// Version 2 longer than [`LONGEST`].
    #[error("the header of version 2 is longer than {LONGEST} bytes")]
    Long,
    /// Version 2 with a checksum that differs.
    #[error("the checksum in the header of version 2 is wrong")]
    Checksum,
}

/// Reads the header at the start of `bytes`. `None`: all of them belong to a header, and more must come.
/// Sections 2.1 and 2.2.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    if begins(bytes, &SIGNATURE) {
        return if bytes.len() < FIXED { Ok(None) } else { binary(bytes) };
    }
    if begins(bytes, WORD) {
        return line(bytes);
    }
    Err(Malformed::Signature)
}

/// The header for a connection with these ends. Where their families differ, both are written as IPv6.
pub fn write(version: Version, ends: Ends) -> Vec<u8> {
    let (from, to) = (ends.source.ip().to_canonical(), ends.destination.ip().to_canonical());
    let ports = [ends.source.port(), ends.destination.port()];
    match (version, from, to) {
        (Version::V1, IpAddr::V4(from), IpAddr::V4(to)) => {
            format!("PROXY TCP4 {from} {to} {} {}\r\n", ports[0], ports[1]).into_bytes()
        }
        (Version::V1, from, to) => {
            let [from, to] = [from, to].map(|ip| groups(wide(ip)));
            format!("PROXY TCP6 {from} {to} {} {}\r\n", ports[0], ports[1]).into_bytes()
        }
        (Version::V2, IpAddr::V4(from), IpAddr::V4(to)) => {
            block(0x11, &[from.octets(), to.octets()].concat(), ports)
        }
        (Version::V2, from, to) => {
            block(0x21, &[wide(from).octets(), wide(to).octets()].concat(), ports)
        }
    }
}

/// What version 1 begins with, its space included.
const WORD: &[u8] = b"PROXY ";
/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length.
const FIXED: usize = 16;
/// The longest line of version 1 with its CR LF.
const LONGEST_LINE: usize = 107;

/// Whether the bytes agree with a signature as far as they go.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(byte, expected)| byte == expected)
}

/// Version 1.
fn line(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let within = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = within.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return if bytes.len() < LONGEST_LINE { Ok(None) } else { Err(Malformed::Line) };
    };
    match (within[end], within.get(end + 1)) {
        (b'\r', Some(b'\n')) => {}
        (b'\r', None) if end + 1 < LONGEST_LINE => return Ok(None),
        _ => return Err(Malformed::Line),
    }
    let text = std::str::from_utf8(&within[WORD.len()..end]).map_err(|_| Malformed::Words)?;
    let ends = match text.split(' ').collect::<Vec<_>>().as_slice() {
        // Whatever follows is not looked at.
        ["UNKNOWN", ..] => None,
        ["TCP4", from, to, from_port, to_port] => {
            let [from, to] = [from, to].map(|ip| ip.parse::<Ipv4Addr>().ok().map(IpAddr::V4));
            Some(ends_of([from, to], [from_port, to_port])?)
        }
        ["TCP6", from, to, from_port, to_port] => {
            let [from, to] = [from, to].map(|ip| ip.parse::<Ipv6Addr>().ok().map(IpAddr::V6));
            Some(ends_of([from, to], [from_port, to_port])?)
        }
        _ => return Err(Malformed::Words),
    };
    Ok(Some(Header { ends, length: end + 2 }))
}

fn ends_of(ips: [Option<IpAddr>; 2], ports: [&str; 2]) -> Result<Ends, Malformed> {
    match (ips, ports.map(port)) {
        ([Some(from), Some(to)], [Some(from_port), Some(to_port)]) => Ok(Ends {
            source: SocketAddr::new(from, from_port),
            destination: SocketAddr::new(to, to_port),
        }),
        _ => Err(Malformed::Words),
    }
}

/// Decimal, without a sign or leading zeroes.
fn port(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (digits == "0" || !digits.starts_with('0'))).then(|| digits.parse().ok()).flatten()
}

/// Version 2, of which the fixed part is there.
fn binary(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    const VERSION: u8 = 0x20;
    let (local, family) = match (bytes[12], bytes[13]) {
        (command, family) if command == VERSION => (true, family),
        (command, family) if command == VERSION | 1 => (false, family),
        _ => return Err(Malformed::Code),
    };
    let length = FIXED + usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if !local && (family >> 4 > 3 || family & 0x0F > 2) {
        return Err(Malformed::Code);
    }
    if length > LONGEST {
        return Err(Malformed::Long);
    }
    let Some(header) = bytes.get(..length) else { return Ok(None) };
    // What a proxy says of itself is skipped whole, its family included (2.2).
    if local {
        return Ok(Some(Header { ends: None, length }));
    }
    let (size, ends) = addresses(family, &header[FIXED..]).ok_or(Malformed::Length)?;
    if size > 0 {
        extensions(header, FIXED + size)?;
    }
    Ok(Some(Header { ends, length }))
}

/// The length of the addresses and, of TCP, the ends; `None` where they do not fit.
fn addresses(family: u8, body: &[u8]) -> Option<(usize, Option<Ends>)> {
    let (size, ip) = match family >> 4 {
        1 => (12, 4),
        2 => (36, 16),
        3 => (216, 0),
        _ => (0, 0),
    };
    let block = body.get(..size)?;
    const STREAM: u8 = 1;
    if ip == 0 || family & 0x0F != STREAM {
        return Some((size, None));
    }
    let (source, rest) = block.split_at(ip);
    let (destination, ports) = rest.split_at(ip);
    let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
    let ends = Ends {
        source: SocketAddr::new(address(source)?, port(0)),
        destination: SocketAddr::new(address(destination)?, port(2)),
    };
    Some((size, Some(ends)))
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

/// Walks the extensions behind the addresses; a checksum among them must be right (2.2.3).
fn extensions(header: &[u8], from: usize) -> Result<(), Malformed> {
    const CRC32C: u8 = 0x03;
    let mut at = from;
    while at < header.len() {
        let [kind, high, low] = *header.get(at..at + 3).ok_or(Malformed::Length)? else {
            return Err(Malformed::Length);
        };
        let value = at + 3..at + 3 + usize::from(u16::from_be_bytes([high, low]));
        let bytes = header.get(value.clone()).ok_or(Malformed::Length)?;
        if kind == CRC32C {
            let told = <[u8; 4]>::try_from(bytes).map_err(|_| Malformed::Length)?;
            if u32::from_be_bytes(told) != checksum(header, value.start) {
                return Err(Malformed::Checksum);
            }
        }
        at = value.end;
    }
    Ok(())
}

/// CRC32c (RFC 9260 appendix A) of the header, with the four bytes of the checksum itself taken as zero.
fn checksum(header: &[u8], itself: usize) -> u32 {
    /// The polynomial 0x1EDC6F41, its bits reversed.
    const POLYNOMIAL: u32 = 0x82F6_3B78;
    let own = itself..itself + 4;
    let bytes =
        header.iter().enumerate().map(|(at, byte)| if own.contains(&at) { 0 } else { *byte });
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 }
        })
    })
}

/// A header of version 2 for a connection that is passed on.
fn block(family: u8, ips: &[u8], ports: [u16; 2]) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    let length = if family == 0x11 { 12u16 } else { 36 };
    header.extend([0x21, family]);
    header.extend(length.to_be_bytes());
    header.extend(ips);
    header.extend(ports.map(u16::to_be_bytes).concat());
    header
}

fn wide(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// All eight groups in hexadecimal: version 1 has no mixed notation (2.1).
fn groups(ip: Ipv6Addr) -> String {
    ip.segments().map(|group| format!("{group:x}")).join(":")
}

#[cfg(test)]
mod tests;
