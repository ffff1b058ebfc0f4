//! A client refuses the server's certificate and says so with an alert.

use crate::boxes::{with, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::clients::Client;
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "client-rejects-cert",
    row: "client-rejects-cert",
    decoys: &["client-rehearsal-close", "tls-record-tampered"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let versions = draw.one(&["TLSv1.2", "TLSv1.2, TLSv1.3"]);
    plan.server = Server::Xrdp(Options { ssl_protocols: versions, ..xrdp(draw) });
    plan.sound_caller = Some(Caller::for_server(draw, &plan.server));
    let stack = draw.of_half(&["openssl"], &["gnutls"]);
    let hello = Caller::of(Client::Hello, &plan.server);
    plan.callers = vec![with(&hello, &["--verify", "--stack", stack])];
    plan.note("client", format!("{stack}, {versions}"));
    // OpenSSL's alert says that the authority is unknown, and the certificate shows that it is its own.
    // In TLS 1.3 both are encrypted.
    let why = if stack == "openssl" && versions == "TLSv1.2" {
        Why::Is("cert-self-signed")
    } else {
        Why::Perhaps("client-rejects-cert")
    };
    let alerts: &[&str] =
        if versions == "TLSv1.2" { &["tls-alert-48", "tls-alert-42"] } else { &[] };
    // Which certificate it is shows where the capture holds it.
    let also = &["client-rejects-cert"];
    plan.label(&everywhere(), Expected { what: alerts, also, why, party: &["client"], ..FAILED });
    plan
}
