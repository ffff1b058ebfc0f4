//! Tunnels that run over IP: IP in IP, GRE, ERSPAN, VXLAN and Geneve.

use super::ip::UDP;
use super::span::Span;
use super::{Layer, Unreadable};
use crate::packet::IpPacket;

const IPV4: u8 = 4;
const IPV6: u8 = 41;
const GRE: u8 = 47;
const MPLS: u8 = 137;

const VXLAN_PORT: u16 = 4789;
const GENEVE_PORT: u16 = 6081;

/// What a tunnel packet carries: in, an IP packet; out, the kind and bytes of the packet inside it, or none
/// where it is no tunnel that can be undone.
pub(super) fn inside<'a>(packet: &IpPacket<'a>) -> Option<(Layer, Span<'a>)> {
    let span = Span::new(packet.payload, packet.payload_len);
    let found = match packet.protocol {
        IPV4 | IPV6 => return Some((Layer::Ip, span)),
        MPLS => return Some((Layer::Mpls, span)),
        GRE => gre(span),
        UDP => udp(span),
        _ => return None,
    };
    found.ok().flatten()
}

/// GRE: RFC 2784 2 and RFC 2890 2 with its optional fields, or version 1 as in RFC 2637 4.1.
fn gre(span: Span<'_>) -> Result<Option<(Layer, Span<'_>)>, Unreadable> {
    let flags = span.u16(0, "GRE")?;
    let kind = span.u16(2, "GRE")?;
    let (checksum, routing, key, sequence) =
        (flags & 0x8000 != 0, flags & 0x4000 != 0, flags & 0x2000 != 0, flags & 0x1000 != 0);
    let acknowledgement = flags & 0x0080 != 0;
    let fields = match flags & 7 {
        // Source routes are of RFC 1701 and were withdrawn.
        0 if routing => return Ok(None),
        0 => [checksum, key, sequence],
        1 => [key, sequence, acknowledgement],
        _ => return Ok(None),
    };
    let length = 4 + 4 * fields.iter().filter(|field| **field).count();
    let rest = span.skip(length, "GRE")?;
    match kind {
        // ERSPAN: type I has no header, and type II one of 8 bytes; a sequence number tells them apart.
        0x88be if sequence => Ok(Some((Layer::Ethernet, rest.skip(8, "ERSPAN")?))),
        0x88be => Ok(Some((Layer::Ethernet, rest))),
        // Type III: 12 bytes, and 8 more where the last bit says so.
        0x22eb => {
            let length = if rest.u8(11, "ERSPAN")? & 1 == 1 { 20 } else { 12 };
            Ok(Some((Layer::Ethernet, rest.skip(length, "ERSPAN")?)))
        }
        _ => Ok(Some((Layer::EtherType(kind), rest))),
    }
}

fn udp(span: Span<'_>) -> Result<Option<(Layer, Span<'_>)>, Unreadable> {
    let port = span.u16(2, "UDP")?;
    let rest = span.skip(8, "UDP")?;
    match port {
        VXLAN_PORT => vxlan(rest),
        GENEVE_PORT => geneve(rest),
        _ => Ok(None),
    }
}

/// VXLAN, RFC 7348 5: the I flag has to be set.
fn vxlan(span: Span<'_>) -> Result<Option<(Layer, Span<'_>)>, Unreadable> {
    match span.u8(0, "VXLAN")? & 0x08 {
        0 => Ok(None),
        _ => Ok(Some((Layer::Ethernet, span.skip(8, "VXLAN")?))),
    }
}

/// Geneve, RFC 8926 3.4: version 0, options in units of four bytes, an EtherType.
fn geneve(span: Span<'_>) -> Result<Option<(Layer, Span<'_>)>, Unreadable> {
    let first = span.u8(0, "Geneve")?;
    if first >> 6 != 0 {
        return Ok(None);
    }
    let kind = span.u16(2, "Geneve")?;
    let rest = span.skip(8 + 4 * usize::from(first & 0x3f), "Geneve")?;
    Ok(Some((Layer::EtherType(kind), rest)))
}
