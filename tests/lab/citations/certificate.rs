//! As much of a certificate's DER as it takes to see what a fact says of it. RFC 5280 4.1, X.690.

use super::scene::has;
use std::net::IpAddr;

/// The lifetimes in it, each begin and end in seconds since 1970.
pub fn lifetimes(der: &[u8]) -> Vec<(i64, i64)> {
    let times = |at: usize| {
        let (begin, next) = time(der.get(at..)?)?;
        let (end, _) = time(der.get(at + next..)?)?;
        Some((begin, end))
    };
    (0..der.len()).filter_map(times).collect()
}

/// A UTCTime or GeneralizedTime and how long it is.
fn time(der: &[u8]) -> Option<(i64, usize)> {
    let [kind, length, text @ ..] = der else { return None };
    let text = std::str::from_utf8(text.get(..usize::from(*length))?).ok()?;
    let (year, rest) = match (kind, length) {
        (0x17, 13) => {
            let year: i64 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        (0x18, 15) => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let days = days_since_1970(year, two(0)?, two(2)?);
    let seconds = two(4)? * 3600 + two(6)? * 60 + two(8)?;
    Some((days * 86_400 + seconds, usize::from(*length) + 2))
}

/// Days from 1970 to a day of the Gregorian calendar.
pub fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let leaps = year / 4 - year / 100 + year / 400;
    year * 365 + leaps + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// Whether it holds an RSA key of this many bits with the exponent 65537.
pub fn has_rsa_key(der: &[u8], bits: usize) -> bool {
    let bytes = bits / 8;
    let mut header = vec![0x02];
    match bytes + 1 {
        length @ ..0x80 => header.push(length as u8),
        length @ 0x80..0x100 => header.extend([0x81, length as u8]),
        length => header.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    header.push(0);
    let exponent = [0x02, 0x03, 0x01, 0x00, 0x01];
    der.windows(header.len() + bytes + exponent.len())
        .any(|window| window.starts_with(&header) && window.ends_with(&exponent))
}

/// Whether it is signed with this algorithm, by the name in RFC 3279.
pub fn is_signed_with(der: &[u8], algorithm: &str) -> bool {
    let last = match algorithm {
        "md2WithRSAEncryption" => 2,
        "md5WithRSAEncryption" => 4,
        "sha1WithRSAEncryption" => 5,
        _ => return false,
    };
    has(der, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, last])
}

/// How often every value of a name is in it: a distinguished one, `CN=lab, O=rdp`, or a list of host names and
/// addresses.
pub fn names(der: &[u8], name: &str) -> usize {
    let values = name.split(", ").map(|part| part.split_once('=').map_or(part, |(_, value)| value));
    let often = |value: &str| {
        let address = |address: IpAddr| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let address = value.parse().map(address).unwrap_or_default();
        count(der, value.as_bytes()) + count(der, &address)
    };
    values.map(often).min().unwrap_or_default()
}

fn count(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len().max(1)).filter(|window| *window == part).count()
}
