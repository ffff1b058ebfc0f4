//! The server's certificate is broken: it does not parse, its signature is wrong, or its key or its signature is too
//! weak.

use crate::boxes::{freerdp, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, ENDS, Expected, FAILED, Plan, RELAY, Recipe, Server, Why};
use crate::support::certs::Kind;
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "cert-malformed",
    row: "cert-malformed",
    decoys: &["cert-self-signed", "tls-record-tampered"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let sound = Options { ssl_protocols: "TLSv1.2", ..xrdp(draw) };
    plan.server = Server::Xrdp(sound);
    let certificate = draw.of_half(
        &[Kind::Timeless, Kind::Spoilt, Kind::Rsa("2048", "md5"), Kind::Rsa("512", "sha256")],
        &[Kind::Rsa("768", "sha256"), Kind::Rsa("1024", "md5")],
    );
    plan.note("certificate", format!("{certificate:?}"));
    plan.faulty_server = Some(Server::Xrdp(Options { certificate, legacy_openssl: true, ..sound }));
    let caller = Caller::of(freerdp(draw), &plan.server);
    plan.callers = vec![caller.clone()];
    plan.callers[0].arguments.retain(|word| word != "/cert:ignore");
    plan.sound_caller = Some(caller);
    // FreeRDP, which looks at it, knows of the authority only that it does not know it.
    let why = Why::Perhaps("client-rejects-cert");
    let seen = Expected { why, finds: &["cert-malformed"], ..FAILED };
    plan.label(&[&ENDS[..], &RELAY].concat(), seen);
    plan
}
