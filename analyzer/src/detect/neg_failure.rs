//! RDP_NEG_FAILURE: the server says in the negotiation why it refuses. MS-RDPBCGR 2.2.1.2.2.
//!
//! One file for its codes: they share one observation and differ in a number. A refusal that does not fit
//! the request that was seen names no cause: one of the two was changed, or the server is at fault.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::wire::x224::{FailureCode, Protocols};

const SECURITY_LAYER: Next = Next {
    what: "what the listener demands (on the server, read-only)",
    command: Some(
        "Get-ItemProperty 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\WinStations\\RDP-Tcp' | Select SecurityLayer, UserAuthentication",
    ),
};

const EXPLAINS: &[&str] = &["clean-close-no-reason", "rst-genuine-", "truncated-tls"];

pub(super) const SSL_REQUIRED: Detector = Detector {
    id: "ssl-required",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: EXPLAINS,
    remedy: "Let the client offer TLS and NLA: update it, or take the setting out that limits what it offers. Where it offers NLA alone, turn NLA on at the server.",
    next: &[SECURITY_LAYER],
    detect: |case| refused(case, &[FailureCode::SSL_REQUIRED_BY_SERVER]),
};

pub(super) const SSL_NOT_ALLOWED: Detector = Detector {
    id: "ssl-not-allowed",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: EXPLAINS,
    remedy: "Set the server's listener to SecurityLayer=2 (TLS) with UserAuthentication=1; to undo, put the noted values back. Do not lower the client.",
    next: &[SECURITY_LAYER],
    detect: |case| refused(case, &[FailureCode::SSL_NOT_ALLOWED_BY_SERVER]),
};

pub(super) const SSL_CERT_NOT_ON_SERVER: Detector = Detector {
    id: "ssl-cert-not-on-server",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: EXPLAINS,
    remedy: "Give the server a usable certificate: check that the service account can read the private key; Windows makes a new self-signed one when TermService restarts. On xrdp check the paths and rights of certificate and key_file.",
    next: &[Next {
        what: "why the certificate is missing (on the server, read-only)",
        command: Some(
            "Get-WinEvent -FilterHashtable @{LogName='System';Id=1057,1058,36870,36871} -MaxEvents 5",
        ),
    }],
    detect: |case| refused(case, &[FailureCode::SSL_CERT_NOT_ON_SERVER]),
};

pub(super) const INCONSISTENT_FLAGS: Detector = Detector {
    id: "neg-inconsistent-flags",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: EXPLAINS,
    remedy: "Compare the security settings of client and server: the security layer, Restricted Admin, Remote Credential Guard, a demand for client certificates. They have to fit each other.",
    next: &[SECURITY_LAYER],
    detect: |case| {
        refused(
            case,
            &[FailureCode::INCONSISTENT_FLAGS, FailureCode::SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER],
        )
    },
};

pub(super) const NLA_REQUIRED: Detector = Detector {
    id: "nla-required",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: EXPLAINS,
    remedy: "Turn NLA (CredSSP) on in the client: `enablecredsspsupport:i:1` in the .rdp file, no /sec:tls or /sec:rdp in FreeRDP. Leave NLA on at the server.",
    next: &[SECURITY_LAYER],
    detect: |case| refused(case, &[FailureCode::HYBRID_REQUIRED_BY_SERVER]),
};

pub(super) const OTHER: Detector = Detector {
    id: "neg-failure-other",
    kind: Kind::Phenomenon,
    class: Class::ServerConfig,
    explains: EXPLAINS,
    remedy: "Look up the failure code in the documentation and in the log of the server, and compare the request that left the client with the one that reached the server.",
    next: &[SECURITY_LAYER],
    detect: |case| {
        let code = case.this.x224.confirm.value()?.failure()?;
        let explains = (1..=6).contains(&code.0) && !contradicts(code, case.this.x224.requested());
        if explains { None } else { opinion(case, code) }
    },
};

fn refused(case: &Case<'_>, codes: &[FailureCode]) -> Option<Opinion> {
    let code = case.this.x224.confirm.value()?.failure().filter(|code| codes.contains(code))?;
    if contradicts(code, case.this.x224.requested()) { None } else { opinion(case, code) }
}

/// True when the request that was seen gave no reason for this refusal.
fn contradicts(code: FailureCode, requested: Option<Protocols>) -> bool {
    requested.is_some_and(|requested| match code {
        FailureCode::SSL_REQUIRED_BY_SERVER => requested.contains(Protocols::SSL),
        FailureCode::SSL_NOT_ALLOWED_BY_SERVER => requested == Protocols::RDP,
        FailureCode::HYBRID_REQUIRED_BY_SERVER => requested.is_nla(),
        _ => false,
    })
}

fn opinion(case: &Case<'_>, code: FailureCode) -> Option<Opinion> {
    let facts = case.this;
    let confirm = facts.x224.confirm.seen()?;
    let requested = facts.x224.requested();
    let says = match requested {
        Some(requested) if contradicts(code, Some(requested)) => format!(
            "The server refused with {code} although the client asked for {requested}: the refusal does not fit the request."
        ),
        _ => sentence(code, requested),
    };
    // Of a refusal that does not fit nobody knows who wrote it; whether it fits shows in the request.
    let party = match requested {
        Some(_) if contradicts(code, requested) => (Party::Unknown, Band::Weak),
        Some(_) => (Party::Server, Band::Probable),
        None => (Party::Server, Band::Possible),
    };
    let mut opinion = Opinion::new(Band::Certain, says)
        .party(party.0, party.1)
        .supports(Evidence::of(confirm, format!("RDP_NEG_FAILURE {} {code}", code.0)));
    if let (Some(request), Some(requested)) = (facts.x224.request.seen(), requested) {
        opinion =
            opinion.supports(Evidence::of(request, format!("the client asked for {requested}")));
    }
    Some(
        opinion.unknown(
            "whether the request was changed on its way: the negotiation is not protected",
        ),
    )
}

fn sentence(code: FailureCode, requested: Option<Protocols>) -> String {
    let nla_alone =
        requested.is_some_and(|asked| asked.is_nla() && !asked.contains(Protocols::SSL));
    let offered = requested.map_or_else(
        || "; what the client offered is not in the input".to_owned(),
        |asked| format!(" and the client did not offer it (it offered {asked})"),
    );
    match code {
        FailureCode::SSL_REQUIRED_BY_SERVER if nla_alone => {
            let asked = requested.map_or_else(String::new, |asked| format!(" ({asked})"));
            format!(
                "The server does TLS without Network Level Authentication, and the client offered Network Level Authentication alone{asked}."
            )
        }
        FailureCode::SSL_REQUIRED_BY_SERVER => {
            format!("The server insists on TLS{offered}.")
        }
        FailureCode::SSL_NOT_ALLOWED_BY_SERVER => {
            "The server is set to the old RDP security layer only and refuses TLS and NLA.".into()
        }
        FailureCode::SSL_CERT_NOT_ON_SERVER => {
            "The server has no usable certificate or key for TLS, and says so.".into()
        }
        FailureCode::INCONSISTENT_FLAGS => {
            let offered = requested.map_or(String::new(), |asked| format!(" (it offered {asked})"));
            format!(
                "The server says that the protocols asked for do not fit the security that is already in force{offered}."
            )
        }
        FailureCode::HYBRID_REQUIRED_BY_SERVER => {
            format!("The server demands Network Level Authentication{offered}.")
        }
        FailureCode::SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER => {
            "The server demands TLS with a client certificate.".into()
        }
        FailureCode::ENTRA_AUTH_REQUIRED_BY_SERVER => {
            format!("The server demands Entra ID authentication{offered}.")
        }
        other => format!("The server refused the negotiation with the unknown code {other}."),
    }
}
