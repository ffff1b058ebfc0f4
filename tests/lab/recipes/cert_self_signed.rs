//! A client refuses the server's self-signed certificate: nobody is there to be asked.

use crate::boxes::{freerdp, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, ENDS, Expected, FAILED, Plan, RELAY, Recipe, Server, Why};
use crate::support::certs::Kind;
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "cert-self-signed",
    row: "cert-self-signed",
    decoys: &["tls-cert-substituted", "client-declines"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let kind = draw.of_half(&[Kind::Good, Kind::Other, Kind::Ec], &[Kind::Ec384]);
    refused(draw, kind, &["cert-self-signed"])
}

/// A server with a certificate that its client does not accept, and what is to be found of it where the
/// version of TLS shows it.
pub fn refused(draw: &mut Draw, kind: Kind, finds: &'static [&'static str]) -> Plan {
    let mut plan = Plan::sound(draw);
    let versions = draw.one(&["TLSv1.2", "TLSv1.2", "TLSv1.2, TLSv1.3"]);
    let options = Options { ssl_protocols: versions, ..xrdp(draw) };
    plan.server = Server::Xrdp(options);
    plan.faulty_server = Some(Server::Xrdp(Options { certificate: kind, ..options }));
    let caller = Caller::of(freerdp(draw), &plan.server);
    plan.callers = vec![caller.clone()];
    plan.callers[0].arguments.retain(|word| word != "/cert:ignore");
    plan.sound_caller = Some(caller);
    plan.note("certificate", format!("{kind:?}, {versions}"));
    let finds = if versions == "TLSv1.2" { finds } else { &[] };
    // The client closes in order and says no word; nobody comes back.
    let seen = Expected {
        reached: &["tls_finished", "tls_encrypted"],
        what: &["clean-close-no-reason", "rst-genuine-client", "client-rehearsal-close"],
        why: Why::Perhaps("client-rejects-cert"),
        party: &["client"],
        finds,
        ..FAILED
    };
    plan.label(&ENDS[..2], seen.clone());
    plan.label(&RELAY, seen.clone());
    // On the other leg the server's answer to the close_notify can overtake the FIN behind it.
    plan.label(&ENDS[2..], Expected { party: &[], ..seen });
    plan
}
