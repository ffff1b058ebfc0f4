//! Single messages: TLS hellos, certificates, alerts, X.224, first bytes. The first byte says which.

use rdpwhy_analyzer::wire::Reader;
use rdpwhy_analyzer::wire::credssp::TsRequest;
use rdpwhy_analyzer::wire::first_bytes::FirstBytes;
use rdpwhy_analyzer::wire::mcs::McsPdu;
use rdpwhy_analyzer::wire::send_data::{SendData, Statement};
use rdpwhy_analyzer::wire::share::SetErrorInfo;
use rdpwhy_analyzer::wire::tls::{
    Alert, CertificateMessage, CertificateRequest, CertificateSummary, ClientHello,
    HandshakeBuffer, HandshakeType, RecordHeader, ServerHello, SubjectName, chain,
};
use rdpwhy_analyzer::wire::x224::{Routing, Tpdu};

use super::cursor::Cursor;
use super::wire;

/// Reads `data` as one message.
pub fn hello(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    match kind % 10 {
        0 => client_hello(body),
        1 => server_hello(body),
        2 => certificate_message(body),
        3 => certificate(body),
        4 => tpdu(body),
        5 => first_bytes(body),
        6 => handshake_buffer(body),
        7 => names(body),
        8 => wire::scanner(body),
        _ => small(body),
    }
}

fn client_hello(body: &[u8]) {
    let Ok(hello) = ClientHello::parse(body) else { return };
    let ja4 = hello.ja4();
    let parts: Vec<&str> = ja4.split('_').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [10, 12, 12], "{ja4}");
    assert!(ja4.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{ja4}");
    let offered = hello.offered_versions();
    assert!(offered.len() <= body.len());
    let _ = (hello.max_version(), hello.has_fallback_scsv());
    // Two suites to a pair of bytes can not be: nothing is read twice.
    assert!(hello.cipher_suites.len() * 2 <= body.len());
    assert!(hello.extensions.len() * 4 <= body.len());
}

fn server_hello(body: &[u8]) {
    let Ok(hello) = ServerHello::parse(body) else { return };
    let _ = (hello.version(), hello.is_hello_retry_request(), hello.downgrade_sentinel());
}

fn certificate_message(body: &[u8]) {
    let Ok(message) = CertificateMessage::parse(body) else { return };
    let kept: usize = message.chain.iter().map(Vec::len).sum();
    assert!(kept <= body.len(), "{kept} bytes of {}", body.len());
    // Read anew or remembered, a chain says what its certificates do.
    for _ in 0..2 {
        let chain = chain(body).expect("the message can be read");
        assert_eq!(chain.len(), message.chain.len().min(8));
        for (read, der) in chain.iter().zip(&message.chain) {
            let alone = CertificateSummary::from_der(der);
            let chain_length = message.chain.len();
            assert_eq!(*read, alone.map(|alone| CertificateSummary { chain_length, ..alone }));
        }
    }
    for der in message.chain.iter().take(8) {
        certificate(der);
    }
}

fn certificate(der: &[u8]) {
    let Ok(summary) = CertificateSummary::from_der(der) else { return };
    summarised(&summary);
    assert!(summary.sha256.len() == 64 && summary.sha256.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(summary.names.len() <= der.len() && summary.extended_key_usage.len() <= der.len());
}

fn summarised(summary: &CertificateSummary) {
    let hard = summary.defects().iter().any(|defect| defect.is_hard());
    let _ = hard;
    for host in ["", ".", "rdp.example.com", "RDP.example.com.", "192.0.2.10", "[2001:db8::10]"] {
        let dotted = format!("{host}.");
        let plain = summary.matches_name(host);
        if !host.ends_with('.') && !host.is_empty() {
            assert_eq!(plain, summary.matches_name(&dotted), "a final dot changes the match");
        }
        assert!(!host.is_empty() || !plain, "nothing is matched");
    }
    // A name that is no wildcard matches itself, in any case of its letters.
    for name in summary.names.iter().take(16) {
        if let SubjectName::Dns(name) = name
            && !name.is_empty()
            && !name.ends_with('.')
            && name.parse::<std::net::IpAddr>().is_err()
            && !name.contains(['*', '[', ']'])
        {
            assert!(summary.matches_name(&name.to_ascii_uppercase()), "{name:?}");
        }
    }
}

/// A certificate's names against any host.
fn names(body: &[u8]) {
    let mut cursor = Cursor::new(body);
    let host = String::from_utf8_lossy(cursor.run()).into_owned();
    let mut summary = match CertificateSummary::from_der(super::pieces::piece(CERTIFICATE)) {
        Ok(summary) => summary,
        Err(defect) => panic!("the certificate of the project: {defect:?}"),
    };
    let replaced = cursor.u8() % 4;
    let name = String::from_utf8_lossy(cursor.run()).into_owned();
    match replaced {
        0 => {}
        1 => summary.names = vec![SubjectName::Dns(name)],
        2 => (summary.names, summary.common_name) = (Vec::new(), Some(name)),
        _ => (summary.names, summary.common_name) = (Vec::new(), None),
    }
    let matched = summary.matches_name(&host);
    assert!(!matched || replaced != 3, "no name matches {host:?}");
    assert_eq!(matched, summary.matches_name(&host.to_ascii_uppercase()), "{host:?}");
    summarised(&summary);
}

/// Number of the certificate among the pieces.
pub const CERTIFICATE: u8 = 12;

fn tpdu(body: &[u8]) {
    match Tpdu::parse(body) {
        Ok(Tpdu::ConnectionRequest(request)) => {
            let names = request.requested().names();
            assert_eq!(request.requested().to_string(), names.join(" | "));
            assert!(names.len() <= 32, "{names:?}");
            if let Some(Routing::Cookie(id)) = &request.routing {
                assert!(id.len() <= body.len());
            }
        }
        Ok(Tpdu::ConnectionConfirm(confirm)) => {
            assert!(confirm.selected().is_none() || confirm.failure().is_none());
        }
        Ok(Tpdu::Data(data)) => {
            assert!(data.len() <= body.len());
            let _ = McsPdu::parse(data);
        }
        _ => {}
    }
}

fn first_bytes(body: &[u8]) {
    let told = FirstBytes::classify(body);
    assert!(told.is_some() || body.len() < 2048, "still undecided after {} bytes", body.len());
    if let Some(what) = told {
        assert!(!what.name().is_empty());
    }
}

/// Handshake messages come out alike however the records were cut.
fn handshake_buffer(body: &[u8]) {
    let Some((&size, rest)) = body.split_first() else { return };
    let joined = |size: usize| {
        let mut buffer = HandshakeBuffer::new();
        let mut messages: Vec<(HandshakeType, Vec<u8>)> = Vec::new();
        let mut failed = false;
        for payload in rest.chunks(size) {
            failed |= buffer.push(payload).is_err();
            messages.extend(&mut buffer);
        }
        // The header of a message behind others is looked at with the next record.
        failed |= buffer.push(&[]).is_err();
        (messages, failed)
    };
    let whole = joined(16_384);
    let cut = joined(usize::from(size) + 1);
    // A message that is too long is told when its header is there, so what stands before it may differ.
    assert!(whole.1 == cut.1, "cutting changes whether a message is too long");
    if !whole.1 {
        assert_eq!(whole.0, cut.0);
    }
}

fn small(body: &[u8]) {
    if let Ok(alert) = Alert::parse(body) {
        let _ = (alert.is_fatal(), alert.level.name(), alert.description.name());
    }
    let _ = RecordHeader::parse(body);
    let _ = CertificateRequest::parse(body);
    user_data(body);
    let mut reader = Reader::new(body);
    // Requests follow one another; each is at least a version long.
    for _ in 0..=body.len() / 7 {
        let before = reader.left();
        if TsRequest::parse(&mut reader).is_err() {
            return;
        }
        assert!(before - reader.left() >= 7, "a TSRequest of {} bytes", before - reader.left());
    }
    assert!(reader.left() < 7, "more requests than fit");
}

fn user_data(body: &[u8]) {
    let Ok(data) = SendData::parse(&mut Reader::new(body)) else { return };
    assert!(data.data.len() <= usize::from(data.length) && data.data.len() <= body.len() - 7);
    if let Some(Statement::ErrorInfo(_)) = data.statement() {
        assert_eq!((data.data.len(), data.length), (SetErrorInfo::SIZE, SetErrorInfo::SIZE as u16));
    }
}
