//! Who ended a session, and how to say it. Shared by the detectors that rest on the end.

use std::time::Duration;

use super::battery;
use super::lb_no_backend;
use super::opinion::{Band, Evidence, Party};
use super::slow_path_timeout;
use crate::facts::{Ending, Facts, LegFacts, Reached, Seen, Vantage};
use crate::input::{Close, Direction, Leg, Segment, SegmentCounts, SegmentKind, TcpSample};
use crate::wire::first_bytes::FirstBytes;

/// The side that sends in a direction, in a sentence.
pub fn sender(dir: Direction) -> &'static str {
    match dir {
        Direction::ToServer => "client",
        Direction::ToClient => "server",
    }
}

/// The party at the sending end of a direction.
pub fn endpoint(dir: Direction) -> Party {
    match dir {
        Direction::ToServer => Party::Client,
        Direction::ToClient => Party::Server,
    }
}

/// The network behind which the sender of a direction stands.
pub fn network(facts: &Facts, dir: Direction) -> Party {
    match facts.source_leg(dir) {
        Leg::Single => Party::Network,
        Leg::Client => Party::ClientNetwork,
        Leg::Server => Party::ServerNetwork,
    }
}

/// Who ended the session, and how sure that is. A relay sees bytes, not packets: within one leg it can
/// not tell the endpoint from the path. A capture shows a RST whose TTL is not its sender's.
pub fn closer(facts: &Facts, ending: &Ending) -> (Party, Band) {
    // Behind a timeout or a route that went away stands no segment of anyone.
    let Some(decider) = facts.decider(ending).filter(|_| !matches!(ending.how, Close::Error(_)))
    else {
        return (Party::Unknown, Band::Weak);
    };
    // Who closes may answer what can not be read, or a close that was not captured.
    if facts.lacks_words() || facts.lacks_fin(ending.dir.reverse()) {
        return (Party::Unknown, Band::Weak);
    }
    // Who was not heard gave up for a reason, and it is not of its own making.
    if is_unheard(facts, decider) || is_unheard(facts, ending.dir) {
        return (Party::Unknown, Band::Weak);
    }
    if waited_for_the_server(facts, ending) || slow_path_timeout::gave_up(facts, ending).is_some() {
        return (Party::Unknown, Band::Weak);
    }
    // Who got two versions of the other's bytes, or what can not be read, may have ended it for what the other never
    // sent.
    let doubtful =
        |dir: Direction| came_in_two_versions(facts, dir) || facts.rdp.opaque[dir.index()];
    // Nor need it have said goodbye itself.
    let said_so = ending.both || decider != ending.dir;
    if doubtful(ending.dir.reverse()) || (said_so && doubtful(ending.dir)) {
        return (Party::Unknown, Band::Weak);
    }
    let closing = closing_segment(facts, ending);
    if closing.is_some_and(|segment| !battery::of(facts, segment).is_clean()) {
        return (Party::Unknown, Band::Weak);
    }
    let band = match (facts.subject.vantage, closing) {
        (Vantage::Relay, None) => Band::Possible,
        // A forwarder's own end looks like this, too.
        _ if lb_no_backend::dropped(facts).is_some() => Band::Possible,
        _ => Band::High,
    };
    // Who says goodbye has decided, even where the other side is faster to close.
    (endpoint(decider), if said_so { Band::Possible } else { band })
}

/// Two different contents came for the same place of what a side sent: not all of it is its own.
pub fn came_in_two_versions(facts: &Facts, dir: Direction) -> bool {
    let leg = facts.tcp.leg(facts.source_leg(dir));
    leg.kept(SegmentKind::DifferingOverlap).any(|seen| seen.value.dir == dir)
}

/// The client left while the relay still had no answer from the server: whoever does not answer is to blame.
fn waited_for_the_server(facts: &Facts, ending: &Ending) -> bool {
    /// A port scanner leaves sooner.
    const AT_ONCE: Duration = Duration::from_secs(1);
    facts.subject.vantage == Vantage::Relay
        && ending.dir == Direction::ToServer
        && !facts.tcp.leg(Leg::Server).opened.is_seen()
        && ending.at.time.since(facts.subject.started) >= AT_ONCE
}

/// A capture shows that the sender of a direction repeated its last bytes for seconds before the end, and
/// got no acknowledgement.
pub fn is_unheard(facts: &Facts, dir: Direction) -> bool {
    /// A retransmission or two belong to any end.
    const SILENCE: Duration = Duration::from_secs(5);
    let (Some(counts), Some(ending)) = (facts.tcp.leg(Leg::Single).counts(), facts.ending()) else {
        return false;
    };
    let sent = counts[dir.index()];
    let lacking = sent.acknowledged.is_some_and(|acknowledged| acknowledged < sent.bytes);
    let news = Direction::BOTH.into_iter().filter_map(|dir| facts.stream(dir).last);
    let silent =
        news.map(|at| at.time).max().is_some_and(|last| ending.at.time.since(last) >= SILENCE);
    facts.subject.vantage == Vantage::Capture && lacking && silent && sends_again(sent)
}

/// A sender that sent the same again and again.
pub fn sends_again(sent: SegmentCounts) -> bool {
    sent.retransmitted >= 3
}

/// The end, as it was measured.
pub fn ended(ending: &Ending) -> Evidence {
    let how = match ending.how {
        Close::Fin => "a FIN".to_owned(),
        Close::Rst => "a RST".to_owned(),
        Close::Error(name) => format!("the socket error {name}"),
    };
    let [to_server, to_client] = ending.after_bytes;
    let who = sender(ending.dir);
    let also = if ending.both { "; the other leg was dead by then too" } else { "" };
    Evidence::at(
        ending.at,
        format!(
            "{how} from the {who} side after {to_server} bytes to the server and {to_client} to the client{also}"
        ),
    )
}

/// What the closing side said last, or the other one with which it closed, as a clause: a reason that can be read is a
/// phenomenon of its own.
pub fn reason(facts: &Facts, dir: Direction) -> &'static str {
    let of = |(from, _): &(Direction, _)| *from == dir;
    let came_before = |(_, ultimatum): &(Direction, Seen<u8>)| {
        facts.ending().is_some_and(|ending| !ending.at.is_before(ultimatum.at))
    };
    let encrypted = facts
        .tls
        .alerts
        .last()
        .is_some_and(|seen| seen.value.dir == dir && seen.value.alert.is_none());
    let cancelled = facts.tls.cancelled(dir).is_some();
    let disconnected = dir == Direction::ToClient && facts.x224.refused.is_seen();
    let told = facts.rdp.error_info.value().is_some_and(|reason| reason.0 != 0);
    if dir == Direction::ToClient && told {
        "after a Set Error Info PDU with its reason"
    } else if facts.rdp.disconnect.as_ref().is_some_and(of) {
        "after an MCS Disconnect Provider Ultimatum"
    } else if disconnected {
        "after an X.224 Disconnect Request or Error in place of its answer"
    } else if cancelled {
        "after TLS alert 90 (user_canceled)"
    } else if encrypted {
        "after an encrypted alert that can not be read"
    } else if facts.tls.ends_with_alert_shape(dir) {
        "after an encrypted record of an alert's size"
    } else if facts.lacks_words() {
        "and what was said before is not in the input"
    } else if facts.rdp.disconnect.as_ref().is_some_and(came_before) {
        "after the other side's MCS Disconnect Provider Ultimatum"
    } else if alerted(facts, dir.reverse()) {
        "after the other side's TLS alert"
    } else {
        "and gave no reason on the wire"
    }
}

/// A side said goodbye in an alert, not only in what looks like one.
fn alerted(facts: &Facts, dir: Direction) -> bool {
    let goodbye = facts.ending().and_then(|ending| facts.goodbye(ending));
    let by = goodbye.is_some_and(|(by, _)| by == dir);
    by && facts.tls.alerts.iter().any(|seen| seen.value.dir == dir)
}

/// What decided on the end, where that was not its closer: the goodbye of the other side, or the first of both.
pub fn goodbye(facts: &Facts, ending: &Ending) -> Option<Evidence> {
    let (dir, at) = facts.goodbye(ending)?;
    ultimatum(facts, dir).or_else(|| {
        let fact = format!("the {} had sent a TLS alert before", sender(dir));
        (ending.both || dir != ending.dir).then(|| Evidence::at(at, fact))
    })
}

/// What the closing side said in clear before it closed, where that is no phenomenon of its own: a disconnect in place
/// of a Connection Confirm (X.224 13.5, 13.12), or that it gives up a handshake (RFC 8446 6.1).
pub fn last_words(facts: &Facts, dir: Direction) -> Option<Evidence> {
    let refused = facts.x224.refused.seen().filter(|_| dir == Direction::ToClient);
    if let Some(seen) = refused {
        let fact = format!("X.224 Disconnect Request or Error, reason {:#04x}", seen.value);
        return Some(Evidence::of(seen, fact));
    }
    // Who speaks first speaks no Remote Desktop.
    let first = facts.x224.first_bytes[Direction::ToClient.index()].seen();
    let other = first
        .filter(|first| !matches!(first.value, FirstBytes::Tpkt) && !facts.x224.request.is_seen());
    if let Some(first) = other {
        let fact = format!("the first bytes from the server side are {}", first.value.name());
        return Some(Evidence::of(first, fact));
    }
    let cancelled = facts.tls.cancelled(dir)?;
    Some(Evidence::of(cancelled, format!("TLS alert 90 user_canceled from the {}", sender(dir))))
}

/// The side that closed, at the beginning of a sentence.
pub fn closing_side(facts: &Facts, ending: &Ending) -> &'static str {
    facts.closer(ending).map_or("One", |dir| match dir {
        Direction::ToServer => "The client",
        Direction::ToClient => "The server",
    })
}

/// An MCS Disconnect Provider Ultimatum of a side. T.125 7, MS-RDPBCGR 2.2.2.3.
pub fn ultimatum(facts: &Facts, dir: Direction) -> Option<Evidence> {
    let (_, seen) = facts.rdp.disconnect.as_ref().filter(|(from, _)| *from == dir)?;
    let fact = format!(
        "MCS Disconnect Provider Ultimatum, reason {}, from the {}",
        seen.value,
        sender(dir)
    );
    Some(Evidence::of(seen, fact))
}

/// The step at which a session ended, as a clause with a leading space.
pub fn step(facts: &Facts) -> &'static str {
    match facts.reached() {
        None => "",
        Some(_) if facts.lacks_words() => "",
        Some((reached, _)) => match reached {
            Reached::None | Reached::Tcp if facts.streams.iter().any(|stream| stream.bytes > 0) => {
                " before Remote Desktop was asked for"
            }
            Reached::None | Reached::Tcp => " before anything was said",
            Reached::X224Request if facts.x224.refused.is_seen() => "",
            Reached::X224Request => " before Remote Desktop answered",
            Reached::X224Confirm => " after the security protocol was agreed",
            Reached::TlsClientHello => " at the first TLS message, before any certificate was sent",
            Reached::TlsServerHello | Reached::TlsEncrypted => " during the TLS handshake",
            Reached::TlsFinished => " right after the TLS handshake",
            Reached::Credssp => " during or after authentication",
            Reached::Mcs | Reached::Licensing => " while the session was set up",
            Reached::Active => "",
        },
    }
}

/// The segment that ended the session, where packets of its leg were captured.
pub fn closing_segment<'f>(facts: &'f Facts, ending: &Ending) -> Option<&'f Seen<Segment>> {
    let kind = match ending.how {
        Close::Fin => SegmentKind::Fin,
        Close::Rst => SegmentKind::Rst,
        Close::Error(_) => return None,
    };
    let leg = facts.tcp.leg(facts.source_leg(ending.dir));
    leg.kept(kind).find(|segment| segment.value.dir == ending.dir)
}

/// True when everything sent in a direction was acknowledged by the TCP endpoint of that leg;
/// `None` where the vantage does not tell.
pub fn all_acknowledged(facts: &Facts, dir: Direction) -> Option<bool> {
    // What travels to the server is sent by the relay on the server leg.
    let leg = facts.tcp.leg(match dir {
        Direction::ToServer => crate::input::Leg::Server,
        Direction::ToClient => crate::input::Leg::Client,
    });
    if let Some(socket) = &leg.socket {
        return acknowledged_in_socket(leg, &socket.value, dir);
    }
    let counts = leg.counts()?[dir.index()];
    counts.acknowledged.map(|acknowledged| acknowledged >= counts.bytes)
}

/// A kernel that has given a connection up has thrown away what was outstanding: the bytes tell, not the segments.
fn acknowledged_in_socket(leg: &LegFacts, sample: &TcpSample, dir: Direction) -> Option<bool> {
    if let (Some(acked), Some(sent), Some(again)) =
        (sample.bytes_acked, sample.bytes_sent, sample.bytes_retrans)
    {
        // Who has dialled counts the SYN as well.
        let syn = u64::from(dir == Direction::ToServer);
        return Some(acked.saturating_sub(syn) >= sent.saturating_sub(again));
    }
    let given_up = leg.ending.as_ref().is_some_and(|ending| ending.how != Close::Fin);
    sample.unacked.map(|unacked| unacked == 0).filter(|none| !(*none && given_up))
}

/// Nothing arrived out of order from the server: a lost full-size flight would show as such.
/// `None` where the vantage does not tell.
pub fn nothing_out_of_order(facts: &Facts) -> Option<bool> {
    let leg = facts.tcp.leg(crate::input::Leg::Server);
    let socket = leg.socket.as_ref().and_then(|socket| socket.value.rcv_ooopack);
    let counted = leg.counts().map(|counts| counts[Direction::ToClient.index()].out_of_order);
    socket.map(u64::from).max(counted).map(|segments| segments == 0)
}
