//! `client-rejects-cert`: the client does not accept the server's certificate.
//!
//! Said in clear by an alert, or shown (TLS 1.2 and older) by leaving right after the handshake over a
//! certificate with a defect. In TLS 1.3 the refusal is encrypted and can not be told from a user who
//! cancels.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::{tls_alert, who};
use crate::case::Case;
use crate::facts::Facts;
use crate::input::Direction;

pub(super) const DETECTOR: Detector = Detector {
    id: "client-rejects-cert",
    kind: Kind::Cause,
    class: Class::Abort,
    explains: &["tls-alert-", "clean-close-no-reason", "rst-genuine-client"],
    remedy: "Give the server a certificate that the client trusts and that names it, or let the client trust the present one after comparing its SHA-256 with the server's own store. Do not switch the check off.",
    next: &[Next {
        what: "the certificate in the server's own store, to compare (on the server, read-only)",
        command: Some(
            "Get-ChildItem 'Cert:\\LocalMachine\\Remote Desktop' | Format-List Subject,NotAfter,Thumbprint",
        ),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    said(case.this).or_else(|| shown(case))
}

/// certificate alerts of RFC 8446 6.2 that a client can only mean for the server's certificate.
fn is_about_certificate(number: u8) -> bool {
    matches!(number, 42..=46 | 48 | 49)
}

fn said(facts: &Facts) -> Option<Opinion> {
    let (seen, alert) = facts.tls.fatal_alert(Some(Direction::ToServer))?;
    let number = alert.description.0;
    if !is_about_certificate(number) {
        return None;
    }
    // The certificate and the refusal behind it are two observations, the number alone is one.
    let chain = facts.tls.certificate.seen().filter(|chain| !seen.at.is_before(chain.at));
    let (party, sure) = tls_alert::whose(facts, seen);
    let opinion = Opinion::new(
        if chain.is_some() { Band::High } else { Band::Possible },
        format!("The client refused the server's certificate ({}).", alert.description),
    )
    .party(party, sure)
    .supports(Evidence::of(seen, format!("alert {number} {} from the client", alert.description)));
    Some(match chain {
        Some(chain) => opinion
            .supports(Evidence::of(chain, "the server's certificate was sent in clear before it")),
        None => opinion.unknown("the certificate: the input does not show it"),
    })
}

fn shown(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let tls = &facts.tls;
    let left = facts.client_left();
    let ending = left.filter(|ending| ending.dir == Direction::ToServer && !ending.both)?;
    let chain = tls.certificate.seen()?;
    let left_at_once = tls.is_established() && tls.client_data_records() == 0;
    if !left_at_once || tls.fatal_alert(None).is_some() || case.later().next().is_some() {
        return None;
    }
    let hard = super::hard_certificate_defect(facts);
    let band = if hard.is_some() { Band::Possible } else { Band::Weak };
    let mut opinion = Opinion::new(
        band,
        "The client left right after it had seen the server's certificate: most likely it or its user did not accept it.",
    )
    .party(Party::Client, Band::Possible)
    .supports(Evidence::of(chain, "the server's certificate was sent in clear"))
    .supports(Evidence::at(ending.at, "the client closed after the handshake without sending any data"))
    .unknown("whether the user cancelled for another reason");
    if let Some(defect) = hard {
        opinion = opinion.supports(Evidence::of(chain, defect));
    }
    if tls.alerts.iter().any(|seen| seen.value.dir == Direction::ToServer) {
        opinion = opinion.supports(Evidence::absent(format!(
            "the {} sent an encrypted alert before it closed",
            who::sender(Direction::ToServer)
        )));
    }
    Some(opinion)
}
