//! Rules about X.224, MCS and what answers in their place. MS-RDPBCGR 2.2.1.1 and 2.2.1.2.

use super::scene::{Scene, has, same_ms};
use super::tls::{self, TPKT};
use super::transport::ends;
use super::{By, Rule};

pub const RULES: &[Rule] = &[
    Rule { words: "no byte from the server in the", by: By::Client, shows: request_unanswered },
    Rule { words: "a Connection Confirm without neg", by: By::Server, shows: plain_confirm },
    Rule { words: "with a Connection Confirm", by: By::Server, shows: is_confirm },
    Rule { words: "agreed to TLS and closed", by: By::Server, shows: agrees_and_closes },
    Rule { words: "the server selected", by: By::Server, shows: selects },
    Rule { words: "selectedProtocol is", by: By::Server, shows: selects },
    Rule { words: "follows the RDP_NEG_FAILURE", by: By::Server, shows: tail },
    Rule { words: "RDP_NEG_FAILURE", by: By::Server, shows: refuses },
    Rule { words: "had refused the negotiation", by: By::Server, shows: is_refusal },
    Rule { words: "no security negotiation", by: By::Client, shows: asks_nothing },
    Rule { words: "flags announce correlation", by: By::Client, shows: correlation_gone },
    Rule { words: "the client asked for", by: By::Client, shows: asks },
    Rule { words: "arrived asking for", by: By::Client, shows: asks },
    Rule { words: "arrived without RDP_NEG_REQ", by: By::Client, shows: asks_nothing },
    Rule { words: "rdpCorrelationInfo", by: By::Client, shows: correlates },
    Rule { words: "the request was sent with", by: By::Client, shows: routed },
    Rule { words: "the request arrived with", by: By::Client, shows: routed },
    Rule { words: "the server answered with", by: By::Server, shows: answers },
    Rule { words: "the answer arrived with", by: By::Server, shows: answers },
    Rule { words: "the request brings a token", by: By::Client, shows: brings_token },
    Rule { words: "without a further message", by: By::Client, shows: only_request },
    Rule { words: "are an HTTP response", by: By::Server, shows: |scene| begins(scene, "HTTP") },
    Rule { words: "it redirects, demands", by: By::Server, shows: portal },
    Rule {
        words: "one of a forward proxy",
        by: By::Server,
        shows: |scene| web_head(scene, b"", &[b"\r\nproxy-agent:", b"\r\nx-squid-error:"]),
    },
    Rule {
        words: "a proxy demands a login",
        by: By::Server,
        shows: |scene| web_head(scene, b"407", &[b"\r\nproxy-authenticate:"]),
    },
    Rule { words: "bytes from the server side are", by: By::Server, shows: named_protocol },
    Rule { words: "is a TLS record", by: By::Server, shows: |scene| begins(scene, "TLS") },
    Rule { words: "went on with MCS in clear", by: By::Client, shows: connects_in_clear },
    Rule { words: "there is a clear TPKT packet", by: By::Server, shows: clear_packet },
    Rule { words: "Disconnect Provider Ultimatum", by: By::Either, shows: ultimatum },
    Rule {
        words: "Set Error Info PDU",
        by: By::Server,
        shows: |scene| code(scene, "errorInfo 0x"),
    },
    Rule {
        words: "licensing error message",
        by: By::Either,
        shows: |scene| code(scene, "dwErrorCode 0x"),
    },
];

/// The X.224 message with this code that the packet brings: what follows its fixed part.
fn x224(scene: &Scene, code: u8) -> Option<Vec<u8>> {
    let frames = scene.new_frames().into_iter().filter(|frame| frame.kind == TPKT);
    frames.map(|frame| frame.body).find_map(|body| variable_part(&body, code))
}

/// A confirm that selects a protocol, behind which neither side says anything before the server's end.
fn agrees_and_closes(scene: &Scene) -> bool {
    const RESPONSE: u8 = 2;
    let selects = x224(scene, CONFIRM)
        .is_some_and(|said| said.first() == Some(&RESPONSE) && said.get(4).is_some_and(|p| *p > 0));
    let end = scene.later().find(|packet| packet.by_server && packet.ends());
    let is_silent =
        |until: f64| scene.later().all(|packet| packet.time > until || packet.payload.is_empty());
    selects
        && end.is_some_and(|end| {
            same_ms(scene.number("closed "), end.time - scene.packet.time) && is_silent(end.time)
        })
}

/// A routing token of a server farm stands first in the request.
fn brings_token(scene: &Scene) -> bool {
    x224(scene, 0xE0).is_some_and(|said| said.starts_with(b"Cookie: msts="))
}

/// The first one of a side anywhere in the capture.
fn x224_of(scene: &Scene, server: bool, code: u8) -> Option<Vec<u8>> {
    let frames = tls::frames(&scene.all_said(server)).0;
    frames.into_iter().find_map(|frame| variable_part(&frame.body, code))
}

fn variable_part(body: &[u8], code: u8) -> Option<Vec<u8>> {
    (body.get(1) == Some(&code)).then(|| body.get(7..).unwrap_or_default().to_vec())
}

const REQUEST: u8 = 0xE0;
const CONFIRM: u8 = 0xD0;

const NEG_REQ: u8 = 1;
const NEG_RSP: u8 = 2;
const NEG_FAILURE: u8 = 3;

/// The negotiation of a request or confirm: type, flags, value, what is behind it. It stands behind the
/// cookie.
fn negotiation(part: &[u8]) -> Option<(u8, u8, u32, Vec<u8>)> {
    let cookie = part.windows(2).position(|pair| pair == b"\r\n").map_or(0, |at| at + 2);
    match part.get(cookie..)? {
        [kind @ 1..=3, flags, 8, 0, a, b, c, d, rest @ ..] => {
            Some((*kind, *flags, u32::from_le_bytes([*a, *b, *c, *d]), rest.to_vec()))
        }
        _ => None,
    }
}

/// The bits of protocols as facts name them.
fn protocols(names: &str) -> Option<u32> {
    let bit = |name: &str| match name.trim() {
        "RDP" => Some(0),
        "SSL" => Some(1),
        "HYBRID" => Some(2),
        "RDSTLS" => Some(4),
        "HYBRID_EX" => Some(8),
        "RDSAAD" => Some(16),
        other => u32::from_str_radix(other.strip_prefix("0x")?, 16).ok(),
    };
    names.split('|').map(bit).try_fold(0, |all, bit| Some(all | bit?))
}

/// What a request asks for; standard RDP security where it does not negotiate.
fn requested(part: &[u8]) -> u32 {
    negotiation(part).filter(|block| block.0 == NEG_REQ).map_or(0, |block| block.2)
}

fn asks(scene: &Scene) -> bool {
    let said = ["asked for ", "asking for "].map(|words| scene.behind(words)).concat();
    let said = protocols(&said);
    x224(scene, REQUEST).is_some_and(|part| said == Some(requested(&part)))
}

/// It is the request, and no byte of the server's comes for so long.
fn request_unanswered(scene: &Scene) -> bool {
    x224(scene, REQUEST).is_some() && scene.silent(true, scene.number(" in the "))
}

fn asks_nothing(scene: &Scene) -> bool {
    x224(scene, REQUEST).is_some_and(|part| negotiation(&part).is_none())
}

fn correlation_gone(scene: &Scene) -> bool {
    const CORRELATION_INFO_PRESENT: u8 = 8;
    let block = x224(scene, REQUEST).and_then(|part| negotiation(&part));
    block.is_some_and(|(_, flags, _, rest)| {
        flags & CORRELATION_INFO_PRESENT != 0 && !rest.starts_with(&[6])
    })
}

/// Behind RDP_NEG_REQ stands a correlation id of 36 bytes, or none where it "arrived without".
fn correlates(scene: &Scene) -> bool {
    let block = x224(scene, REQUEST).and_then(|part| negotiation(&part));
    let has = block.is_some_and(|(_, _, _, rest)| rest.starts_with(&[6, 0, 36, 0]));
    x224(scene, REQUEST).is_some() && has != scene.fact.contains("without")
}

/// Behind the fixed part of the request stands a cookie or a token of this length, or neither.
fn routed(scene: &Scene) -> bool {
    let Some(part) = x224(scene, REQUEST) else { return false };
    let line = part.windows(2).position(|pair| pair == b"\r\n").map(|end| &part[..end]);
    let said = scene.number("of ") as usize;
    match scene.fact.rsplit_once(" with ").unwrap_or_default().1 {
        "no cookie or token" => line.is_none(),
        cookie if cookie.starts_with("a cookie") => {
            let user = line.and_then(|line| line.strip_prefix(b"Cookie: mstshash="));
            user.is_some_and(|user| user.len() == said)
        }
        _ => line.is_some_and(|line| [0, 2].contains(&line.len().abs_diff(said))),
    }
}

/// The confirm holds this answer: what it selects, what it refuses with, or how it is filled in.
fn answers(scene: &Scene) -> bool {
    let Some(part) = x224(scene, CONFIRM) else { return false };
    let said = scene.fact.split_once(" with ").unwrap_or_default().1;
    if let Some(filled) = said.strip_prefix("source reference ") {
        let reference = scene.new_frames().iter().find_map(|frame| {
            (frame.body.get(1) == Some(&CONFIRM)).then(|| [frame.body[4], frame.body[5]])
        });
        let reference = format!("{:#06x}", u16::from_be_bytes(reference.unwrap_or_default()));
        let flags = match negotiation(&part) {
            Some((NEG_RSP, flags, ..)) => format!("flags {flags:#04x}"),
            _ => "no flags".to_owned(),
        };
        return filled == format!("{reference} and {flags}");
    }
    match negotiation(&part) {
        None => said == "no negotiation",
        Some((NEG_RSP, _, value, _)) => {
            said.strip_suffix(" selected").and_then(protocols) == Some(value)
        }
        Some((_, _, code, _)) => {
            let name = NAMES.get((code as usize).wrapping_sub(1)).copied().unwrap_or_default();
            said == format!("the refusal {name}")
        }
    }
}

fn is_confirm(scene: &Scene) -> bool {
    x224(scene, CONFIRM).is_some()
}

/// What the client of this connection asked for is what the fact says it did.
fn fits_request(scene: &Scene, words: &str) -> bool {
    let said = match scene.behind(words) {
        "" => return true,
        names => protocols(names),
    };
    x224_of(scene, false, REQUEST).is_some_and(|part| said == Some(requested(&part)))
}

fn plain_confirm(scene: &Scene) -> bool {
    let plain = x224(scene, CONFIRM).is_some_and(|part| negotiation(&part).is_none());
    plain && fits_request(scene, "had asked for ")
}

/// The confirm selects what is said.
fn selects(scene: &Scene) -> bool {
    let said =
        ["server selected ", "selectedProtocol is "].map(|words| scene.behind(words)).concat();
    let said = said.split([',', ';']).next().unwrap_or_default();
    let said = said.trim_end_matches(" and refused nothing");
    let selected = x224(scene, CONFIRM).map(|part| match negotiation(&part) {
        Some((NEG_RSP, _, value, _)) => Some(value),
        Some(_) => None,
        None => Some(0),
    });
    selected.flatten() == protocols(said)
        && protocols(said).is_some()
        && fits_request(scene, "requestedProtocols was ")
        && fits_request(scene, "had asked for ")
}

fn failure(scene: &Scene) -> Option<u32> {
    let block = x224(scene, CONFIRM).and_then(|part| negotiation(&part));
    block.filter(|block| block.0 == NEG_FAILURE).map(|block| block.2)
}

/// The failure codes from 1 on. MS-RDPBCGR 2.2.1.2.2.
const NAMES: [&str; 7] = [
    "SSL_REQUIRED_BY_SERVER",
    "SSL_NOT_ALLOWED_BY_SERVER",
    "SSL_CERT_NOT_ON_SERVER",
    "INCONSISTENT_FLAGS",
    "HYBRID_REQUIRED_BY_SERVER",
    "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
    "ENTRA_AUTH_REQUIRED_BY_SERVER",
];

/// The failure code and its name.
fn refuses(scene: &Scene) -> bool {
    let Some(code) = failure(scene) else { return false };
    let name = NAMES.get((code as usize).wrapping_sub(1));
    let name = name.map_or(format!("{code:#x}"), |name| (*name).to_owned());
    scene.fact == format!("RDP_NEG_FAILURE {code} {name}")
}

fn is_refusal(scene: &Scene) -> bool {
    failure(scene).is_some()
}

/// Behind the refusal the server sends another TPKT packet.
fn tail(scene: &Scene) -> bool {
    let frames = tls::frames(&scene.all_said(true)).0;
    is_refusal(scene) && frames.iter().filter(|frame| frame.kind == TPKT).count() > 1
}

/// The client ends the connection and has sent nothing but its request.
fn only_request(scene: &Scene) -> bool {
    ends(scene) && tls::frames(&scene.said(false)).0.len() == 1
}

fn named_protocol(scene: &Scene) -> bool {
    let name = scene.behind("side are ").trim_end_matches(", not TPKT");
    begins(scene, name)
}

/// The server's stream begins in this packet, and as this protocol does.
fn begins(scene: &Scene, protocol: &str) -> bool {
    let first = scene.own_earlier().all(|packet| packet.payload.is_empty());
    let bytes = scene.all_said(true);
    let with = |starts: &[&[u8]]| starts.iter().any(|start| bytes.starts_with(start));
    let known: &[&[u8]] = match protocol {
        "HTTP" => &[b"HTTP/1.", b"<"],
        "SSH" => &[b"SSH-"],
        "TLS" => &[&[0x15, 3], &[0x16, 3]],
        "SMTP or FTP" => &[b"220"],
        "VNC" => &[b"RFB "],
        "SMB" => &[&[0, 0]],
        "SOCKS" => &[&[4], &[5], &[0, 90], &[0, 91]],
        "an unknown protocol" => &[],
        _ => return false,
    };
    let all: &[&[u8]] = &[b"HTTP/1.", b"SSH-", b"RFB ", &[3, 0], &[0x15, 3], &[0x16, 3]];
    let fits = if known.is_empty() { !with(all) } else { with(known) };
    first && !scene.packet.payload.is_empty() && fits
}

fn portal(scene: &Scene) -> bool {
    let codes: [&[u8]; 4] = [b"302", b"303", b"307", b"511"];
    codes.iter().any(|code| web_head(scene, code, &[b"\r\nvia:"]))
}

/// The server's stream is a web answer with this status, or with one of these headers.
fn web_head(scene: &Scene, status: &[u8], headers: &[&[u8]]) -> bool {
    let head = scene.all_said(true).to_ascii_lowercase();
    let by_status = !status.is_empty() && head.get(9..12) == Some(status);
    head.starts_with(b"http/1.") && (by_status || headers.iter().any(|name| has(&head, name)))
}

/// A TPKT packet that is no confirm.
fn clear_packet(scene: &Scene) -> bool {
    scene.new_frames().iter().any(|f| f.kind == TPKT && f.body.get(1) != Some(&CONFIRM))
}

/// T.125 7: a Connect-Initial behind the X.224 data header, where no TLS began.
fn connects_in_clear(scene: &Scene) -> bool {
    let connects = |body: &[u8]| body.starts_with(&[2, 0xF0, 0x80, 0x7F, 0x65]);
    let frames = tls::frames(&scene.all_said(false)).0;
    scene.new_frames().iter().any(|f| f.kind == TPKT && connects(&f.body))
        && frames.iter().all(|f| f.kind == TPKT)
}

/// T.125 7: behind the X.224 data header, the reason in the last three bits of the first nine.
fn ultimatum(scene: &Scene) -> bool {
    let side = match scene.fact.rsplit_once(", from the ") {
        Some((_, side)) => (side == "server") == scene.packet.by_server,
        None => true,
    };
    let reason = |body: &[u8]| match body {
        [2, 0xF0, 0x80, first, second, ..] if first >> 2 == 8 => {
            Some((first & 3) << 1 | second >> 7)
        }
        _ => None,
    };
    let said = scene.number("reason ");
    let mut frames = scene.new_frames().into_iter().filter(|frame| frame.kind == TPKT);
    side && frames.any(|frame| reason(&frame.body).is_some_and(|reason| f64::from(reason) == said))
}

/// The packet holds this code, in the order of the specification's numbers.
fn code(scene: &Scene, words: &str) -> bool {
    let digits = scene.behind(words).split(',').next().unwrap_or_default();
    let Ok(code) = u32::from_str_radix(digits, 16) else { return false };
    let frames = scene.new_frames();
    frames.iter().any(|frame| frame.kind == TPKT && has(&frame.body, &code.to_le_bytes()))
}
