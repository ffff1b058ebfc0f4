//! What the shape of CredSSP tells although it is encrypted: `nla-bad-credentials` and
//! `credssp-pubkey-mismatch`. MS-CSSP 3.1.5.
//!
//! The client's turns are NEGOTIATE, AUTHENTICATE with its proof of the server's key, credentials; the
//! server's are CHALLENGE, its own proof, nothing or one short result. A server that refuses at
//! AUTHENTICATE sends no proof.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::who;
use crate::case::Case;
use crate::facts::{Facts, Seen};
use crate::input::Direction;
use crate::wire::x224::Protocols;

pub(super) const BAD_CREDENTIALS: Detector = Detector {
    id: "nla-bad-credentials",
    kind: Kind::Definition,
    class: Class::Credentials,
    // A server may think long about a refusal: longer than the client's patience.
    explains: &[
        "clean-close-no-reason",
        "rst-genuine-",
        "truncated-tls",
        "unanswered-turn",
        "server-stall",
    ],
    remedy: "Check user name (with its domain), password, and whether the account is locked, expired or not allowed to log on by Remote Desktop.",
    next: &[Next {
        what: "why the server refused the logon (on the server, read-only)",
        command: Some(
            "Get-WinEvent -FilterHashtable @{LogName='Security';Id=4625} -MaxEvents 3 | Format-List TimeCreated,Message",
        ),
    }],
    detect: bad_credentials,
};

pub(super) const PUBKEY_MISMATCH: Detector = Detector {
    id: "credssp-pubkey-mismatch",
    kind: Kind::Cause,
    class: Class::Interference,
    explains: &["clean-close-no-reason", "rst-genuine-client", "nla-bad-credentials"],
    remedy: "Exempt Remote Desktop from TLS inspection: inspection and NLA exclude each other by design.",
    next: &[Next {
        what: "whether client and server see the same certificate: compare its SHA-256 with the server's own store",
        command: Some(
            "Get-ChildItem 'Cert:\\LocalMachine\\Remote Desktop' | Format-List Subject,NotAfter,Thumbprint",
        ),
    }],
    detect: pubkey_mismatch,
};

/// A proof of the key is no shorter: a TSRequest of 59 bytes (a SHA-256 of 32 under a signature of 16, since version 5;
/// MS-CSSP 2.2.1, 3.1.5), and with what TLS 1.3 adds 76.
const LEAST_PROOF: u32 = 70;
/// An error is no longer: its code, and beside it a token of SPNEGO's. In between, who ends it tells: a server that has
/// proved its key waits for the credentials.
const LONGEST_ERROR: u32 = 90;
/// An AUTHENTICATE message with its proof is longer than this.
const AUTHENTICATE: u32 = 300;

/// The turns of the dialogue behind the handshake: sender and bytes, neighbours of one sender added up.
/// Session tickets and alerts are no turns.
fn turns(facts: &Facts) -> Vec<(Direction, u32)> {
    /// Records as short as an alert say nothing.
    const ALERT: u16 = 32;
    let mut turns: Vec<(Direction, u32)> = Vec::new();
    let mut client_began = false;
    for &(dir, length) in &facts.tls.dialogue {
        client_began |= dir == Direction::ToServer && length > ALERT;
        // What a TLS 1.3 server says before the client's first word are its tickets.
        if length <= ALERT || !client_began {
            continue;
        }
        match turns.last_mut() {
            Some((last, sum)) if *last == dir => *sum += u32::from(length),
            _ => turns.push((dir, length.into())),
        }
    }
    turns
}

/// The dialogue ended behind the client's AUTHENTICATE, and the server sent no proof of its own.
fn refused_at_authenticate(facts: &Facts) -> Option<(u32, u32)> {
    let turns = turns(facts);
    let (client, server) = (Direction::ToServer, Direction::ToClient);
    let by_server = facts.ending().is_some_and(|ending| ending.dir == server);
    let is_error = |answer| answer < LEAST_PROOF || answer < LONGEST_ERROR && by_server;
    match *turns.as_slice() {
        [(a, _), (b, _), (c, said)] if (a, b, c) == (client, server, client) => Some((said, 0)),
        [(a, _), (b, _), (c, said), (d, answer)]
            if (a, b, c, d) == (client, server, client, server) && is_error(answer) =>
        {
            Some((said, answer))
        }
        _ => None,
    }
    .filter(|(said, _)| *said >= AUTHENTICATE)
}

fn is_nla(facts: &Facts) -> bool {
    facts.x224.selected().is_some_and(Protocols::is_nla) && facts.tls.is_established()
}

pub(super) fn bad_credentials(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let ending = facts.ending().filter(|ending| !ending.both)?;
    let (said, answer) = refused_at_authenticate(facts).filter(|_| is_nla(facts))?;
    // The server decides: it closes, or it said that it would.
    let alerted = facts.tls.last_alert(Direction::ToClient).is_some() || answer > 0;
    if ending.dir == Direction::ToServer && !alerted {
        return None;
    }
    let proof = Evidence::at(
        ending.at,
        format!(
            "behind the client's AUTHENTICATE message ({said} bytes) the server sent {answer} bytes and ended: no proof of its key, which a server sends that accepts the credentials"
        ),
    );
    Some(
        Opinion::new(
            Band::Possible,
            "The server refused the credentials during Network Level Authentication: user name, password or account.",
        )
        .party(Party::Server, Band::Possible)
        .supports(proof)
        .supports(who::ended(ending))
        .unknown("which of them, and whether a TLS inspection on the way made the proof fail: the dialogue is encrypted"),
    )
}

/// The client leaves right behind the server's proof, and does not come back.
fn pubkey_mismatch(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    if !is_nla(facts) || case.later().next().is_some() {
        return None;
    }
    let ending = facts.ending().filter(|ending| !ending.both)?;
    let turns = turns(facts);
    let (client, server) = (Direction::ToServer, Direction::ToClient);
    let left_at_proof = ending.dir == client
        && matches!(*turns.as_slice(), [(a, _), (b, _), (c, said), (d, proof)]
            if (a, b, c, d) == (client, server, client, server) && said >= AUTHENTICATE && proof >= LEAST_PROOF);
    let refused = refused_at_authenticate(facts).is_some();
    if !left_at_proof && !refused {
        return None;
    }
    let fact = if left_at_proof {
        "the client left right behind what has the length of the server's proof of its key, and sent no credentials"
    } else {
        "the server ended behind the client's proof of the key that it sees"
    };
    let seen = Seen { value: (), at: ending.at };
    Some(
        Opinion::new(
            Band::Weak,
            "Something between client and server may open TLS: the key that the client sees is then not the one it authenticates to.",
        )
        .party(who::network(facts, server), Band::Possible)
        .supports(Evidence::of(&seen, fact))
        .unknown("whether client and server see the same certificate"),
    )
}
