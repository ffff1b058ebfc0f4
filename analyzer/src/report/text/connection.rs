//! One connection: its header, and what follows by outcome. Only what went wrong is told at length.

use super::words::{NAME, SENTENCE, bytes, clean, duration, glue, protocol};
use super::{BOLD, RED, Style, YELLOW, causes, steps, titled};
use crate::report::{Connection, Ended, Mstsc, Outcome};

/// Renders one connection: a failure with its steps, verdict, causes, checks and notes; a session that broke
/// with all but the steps; anything else in a line or two. Ends with a line feed.
pub fn connection(c: &Connection, style: &Style) -> String {
    /// The text of most failures.
    const USUAL: usize = 4096;
    let mut out = String::with_capacity(USUAL);
    if c.outcome == Outcome::Failed {
        titled(&mut out, style, BOLD, &number(c), &header(c));
        caveats(&mut out, c, style);
        steps::steps(&mut out, c, style);
        end(&mut out, c, style);
        causes::verdict(&mut out, c, style);
        causes::ranking(&mut out, c, style);
        causes::what_to_do(&mut out, c, style);
        causes::notes(&mut out, c, style);
    } else if broke(c) {
        titled(&mut out, style, BOLD, &number(c), &format!("{} · {}", header(c), brief(c)));
        caveats(&mut out, c, style);
        end(&mut out, c, style);
        causes::verdict(&mut out, c, style);
        causes::ranking(&mut out, c, style);
        causes::what_to_do(&mut out, c, style);
        causes::notes(&mut out, c, style);
    } else {
        titled(&mut out, style, BOLD, &number(c), &format!("{} · {}", header(c), brief(c)));
        if let Some(more) = brief_detail(c) {
            titled(&mut out, style, BOLD, "    ", &more);
        }
        caveats(&mut out, c, style);
    }
    out
}

/// A session that was up and ended for a reason of its own.
fn broke(c: &Connection) -> bool {
    c.outcome == Outcome::Established && c.verdict.what.is_some()
}

fn number(c: &Connection) -> String {
    format!("#{:<2} ", c.index)
}

/// When, who, from where to where, and what was asked for.
fn header(c: &Connection) -> String {
    let mut parts = vec![glue(&time(&c.started))];
    if let Some(cookie) = &c.rdp.cookie {
        parts.push(clean(cookie, NAME).into_owned());
    }
    let server = c.server.as_deref().unwrap_or("server not known");
    parts.push(glue(&format!("{} → {}", clean(&c.client, NAME), clean(server, NAME))));
    let peer = c.legs.client.as_ref().and_then(|leg| leg.peer.as_ref());
    if let Some(proxy) = peer.filter(|peer| **peer != c.client) {
        parts.push(glue(&format!("through the proxy {}", clean(proxy, NAME))));
    }
    if let Some(requested) = &c.rdp.requested {
        let names: Vec<_> = requested.iter().take(8).map(|name| protocol(name)).collect();
        let asked = if names.is_empty() { protocol("RDP") } else { names.join(" | ").into() };
        parts.push(format!("asks {asked}"));
    }
    parts.join(" · ")
}

/// `2026-11-22T14:03:07.123Z` without its letters and milliseconds.
fn time(started: &str) -> String {
    match (started.get(..10), started.get(10..11), started.get(11..19)) {
        (Some(day), Some("T"), Some(time)) => format!("{} {} UTC", clean(day, 10), clean(time, 8)),
        _ => clean(started, NAME).into_owned(),
    }
}

/// What the reader must know before believing the rest.
fn caveats(out: &mut String, c: &Connection, style: &Style) {
    if !c.r#final {
        let text = "provisional: another connection of the same user may still change this";
        titled(out, style, YELLOW, "    ", text);
    }
    if let Some(earlier) = c.supersedes {
        titled(out, style, YELLOW, "    ", &format!("replaces #{earlier}, which was provisional"));
    }
    if !c.complete {
        let text = "incomplete: part of the input was lost or a limit was reached, so steps may be missing";
        titled(out, style, YELLOW, "    ", text);
    }
}

/// Who ended it, how and after which bytes; then what the user saw.
fn end(out: &mut String, c: &Connection, style: &Style) {
    let head = "   end     ";
    titled(out, style, RED, head, &ended(&c.ended));
    if let Some(shown) = mstsc(&c.mstsc) {
        titled(out, style, BOLD, "           ", &shown);
    }
}

/// The direction of the closing segment is no proof of its author, so it says "from … side".
fn ended(e: &Ended) -> String {
    let (closed, sender_matters) = how(e);
    let mut text = closed;
    if sender_matters {
        text.push_str(match e.from.as_deref() {
            Some("client") => " from the CLIENT's side",
            Some("server") => " from the SERVER's side",
            Some("relay") => " by THIS RELAY",
            _ => ", sender not known",
        });
    }
    match e.leg.as_deref() {
        Some("client") => text.push_str(", on the client leg"),
        Some("server") => text.push_str(", on the server leg"),
        Some("both") => text.push_str(", both legs at once"),
        _ => {}
    }
    if let Some(passed) = e.after_bytes {
        let (up, down) = (glue(&bytes(passed.to_server)), glue(&bytes(passed.to_client)));
        text.push_str(&format!(", after {up} to the server and {down} to the client"));
    }
    if let Some(at) = e.at_ms {
        text.push_str(&format!(", {} after the start", glue(&duration(at))));
    }
    text
}

/// The manner of the end in words, and whether its sender says something.
fn how(e: &Ended) -> (String, bool) {
    let errno = e.errno.as_deref().map(|name| clean(name, 32));
    let text = match e.how.as_str() {
        "fin" => "closed in order (FIN)",
        "rst" => "cut off (RST)",
        "icmp" => "refused by an ICMP message",
        "timeout" => "given up: no answer any more",
        "relay_deadline" => "closed by a deadline of this relay",
        "capture_end" => "not ended within the capture",
        "open" => "still open",
        "never_opened" => "no TCP connection came about",
        _ => "broken by an error",
    };
    let text = match (errno, e.how.as_str()) {
        (Some(name), "error" | "timeout" | "never_opened") => format!("{text} ({name})"),
        _ => text.to_string(),
    };
    (text, matches!(e.how.as_str(), "fin" | "rst"))
}

fn mstsc(m: &Mstsc) -> Option<String> {
    let code = clean(m.code.as_deref()?, 16);
    let extended =
        m.extended.as_deref().map(|e| format!(" / {}", clean(e, 16))).unwrap_or_default();
    let basis = m.basis.as_deref().map(|b| format!(" ({})", clean(b, 16))).unwrap_or_default();
    let direct = match m.direct.as_deref() {
        Some(direct) => format!("; without this relay it would show {}", clean(direct, 16)),
        None => String::new(),
    };
    Some(format!("mstsc shows {code}{extended}{basis}{direct}"))
}

/// The outcome in a few words.
fn brief(c: &Connection) -> String {
    let text = match c.outcome {
        Outcome::Established => return established(c),
        Outcome::Rehearsal if c.verdict.what.as_deref() == Some("server-redirection") => {
            "left for another server: perhaps sent on by a broker; no failure"
        }
        Outcome::Rehearsal => "left for a prompt: mstsc asks its user and comes back; no failure",
        Outcome::NotRdp => "NOT RDP",
        Outcome::Unknown if c.reached.is_none() => "not known: the capture starts in the middle",
        Outcome::Unknown | Outcome::Failed => {
            "not known: the input does not show what became of it"
        }
    };
    text.to_string()
}

fn established(c: &Connection) -> String {
    let mut parts = Vec::new();
    parts.extend(c.rdp.selected.as_deref().map(protocol));
    let version = c.tls.as_ref().and_then(|tls| tls.version.as_deref());
    parts.extend(version.map(|version| format!("TLS {}", clean(version, 16)).into()));
    parts.push(glue(&duration(c.duration_ms)).into());
    let inferred = if c.reached_basis.as_deref() == Some("inferred") { " (inferred)" } else { "" };
    format!("session up{inferred}: {}", parts.join(", "))
}

/// The second line of what is no failure.
fn brief_detail(c: &Connection) -> Option<String> {
    let sentence = Some(&c.verdict.sentence)
        .filter(|s| !s.is_empty())
        .map(|s| clean(s, SENTENCE).into_owned());
    match (c.outcome, c.ended.how.as_str()) {
        (Outcome::Established, "fin" | "rst") => {
            Some(format!("{}: the usual end of a session", ended(&c.ended)))
        }
        (Outcome::Established, _) => Some(ended(&c.ended)),
        _ => sentence,
    }
}
