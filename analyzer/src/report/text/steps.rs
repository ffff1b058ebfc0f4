//! The steps of a failed connection, one row each: TCP, X.224, TLS, login or session.

use super::words::{NAME, blank, clean, duration, glue, protocol, wrap};
use super::{DIM, GREEN, RED, Style, YELLOW, paint};
use crate::report::{CertificateReport, Connection, Tls};

/// Most failed attempts and alerts that are listed.
const LISTED: usize = 6;

enum Status {
    Ok,
    Failed,
    Unclear,
    /// A row that only informs.
    Plain,
}

struct Row {
    label: &'static str,
    text: String,
    took: Option<f64>,
    status: Status,
}

/// Writes the rows of a failed connection, up to the step that failed.
pub(super) fn steps(out: &mut String, c: &Connection, style: &Style) {
    let mut rows = Vec::new();
    let reached = c.reached.as_deref().and_then(rank);
    match reached {
        None => rows.push(Row::plain(
            "start",
            "the capture starts in the middle: earlier steps are not shown",
        )),
        Some(reached) if tcp(&mut rows, c, reached) => {
            x224(&mut rows, c, reached);
            tls(&mut rows, c, reached);
            session(&mut rows, c, reached);
        }
        Some(_) => {}
    }
    for row in &rows {
        row.write(out, style);
    }
}

const X224_REQUEST: usize = 2;
const X224_CONFIRM: usize = 3;
const CLIENT_HELLO: usize = 4;
const SERVER_HELLO: usize = 5;
const ENCRYPTED: usize = 6;
const TLS_FINISHED: usize = 7;
const CREDSSP: usize = 8;
const ACTIVE: usize = 11;

/// The place of a step in the contract's order.
fn rank(reached: &str) -> Option<usize> {
    const ORDER: [&str; 12] = [
        "none",
        "tcp",
        "x224_request",
        "x224_confirm",
        "tls_client_hello",
        "tls_server_hello",
        "tls_encrypted",
        "tls_finished",
        "credssp",
        "mcs",
        "licensing",
        "active",
    ];
    ORDER.iter().position(|step| *step == reached)
}

/// Adds the TCP rows; false when no connection to the server came about. Behind a relay the client
/// can have sent its request by then, because its own leg opens first.
fn tcp(rows: &mut Vec<Row>, c: &Connection, reached: usize) -> bool {
    let relayed = c.legs.client.is_some();
    let leg = c.legs.server.as_ref().or(c.legs.single.as_ref());
    let attempts = leg.map(|leg| leg.attempts.as_slice()).unwrap_or_default();
    let unanswered = reached < X224_CONFIRM && c.timings_ms.tcp.is_none();
    let never = c.ended.how == "never_opened"
        || reached == 0
        || ((relayed || !attempts.is_empty()) && unanswered);
    if never {
        if relayed {
            rows.push(Row::new(
                "TCP",
                "client to relay".to_string(),
                c.timings_ms.tcp_client,
                Status::Ok,
            ));
        }
        let to = if relayed { "relay to server" } else { "client to server" };
        if attempts.is_empty() {
            rows.push(Row::new("TCP", format!("{to}: not connected"), None, Status::Failed));
        }
        for attempt in attempts.iter().take(LISTED) {
            rows.push(Row::new(
                "TCP",
                format!("{to}: {}", clean(attempt, 200)),
                None,
                Status::Failed,
            ));
        }
        return false;
    }
    for attempt in attempts.iter().take(LISTED) {
        rows.push(Row::plain("TCP", &format!("tried before: {}", clean(attempt, 200))));
    }
    if relayed {
        let time = |ms: Option<f64>| {
            ms.map(|ms| glue(&duration(ms))).unwrap_or_else(|| "not timed".to_string())
        };
        let text = format!("client leg {} · server leg", time(c.timings_ms.tcp_client));
        rows.push(Row::new("TCP", text, c.timings_ms.tcp, Status::Ok));
    } else {
        rows.push(Row::new("TCP", "connected".to_string(), c.timings_ms.tcp, Status::Ok));
    }
    true
}

fn x224(rows: &mut Vec<Row>, c: &Connection, reached: usize) {
    let row = |text: String, took, status| Row::new("X.224", text, took, status);
    let took = c.timings_ms.x224;
    rows.push(if reached < X224_REQUEST && may_lack_words(c) {
        row("no RDP request is in the input".to_string(), None, Status::Unclear)
    } else if reached < X224_REQUEST {
        row("the client sent no RDP request".to_string(), None, Status::Failed)
    } else if let Some(reason) = c.rdp.disconnected.filter(|_| reached < X224_CONFIRM) {
        row(
            format!("the server disconnected instead (X.224 reason {reason:#04x})"),
            took,
            Status::Failed,
        )
    } else if reached < X224_CONFIRM && may_lack_words(c) {
        row("no answer to the client's request is in the input".to_string(), None, Status::Unclear)
    } else if reached < X224_CONFIRM {
        row("the client's request got no RDP answer".to_string(), None, Status::Failed)
    } else if let Some(name) = &c.rdp.failure {
        row(format!("the server refused: {}", refusal(name)), took, Status::Failed)
    } else if let Some(selected) = &c.rdp.selected {
        row(format!("the server chose {}", protocol(selected)), took, Status::Ok)
    } else {
        row("the server answered".to_string(), took, Status::Ok)
    });
}

/// What was said may not be in the input. A relay reads everything, whatever it records.
fn may_lack_words(c: &Connection) -> bool {
    !c.complete && c.legs.client.is_none()
}

/// RDP_NEG_FAILURE in words, with its name. MS-RDPBCGR 2.2.1.2.2.
fn refusal(name: &str) -> String {
    let words = match name {
        "SSL_REQUIRED_BY_SERVER" => "it requires TLS",
        "SSL_NOT_ALLOWED_BY_SERVER" => "it takes standard RDP security only",
        "SSL_CERT_NOT_ON_SERVER" => "it has no certificate for TLS",
        "INCONSISTENT_FLAGS" => "the request contradicts itself",
        "HYBRID_REQUIRED_BY_SERVER" => "it requires NLA",
        "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER" => "it requires TLS with a client certificate",
        "ENTRA_AUTH_REQUIRED_BY_SERVER" => "it requires a sign-in with Entra ID",
        _ => return clean(name, NAME).into_owned(),
    };
    format!("{words} ({name})")
}

/// True where what was selected runs without TLS: standard RDP security, or no negotiation at all.
fn is_without_tls(c: &Connection) -> bool {
    c.tls.is_none() && matches!(c.rdp.selected.as_deref(), None | Some("RDP"))
}

fn tls(rows: &mut Vec<Row>, c: &Connection, reached: usize) {
    if reached < X224_CONFIRM || c.rdp.failure.is_some() || is_without_tls(c) {
        return;
    }
    let (text, status) = match &c.tls {
        Some(tls) if reached >= CLIENT_HELLO => {
            let status = match reached {
                CLIENT_HELLO | SERVER_HELLO => Status::Failed,
                ENCRYPTED => Status::Unclear,
                _ => Status::Ok,
            };
            (handshake(tls, reached), status)
        }
        _ if may_lack_words(c) => ("no ClientHello is in the input".to_string(), Status::Unclear),
        _ => ("the client sent no ClientHello".to_string(), Status::Failed),
    };
    rows.push(Row::new("TLS", text, c.timings_ms.tls, status));
}

fn handshake(tls: &Tls, reached: usize) -> String {
    let mut parts = Vec::new();
    match &tls.version {
        Some(version) => {
            let cipher = tls.cipher.as_deref().map(|name| format!(" {}", clean(name, NAME)));
            parts.push(format!("TLS {}{}", clean(version, 16), cipher.unwrap_or_default()));
        }
        None => {
            let offered: Vec<_> = tls.offered.iter().take(8).map(|v| clean(v, 16)).collect();
            parts.push(format!("the client offered TLS {}", offered.join(", ")));
        }
    }
    parts.extend(tls.sni.as_deref().map(|sni| format!("for the name {}", clean(sni, NAME))));
    match reached {
        CLIENT_HELLO => parts.push("no ServerHello".to_string()),
        SERVER_HELLO => parts.push("not completed".to_string()),
        ENCRYPTED => {
            let [up, down] = tls.records;
            parts.push(format!(
                "then encrypted: {up} records to the server, {down} to the client; their step is hidden"
            ));
        }
        _ => {}
    }
    parts.extend(certificate(tls));
    for alert in tls.alerts.iter().take(LISTED) {
        let from = clean(&alert.from, 16);
        parts.push(match (alert.code, &alert.name) {
            _ if alert.encrypted => format!("encrypted alert from the {from}"),
            (Some(code), Some(name)) => format!("alert {code} {} from the {from}", clean(name, 48)),
            (Some(code), None) => format!("alert {code} from the {from}"),
            (None, _) => format!("alert from the {from}"),
        });
    }
    parts.join(" · ")
}

fn certificate(tls: &Tls) -> Option<String> {
    if let Some(certificate) = &tls.certificate {
        return Some(presented(certificate));
    }
    let why = match tls.certificate_hidden.as_deref()? {
        "not_sent" => "no certificate was sent",
        "encrypted" => "the certificate is encrypted",
        "lost" => "the certificate is missing from the input",
        "malformed" => "the certificate is malformed",
        _ => return None,
    };
    Some(why.to_string())
}

fn presented(certificate: &CertificateReport) -> String {
    let until = certificate.not_after.get(..10).unwrap_or(&certificate.not_after);
    let signed = if certificate.self_signed { ", self-signed" } else { "" };
    format!("certificate {} until {}{signed}", clean(&certificate.subject, NAME), clean(until, 10))
}

/// What came behind the handshake, or behind a confirm that selected standard RDP security.
fn session(rows: &mut Vec<Row>, c: &Connection, reached: usize) {
    let clear = reached == X224_CONFIRM && c.rdp.failure.is_none() && is_without_tls(c);
    if reached < TLS_FINISHED && !clear {
        return;
    }
    let nla = matches!(c.rdp.selected.as_deref(), Some("HYBRID" | "HYBRID_EX"));
    let label = if nla && reached <= CREDSSP { "login" } else { "session" };
    let text = match reached {
        X224_CONFIRM => "the client sent nothing after the answer",
        TLS_FINISHED if nla => "no NLA message after the handshake",
        TLS_FINISHED => "no RDP message after the handshake",
        CREDSSP => "NLA began, no session followed",
        ACTIVE => "the desktop was up",
        9 => "the exchange of RDP settings began, no session followed",
        _ => "licensing began, no session followed",
    };
    let inferred = if c.reached_basis.as_deref() == Some("inferred") { " (inferred)" } else { "" };
    let status = if reached == ACTIVE { Status::Ok } else { Status::Failed };
    rows.push(Row::new(label, format!("{text}{inferred}"), None, status));
}

impl Row {
    fn new(label: &'static str, text: String, took: Option<f64>, status: Status) -> Row {
        Row { label, text, took, status }
    }

    fn plain(label: &'static str, text: &str) -> Row {
        Row::new(label, text.to_string(), None, Status::Plain)
    }

    /// Label, text, time and status in columns; a long text goes on below itself.
    fn write(&self, out: &mut String, style: &Style) {
        const AROUND: usize = 3 + 8 + 2 + 10 + 2 + 7;
        let width = style.columns() - AROUND;
        let took = self.took.map(duration).unwrap_or_default();
        let (word, color) = match self.status {
            Status::Ok => ("ok", GREEN),
            Status::Failed => ("FAILED", RED),
            Status::Unclear => ("unclear", YELLOW),
            Status::Plain => ("", DIM),
        };
        let text = wrap(&self.text, width);
        let (first, others) = text.split_once('\n').unwrap_or((&text, ""));
        blank(out, 3);
        out.push_str(self.label);
        blank(out, 8usize.saturating_sub(self.label.len()));
        out.push_str(first);
        if !(took.is_empty() && word.is_empty()) {
            blank(out, width.saturating_sub(first.chars().count()) + 2);
            blank(out, 10usize.saturating_sub(took.len()));
            out.push_str(&took);
        }
        if !word.is_empty() {
            out.push_str("  ");
            out.push_str(&paint(style, color, word));
        }
        out.push('\n');
        for line in others.lines() {
            blank(out, 11);
            out.push_str(line);
            out.push('\n');
        }
    }
}
