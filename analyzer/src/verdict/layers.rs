//! The report's parts on X.224 and TLS.

use super::Identities;
use super::words::date;
use crate::codes::cipher::cipher_suite_name;
use crate::facts::{Facts, Known, Why};
use crate::input::Direction;
use crate::report::{AlertReport, CertificateReport, Rdp, Tls};
use crate::wire::hex;
use crate::wire::tls::CertificateSummary;
use crate::wire::x224::Routing;

/// X.224 and negotiation.
pub(super) fn rdp(facts: &Facts, identities: &Identities) -> Rdp {
    let request = facts.x224.request.value();
    let confirm = facts.x224.confirm.value();
    let routing = request.and_then(|request| request.routing.as_ref());
    let negotiation = request.and_then(|request| request.negotiation);
    Rdp {
        cookie: match routing {
            Some(Routing::Cookie(id)) => Some(identities.show("user", id)),
            _ => None,
        },
        routing_token: match routing {
            Some(Routing::Token(token)) => Some(identities.show("token", token)),
            _ => None,
        },
        requested: request.map(|request| request.requested().names()),
        flags: negotiation.map(|negotiation| negotiation.flags),
        selected: confirm
            .and_then(|confirm| confirm.selected())
            .map(|selected| selected.to_string()),
        failure: confirm.and_then(|confirm| confirm.failure()).map(|failure| failure.to_string()),
        disconnected: facts.x224.refused.value().copied(),
        correlation_id: request.and_then(|request| request.correlation_id).map(|id| hex(&id)),
    }
}

/// TLS.
pub(super) fn tls(facts: &Facts) -> Option<Tls> {
    let tls = &facts.tls;
    let hello = tls.client_hello.value();
    let records = tls.records.each_ref().map(|records| records.count);
    if hello.is_none()
        && tls.server_hello.value().is_none()
        && tls.alerts.is_empty()
        && records == [0, 0]
    {
        return None;
    }
    let offered = hello.map(|hello| hello.offered_versions()).unwrap_or_default();
    Some(Tls {
        offered: offered.iter().map(ToString::to_string).collect(),
        version: tls.version().map(|version| version.to_string()),
        cipher: tls.server_hello.value().map(|server| {
            let suite = server.cipher_suite;
            cipher_suite_name(suite.0).map_or_else(|| suite.to_string(), str::to_owned)
        }),
        ja4: hello.map(|hello| hello.ja4()),
        sni: hello.and_then(|hello| hello.server_name.clone()),
        alerts: alerts(facts),
        certificate: tls.leaf().map(certificate),
        certificate_hidden: certificate_hidden(facts),
        records,
    })
}

fn alerts(facts: &Facts) -> Vec<AlertReport> {
    let from = |dir| match dir {
        Direction::ToServer => "client".to_owned(),
        Direction::ToClient => "server".to_owned(),
    };
    facts
        .tls
        .alerts
        .iter()
        .map(|seen| AlertReport {
            from: from(seen.value.dir),
            level: seen.value.alert.map(|alert| alert.level.to_string()),
            code: seen.value.alert.map(|alert| alert.description.0),
            name: seen.value.alert.map(|alert| alert.description.to_string()),
            encrypted: seen.value.alert.is_none(),
        })
        .collect()
}

fn certificate_hidden(facts: &Facts) -> Option<String> {
    let why = match &facts.tls.certificate {
        Known::Seen(_) if facts.tls.leaf().is_some() => return None,
        Known::Seen(_) => "malformed",
        Known::Hidden(Why::Tls13) => "encrypted",
        Known::Hidden(_) => "lost",
        Known::NotSeen if facts.tls.certificate_unreadable.is_seen() => "malformed",
        Known::NotSeen => "not_sent",
    };
    Some(why.to_owned())
}

fn certificate(leaf: &CertificateSummary) -> CertificateReport {
    CertificateReport {
        subject: leaf.subject.clone(),
        issuer: leaf.issuer.clone(),
        serial: leaf.serial.clone(),
        not_before: date(leaf.not_before),
        not_after: date(leaf.not_after),
        names: leaf.names.iter().map(ToString::to_string).collect(),
        key: leaf.key.clone(),
        signature: leaf.signature_algorithm.clone(),
        extended_key_usage: leaf.extended_key_usage.clone(),
        sha256: leaf.sha256.clone(),
        self_signed: leaf.self_issued,
        chain_length: leaf.chain_length,
    }
}
