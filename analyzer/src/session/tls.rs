//! TLS records to events, without keys. RFC 5246, RFC 8446.

use super::lane::Frame;
use crate::event::{At, CUT_ALERT, CUT_HANDSHAKE, Event};
use crate::facts::Facts;
use crate::input::Direction;
use crate::wire::tls::{
    Alert, ClientHello, ContentType, HandshakeType, RecordHeader, ServerHello, chain,
};

/// How many bytes of a record's body are worth keeping.
pub(super) fn wanted(facts: &Facts, dir: Direction, header: RecordHeader) -> usize {
    match header.content_type {
        ContentType::HANDSHAKE if !is_encrypted(facts, dir) => usize::from(header.length),
        ContentType::ALERT => 2,
        _ => 0,
    }
}

/// One complete record.
pub(super) fn record(
    facts: &mut Facts,
    at: At,
    dir: Direction,
    frame: &mut Frame,
    header: RecordHeader,
) {
    match header.content_type {
        ContentType::CHANGE_CIPHER_SPEC => facts.apply(at, Event::ChangeCipherSpec(dir)),
        ContentType::APPLICATION_DATA => facts.count_record(dir, at, header.length),
        ContentType::ALERT if frame.cut && header.length == 2 => {
            facts.apply(at, Event::Limit(CUT_ALERT));
        }
        ContentType::ALERT => facts.apply(at, alert(facts, dir, frame, header)),
        ContentType::HANDSHAKE if is_encrypted(facts, dir) => {
            facts.apply(at, Event::EncryptedHandshake(dir));
        }
        ContentType::HANDSHAKE if frame.cut => {
            frame.handshake = Default::default();
            facts.apply(at, Event::Cut(dir, CUT_HANDSHAKE));
        }
        ContentType::HANDSHAKE => handshake(facts, at, dir, frame),
        _ => {}
    }
}

/// An alert record is in clear when it has the size of one and its sender has not switched to
/// encryption; in TLS 1.3 encrypted alerts travel as application data.
fn alert(facts: &Facts, dir: Direction, frame: &Frame, header: RecordHeader) -> Event {
    let clear = header.length == 2 && !is_encrypted(facts, dir);
    match Alert::parse(&frame.body) {
        Ok(alert) if clear => Event::Alert(dir, alert),
        _ => Event::EncryptedAlert(dir),
    }
}

fn is_encrypted(facts: &Facts, dir: Direction) -> bool {
    !facts.tls.is_13() && facts.tls.change_cipher_spec[dir.index()].is_seen()
}

fn handshake(facts: &mut Facts, at: At, dir: Direction, frame: &mut Frame) {
    if frame.handshake.push(&frame.body).is_err() {
        return facts.apply(at, Event::Limit("a TLS handshake message is too long"));
    }
    for (kind, body) in &mut frame.handshake {
        if let Some(event) = message(dir, kind, &body) {
            facts.apply(at, event);
        }
    }
}

fn message(dir: Direction, kind: HandshakeType, body: &[u8]) -> Option<Event> {
    let damaged = |error| Event::DamagedHandshake(dir, error);
    Some(match (dir, kind) {
        (Direction::ToServer, HandshakeType::CLIENT_HELLO) => {
            ClientHello::parse(body).map_or_else(damaged, Event::ClientHello)
        }
        (Direction::ToClient, HandshakeType::SERVER_HELLO) => match ServerHello::parse(body) {
            Ok(hello) if hello.is_hello_retry_request() => Event::HelloRetryRequest(hello),
            Ok(hello) => Event::ServerHello(hello),
            Err(error) => damaged(error),
        },
        (_, HandshakeType::CERTIFICATE) => match chain(body) {
            Ok(chain) => Event::Certificate(dir, chain),
            Err(error) => Event::CertificateUnreadable(dir, error),
        },
        (Direction::ToClient, HandshakeType::CERTIFICATE_REQUEST) => Event::CertificateRequest,
        (Direction::ToClient, HandshakeType::SERVER_HELLO_DONE) => Event::ServerHelloDone,
        _ => return None,
    })
}
