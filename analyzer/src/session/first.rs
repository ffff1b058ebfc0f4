//! When the first bytes of a direction are enough, and what stands before the real ones.

use crate::wire::first_bytes::FirstBytes;

/// What the peer speaks and how many bytes stand before it (preconnection PDU, PROXY header); `None`
/// while more bytes could change the answer. More than `limit` are never waited for.
pub(super) fn classify(first: &[u8], limit: usize) -> Option<(FirstBytes, usize)> {
    let full = first.len() >= limit;
    match FirstBytes::classify(first)? {
        FirstBytes::Preconnection(size) => Some((FirstBytes::Preconnection(size), size as usize)),
        FirstBytes::ProxyProtocol => match proxy_header(first) {
            Some(size) => Some((FirstBytes::ProxyProtocol, size)),
            None => full.then_some((FirstBytes::ProxyProtocol, 0)),
        },
        // A portal is known by its headers.
        what @ (FirstBytes::HttpResponse(_) | FirstBytes::HttpRequest { .. }) => {
            let whole = first.windows(4).any(|end| end == b"\r\n\r\n");
            (whole || full).then_some((what, 0))
        }
        what => Some((what, 0)),
    }
}

/// The same for a direction that has ended. A single byte with which RDP or TLS begins is not another
/// protocol: it is one of these, cut off.
pub(super) fn classify_cut(first: &[u8]) -> Option<FirstBytes> {
    match first {
        [] | [0x03 | 0x15 | 0x16] => None,
        _ => Some(FirstBytes::classify(first).unwrap_or(FirstBytes::Unknown)),
    }
}

/// Size of a PROXY protocol header, version 1 (a line) or 2 (16 bytes and what they announce).
fn proxy_header(first: &[u8]) -> Option<usize> {
    /// Longest line of version 1.
    const LINE: usize = 107;
    if first.starts_with(b"PROXY ") {
        let line = first.get(..LINE).unwrap_or(first);
        return line.windows(2).position(|end| end == b"\r\n").map(|end| end + 2);
    }
    let length = first.get(14..16)?;
    Some(16 + usize::from(u16::from_be_bytes([length[0], length[1]])))
}
