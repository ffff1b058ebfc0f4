//! xrdp has a key that does not belong to its certificate: it answers the ClientHello in clear.

use crate::boxes::xrdp;
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::certs::Kind;
use crate::support::clients::Client;
use crate::support::xrdp::{Key, Options, SOUND};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "cert-key-mismatch",
    row: "tls-plaintext-after-hello",
    decoys: &["rst-genuine-server"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // A certificate that OpenSSL refuses for its size is met with the same words.
    let (certificate, key) = draw.of_half(
        &[(Kind::Good, Key::Foreign), (Kind::Weak, Key::Own)],
        &[(Kind::Ec384, Key::Foreign)],
    );
    plan.server = Server::Xrdp(xrdp(draw));
    plan.faulty_server = Some(Server::Xrdp(Options { certificate, key, ..SOUND }));
    let client = draw.of_half(&[Client::Xfreerdp], &[Client::Xfreerdp3]);
    plan.callers =
        vec![Caller { lasts: Duration::from_secs(10), ..Caller::of(client, &plan.server) }];
    plan.note("certificate", format!("{certificate:?}, key {key:?}"));
    plan.label(
        &everywhere(),
        Expected {
            reached: &["tls_client_hello"],
            what: &["tls-plaintext-after-hello"],
            why: Why::Perhaps("cert-key-inaccessible"),
            party: &["server"],
            ..FAILED
        },
    );
    plan
}
