//! `clienthello-rewritten`, `tls-version-downgrade`: the server was not greeted with what the client said.
//! RFC 8446 4.1.2, 4.2.1.

use super::{BETWEEN, ENDS, at_client, at_server, proved, unless_outlived};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Kind, Opinion};
use crate::diff::Diff;
use crate::facts::Seen;
use crate::input::Direction;
use crate::wire::tls::ClientHello;

pub const REWRITTEN: Detector = Detector {
    id: "clienthello-rewritten",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: &[
        ENDS[0],
        ENDS[1],
        ENDS[2],
        "tls-alert-",
        "client-rejects-cert",
        "tls13-sentinel",
        "cert-self-signed",
        "cert-name-mismatch",
        "no-common-version",
        "no-common-cipher",
        "nla-bad-credentials",
        "credssp-pubkey-mismatch",
    ],
    remedy: "Exempt the port from TLS inspection: a device between opens the client's TLS, and NLA is made to fail then.",
    next: BETWEEN,
    detect: rewritten,
};

pub const VERSION_DOWNGRADE: Detector = Detector {
    id: "tls-version-downgrade",
    kind: Kind::Definition,
    class: Class::Downgrade,
    explains: REWRITTEN.explains,
    remedy: "Find the device that lowers the TLS version and exempt the port from it; require TLS 1.2 or higher on both ends.",
    next: BETWEEN,
    detect: version_downgrade,
};

fn hellos<'a>(case: &Case<'a>) -> Option<(&'a Seen<ClientHello>, &'a Seen<ClientHello>, &'a Diff)> {
    let (server, diff) = case.at_server()?;
    Some((case.this.tls.client_hello.seen()?, server.tls.client_hello.seen()?, diff))
}

fn rewritten(case: &Case<'_>) -> Option<Opinion> {
    let (sent, arrived, diff) = hellos(case)?;
    if sent.value == arrived.value {
        return None;
    }
    let terminated = sent.value.random != arrived.value.random;
    let says = if terminated {
        "Somebody between ends the client's TLS and starts one of its own: the server was greeted by another ClientHello."
    } else {
        "The client's TLS greeting was edited on its way: the handshake can not be completed then."
    };
    let what = |hello: &ClientHello| {
        format!(
            "ClientHello of {} bytes, random {:02x}{:02x}{:02x}{:02x}…, JA4 {}",
            hello.size,
            hello.random[0],
            hello.random[1],
            hello.random[2],
            hello.random[3],
            hello.ja4()
        )
    };
    let mut opinion = proved(diff, Band::Certain, says)
        .supports(at_client(sent, format!("sent: {}", what(&sent.value))))
        .supports(at_server(arrived, format!("arrived: {}", what(&arrived.value))));
    let differs = diff.stream(Direction::ToServer).differs.as_ref().filter(|_| !terminated);
    opinion
        .supports
        .extend(differs.map(|differs| at_client(sent, differs.fact(Direction::ToServer))));
    // NLA fails behind a terminated TLS, whatever step the client reaches on its own.
    Some(if terminated { opinion } else { unless_outlived(opinion, case.this) })
}

fn version_downgrade(case: &Case<'_>) -> Option<Opinion> {
    let (sent, arrived, diff) = hellos(case)?;
    let (server, _) = case.at_server()?;
    let (offered, got) = (sent.value.max_version(), arrived.value.max_version());
    let at_client_side = case.this.tls.server_hello.seen();
    let (heard, said) = (case.this.tls.version(), server.tls.version());
    let offer_lowered = got < offered && said.is_some_and(|said| said < offered);
    // A client that offers no more than it hears was told no lie about that.
    let answer_lowered =
        heard.zip(said).is_some_and(|(heard, said)| heard < said && heard < offered);
    if !offer_lowered && !answer_lowered {
        return None;
    }
    let chosen = heard.or(said)?;
    let says = format!(
        "The TLS version was lowered on the way: the client offered {offered}, and {chosen} was agreed because the server and the client were not told the truth about each other."
    );
    let mut opinion = proved(diff, Band::Certain, says)
        .supports(at_client(sent, format!("the client offered up to TLS {offered}")))
        .supports(at_server(arrived, format!("the server was offered up to TLS {got}")));
    opinion.supports.extend(
        at_client_side
            .map(|hello| at_client(hello, format!("the client was answered TLS {chosen}"))),
    );
    Some(opinion)
}
