//! From the link layer to the innermost IP packet: VLAN tags, MPLS, PPP and tunnels undone.
//!
//! Lax by intent: packets cut by the snapshot length, padded frames and segments that were captured before
//! offload gave them a length are all read as far as they go.

mod ip;
mod span;
mod tunnel;

use thiserror::Error;

use crate::packet::IpPacket;
use span::Span;

pub use ip::IpFragment;
pub(crate) use ip::{ICMP, ICMPV6, Ipv4Header, Ipv6Header, TCP, UDP, skip_extensions};

/// VLAN tags read in one stack.
const MAX_TAGS: usize = 4;
/// Tunnels undone in one packet.
const MAX_TUNNELS: usize = 4;
/// Layers read in one packet, of all kinds.
const MAX_LAYERS: usize = 32;
/// Length on the wire that is believed, above what offload hands over as one packet (512 KiB).
const MAX_WIRE: u32 = 1 << 20;

/// What a packet turned out to hold.
#[derive(Clone, Copy, Debug)]
pub enum Decoded<'a> {
    /// A whole IP packet, the innermost where tunnels could be undone.
    Ip(IpPacket<'a>),
    /// A fragment of one, for [`crate::fragments::Fragments`].
    Fragment(IpFragment<'a>),
    /// Something that carries no IP, by name.
    Other(&'static str),
}

/// Why nothing could be said about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// The link type is not one of those read here.
    #[error("link type {0} is not supported")]
    LinkType(u32),
    /// The captured bytes end inside a header.
    #[error("packet ends inside the {0} header")]
    Cut(&'static str),
    /// A header contradicts itself.
    #[error("{0} header is malformed")]
    Malformed(&'static str),
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
enum Layer {
    Ethernet,
    EtherType(u16),
    Llc,
    Ppp,
    Pppoe,
    Mpls,
    Ip,
}

/// The outcome of reading one layer.
enum Step<'a> {
    Next(Layer, Span<'a>),
    Done(Decoded<'a>),
}

/// Reads the innermost IP packet of a captured packet.
///
/// In: the link type (LINKTYPE_ registry), the captured bytes and the length on the wire. Out: the IP packet
/// or fragment, or the name of what else it is.
#[inline]
pub fn ip_packet<'a>(
    link_type: u32,
    bytes: &'a [u8],
    original_len: u32,
) -> Result<Decoded<'a>, Unreadable> {
    match usual(link_type, bytes) {
        Some(packet) => Ok(Decoded::Ip(packet)),
        None => any_packet(link_type, bytes, original_len),
    }
}

/// The packet that most captures are full of; none for every other, and the long way gives the same for this one.
#[inline]
pub(crate) fn usual(link_type: u32, bytes: &[u8]) -> Option<IpPacket<'_>> {
    if link_type == 1 { ip::usual(bytes) } else { None }
}

/// The long way, for packets of every kind.
fn any_packet(link_type: u32, bytes: &[u8], original_len: u32) -> Result<Decoded<'_>, Unreadable> {
    let span = Span::new(bytes, original_len.min(MAX_WIRE));
    let (layer, span) = match link_type {
        0 | 108 => null(span)?,
        1 => (Layer::Ethernet, span),
        9 | 50 | 104 => hdlc(span)?,
        51 => (Layer::Pppoe, span),
        12 | 14 | 101 | 228 | 229 => (Layer::Ip, span),
        113 => (protocol_of_cooked(&span, 14)?, span.skip(16, "Linux cooked")?),
        276 => (protocol_of_cooked(&span, 0)?, span.skip(20, "Linux cooked v2")?),
        _ => return Err(Unreadable::LinkType(link_type)),
    };
    decode(layer, span)
}

/// Undoes what still wraps an IP packet: extension headers and tunnels. For packets put together from
/// fragments; [`ip_packet`] has done it for the rest. In and out as there.
pub fn undo_tunnels(packet: IpPacket<'_>) -> Decoded<'_> {
    match ip::finish(packet) {
        Ok(Decoded::Ip(packet)) => match tunnel::inside(&packet) {
            Some((layer, span)) => within(packet, layer, span),
            None => Decoded::Ip(packet),
        },
        Ok(other) => other,
        Err(_) => Decoded::Ip(packet),
    }
}

fn within<'a>(outer: IpPacket<'a>, layer: Layer, span: Span<'a>) -> Decoded<'a> {
    match decode(layer, span) {
        Ok(Decoded::Other(_)) | Err(_) => Decoded::Ip(outer),
        Ok(inner) => inner,
    }
}

/// Reads layer after layer. Where a tunnel holds nothing readable, the packet around it is the answer.
fn decode<'a>(layer: Layer, span: Span<'a>) -> Result<Decoded<'a>, Unreadable> {
    let (mut layer, mut span) = (layer, span);
    let mut outer: Option<IpPacket<'a>> = None;
    let mut tunnels = 0;
    for _ in 0..MAX_LAYERS {
        let step = match (read_layer(layer, span), outer) {
            (Ok(Step::Done(Decoded::Other(_))) | Err(_), Some(packet)) => {
                return Ok(Decoded::Ip(packet));
            }
            (step, _) => step?,
        };
        match step {
            Step::Next(next, rest) => (layer, span) = (next, rest),
            Step::Done(Decoded::Ip(packet)) => match tunnel::inside(&packet) {
                Some((next, rest)) if tunnels < MAX_TUNNELS => {
                    tunnels += 1;
                    outer = Some(packet);
                    (layer, span) = (next, rest);
                }
                _ => return Ok(Decoded::Ip(packet)),
            },
            Step::Done(other) => return Ok(other),
        }
    }
    Ok(outer.map_or(Decoded::Other("too many layers"), Decoded::Ip))
}

fn read_layer<'a>(layer: Layer, span: Span<'a>) -> Result<Step<'a>, Unreadable> {
    match layer {
        Layer::Ethernet => ethernet(span),
        Layer::EtherType(kind) => ether_type(kind, span),
        Layer::Llc => llc(span),
        Layer::Ppp => ppp(span),
        Layer::Pppoe => pppoe(span),
        Layer::Mpls => mpls(span),
        Layer::Ip => ip::packet(span).map(Step::Done),
    }
}

/// BSD loopback: an address family in the byte order of the host or, for OpenBSD, of the network.
fn null(span: Span<'_>) -> Result<(Layer, Span<'_>), Unreadable> {
    let family = span.u32(0, "loopback")?;
    let rest = span.skip(4, "loopback")?;
    let family = if family > 0xffff { family.swap_bytes() } else { family };
    // AF_INET, and AF_INET6 of Linux, Windows, NetBSD, FreeBSD and macOS in turn.
    match family {
        2 | 10 | 23 | 24 | 28 | 30 => Ok((Layer::Ip, rest)),
        _ => Ok((Layer::EtherType(0), rest)),
    }
}

/// PPP in HDLC-like framing (RFC 1662 3.1), or Cisco HDLC, told apart by the address byte.
fn hdlc(span: Span<'_>) -> Result<(Layer, Span<'_>), Unreadable> {
    match span.u8(0, "HDLC")? {
        0x0f | 0x8f => Ok((Layer::EtherType(span.u16(2, "HDLC")?), span.skip(4, "HDLC")?)),
        _ => Ok((Layer::Ppp, span)),
    }
}

/// Linux cooked capture has an EtherType, or a small number for frames without one.
fn protocol_of_cooked(span: &Span<'_>, at: usize) -> Result<Layer, Unreadable> {
    Ok(match span.u16(at, "Linux cooked")? {
        0x0003 => Layer::Ethernet,
        0x0004 => Layer::Llc,
        kind => Layer::EtherType(kind),
    })
}

/// IEEE 802.3 clause 3: addresses, then an EtherType or the length of an LLC frame.
fn ethernet<'a>(span: Span<'a>) -> Result<Step<'a>, Unreadable> {
    let kind = span.u16(12, "Ethernet")?;
    let rest = span.skip(14, "Ethernet")?;
    match kind {
        0..=1500 => Ok(Step::Next(Layer::Llc, rest.limit(u32::from(kind)))),
        _ => Ok(Step::Next(Layer::EtherType(kind), rest)),
    }
}

fn ether_type<'a>(kind: u16, span: Span<'a>) -> Result<Step<'a>, Unreadable> {
    let (mut kind, mut span) = (kind, span);
    for _ in 0..MAX_TAGS {
        // IEEE 802.1Q, 802.1ad and the two numbers used before it.
        if !matches!(kind, 0x8100 | 0x88a8 | 0x9100 | 0x9200) {
            break;
        }
        kind = span.u16(2, "VLAN")?;
        span = span.skip(4, "VLAN")?;
    }
    let layer = match kind {
        0x0800 | 0x86dd => Layer::Ip,
        0x6558 => Layer::Ethernet,
        0x880b => Layer::Ppp,
        0x8864 => Layer::Pppoe,
        0x8847 | 0x8848 => Layer::Mpls,
        // A tagged LLC frame.
        1..=1500 => return Ok(Step::Next(Layer::Llc, span.limit(u32::from(kind)))),
        0x0806 => return other("ARP"),
        0x8035 => return other("RARP"),
        0x88cc => return other("LLDP"),
        0x888e => return other("802.1X"),
        0x8863 => return other("PPPoE discovery"),
        0x8100 | 0x88a8 | 0x9100 | 0x9200 => return other("more VLAN tags than are read"),
        _ => return other("not IP"),
    };
    Ok(Step::Next(layer, span))
}

/// IEEE 802.2, of which only SNAP (RFC 1042) can carry IP.
fn llc<'a>(span: Span<'a>) -> Result<Step<'a>, Unreadable> {
    match (span.u16(0, "LLC")?, span.u8(2, "LLC")?) {
        (0xaaaa, 3) => {}
        (0x4242, _) => return other("spanning tree"),
        _ => return other("LLC"),
    }
    // Organisation 0 has EtherTypes; others have numbers of their own.
    if span.u8(3, "SNAP")? != 0 || span.u16(4, "SNAP")? != 0 {
        return other("SNAP");
    }
    match span.u16(6, "SNAP")? {
        0..=1500 => other("SNAP"),
        kind => Ok(Step::Next(Layer::EtherType(kind), span.skip(8, "SNAP")?)),
    }
}

/// PPP, RFC 1661 2 and RFC 1662 3: address and control may be compressed away, the protocol to one byte.
fn ppp<'a>(span: Span<'a>) -> Result<Step<'a>, Unreadable> {
    let span = match span.bytes() {
        [0xff, 0x03, ..] => span.skip(2, "PPP")?,
        _ => span,
    };
    let first = span.u8(0, "PPP")?;
    let (protocol, length) = match first & 1 {
        1 => (u16::from(first), 1),
        _ => (span.u16(0, "PPP")?, 2),
    };
    match protocol {
        0x0021 | 0x0057 => Ok(Step::Next(Layer::Ip, span.skip(length, "PPP")?)),
        0x0281 | 0x0283 => Ok(Step::Next(Layer::Mpls, span.skip(length, "PPP")?)),
        _ => other("PPP control or compressed data"),
    }
}

/// PPPoE session stage, RFC 2516 4: version and type 0x11, code 0, session, length.
fn pppoe<'a>(span: Span<'a>) -> Result<Step<'a>, Unreadable> {
    if span.u16(0, "PPPoE")? != 0x1100 {
        return other("PPPoE discovery");
    }
    let length = span.u16(4, "PPPoE")?;
    let rest = span.skip(6, "PPPoE")?;
    let rest = if length == 0 { rest } else { rest.limit(u32::from(length)) };
    Ok(Step::Next(Layer::Ppp, rest))
}

/// MPLS label stack, RFC 3032 2.1. Nothing names the payload; an IP version does, as in RFC 4928 2.
fn mpls<'a>(span: Span<'a>) -> Result<Step<'a>, Unreadable> {
    let mut span = span;
    for _ in 0..MAX_LAYERS {
        let bottom = span.u8(2, "MPLS")? & 1 == 1;
        span = span.skip(4, "MPLS")?;
        if bottom {
            return match span.u8(0, "MPLS")? >> 4 {
                4 | 6 => Ok(Step::Next(Layer::Ip, span)),
                _ => other("MPLS pseudowire"),
            };
        }
    }
    other("more MPLS labels than are read")
}

fn other<'a>(name: &'static str) -> Result<Step<'a>, Unreadable> {
    Ok(Step::Done(Decoded::Other(name)))
}

#[cfg(test)]
mod tests;
