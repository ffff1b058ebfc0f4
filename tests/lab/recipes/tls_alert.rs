//! A server ends the handshake with an alert that says no more than its number.

use crate::boxes::{freerdp, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "tls-alert-80",
    row: "tls-alert-80",
    decoys: &["no-common-version", "data-injected"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    // What OpenSSL itself does not allow its server.
    let versions = draw.of_half(&["TLSv1"], &["TLSv1.1"]);
    plan.faulty_server = Some(Server::Xrdp(Options { ssl_protocols: versions, ..xrdp(draw) }));
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    plan.note("server", versions);
    plan.label(
        &everywhere(),
        Expected {
            reached: &["tls_client_hello"],
            what: &["tls-alert-80"],
            why: Why::Perhaps("no-common-version"),
            party: &["server"],
            ..FAILED
        },
    );
    plan
}
