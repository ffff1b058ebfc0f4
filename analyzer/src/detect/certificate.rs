//! Facts about the server's certificate that several detectors rest on.

use super::opinion::{Band, Opinion};
use crate::event::At;
use crate::facts::Facts;
use crate::input::Direction;

/// How much a certificate's fact explains: much when the client's alert says the same, little when the
/// client only left. A fact of the certificate alone is never the cause.
pub fn certificate_band(facts: &Facts, confirming_alerts: &[u8]) -> Band {
    match facts.tls.fatal_alert(Some(Direction::ToServer)) {
        Some((_, alert)) if confirming_alerts.contains(&alert.description.0) => Band::Probable,
        _ => Band::Weak,
    }
}

/// Only a client that left can have left over the certificate; elsewhere the opinion is a plain fact.
pub fn as_cause(facts: &Facts, opinion: Opinion) -> Opinion {
    let client_left = facts.client_left().is_some()
        || facts.ending().is_some_and(|ending| ending.both && facts.decider(ending).is_none())
        || facts.tls.fatal_alert(Some(Direction::ToServer)).is_some();
    let used_it = facts.tls.client_data_records() > 0;
    if client_left && !used_it { opinion } else { opinion.only_a_fact() }
}

/// 2000-01-01 in seconds: Remote Desktop had no TLS yet.
const YEAR_2000: i64 = 946_684_800;

/// Not yet or no longer valid at the time of the connection.
pub fn out_of_validity(facts: &Facts) -> Option<String> {
    let leaf = facts.tls.leaf()?;
    let now = (facts.tls.certificate.seen()?.at.time.0 / 1_000_000_000) as i64;
    // Captures without times, and devices whose clock was never set, stand at 1970.
    if now < YEAR_2000 {
        return None;
    }
    let days = |seconds: i64| seconds / 86_400;
    if leaf.not_after < now {
        return Some(format!(
            "the certificate expired {} days before this connection",
            days(now - leaf.not_after)
        ));
    }
    (leaf.not_before > now).then(|| {
        format!(
            "the certificate becomes valid {} days after this connection",
            days(leaf.not_before - now)
        )
    })
}

/// The client named a server that the certificate does not name.
pub fn wrong_name(facts: &Facts) -> Option<String> {
    let leaf = facts.tls.leaf()?;
    let asked = facts.tls.client_hello.value()?.server_name.as_deref()?;
    (!leaf.matches_name(asked)).then(|| {
        let names: Vec<String> = leaf.names.iter().map(ToString::to_string).collect();
        let names = if names.is_empty() {
            leaf.common_name.clone().unwrap_or_default()
        } else {
            names.join(", ")
        };
        format!("the client asked for {asked}, the certificate names {names}")
    })
}

/// Unreadable, or so weak that a client's library refuses it.
pub fn malformed_certificate(facts: &Facts) -> Option<(At, String)> {
    if let Some(unreadable) = facts.tls.certificate_unreadable.seen() {
        return Some((
            unreadable.at,
            format!("the Certificate message can not be read: {}", unreadable.value),
        ));
    }
    let chain = facts.tls.certificate.seen()?;
    let leaf = match chain.value.first() {
        None => return Some((chain.at, "the server sent an empty certificate chain".into())),
        Some(Err(defect)) => {
            return Some((chain.at, format!("the certificate can not be read: {defect}")));
        }
        Some(Ok(leaf)) => leaf,
    };
    let hard = leaf.defects().into_iter().find(|defect| defect.is_hard())?;
    Some((chain.at, hard.to_string()))
}

/// A defect for which a client refuses a certificate whoever issued it.
pub fn hard_certificate_defect(facts: &Facts) -> Option<String> {
    malformed_certificate(facts)
        .map(|(_, fact)| fact)
        .or_else(|| out_of_validity(facts))
        .or_else(|| wrong_name(facts))
}
