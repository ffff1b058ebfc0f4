//! A device in the path ends TLS and shows the client a certificate of its own. The client accepts it, or
//! refuses.

use crate::boxes::{came_up, freerdp, relay};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Leg, Plan, RELAY, Recipe, Server, Vantage, Why};
use crate::support::xrdp::{Options, SOUND};

pub const RECIPE: Recipe = Recipe {
    name: "tls-cert-substituted",
    row: "tls-cert-substituted",
    decoys: &["client-declines", "cert-self-signed"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    terminated(draw, "foreign", "tls-cert-substituted", &["tls-cert-substituted"])
}

/// A server behind a terminator with this certificate.
pub fn terminated(
    draw: &mut Draw,
    certificate: &str,
    row: &'static str,
    finds: &'static [&'static str],
) -> Plan {
    let mut plan = Plan::sound(draw);
    let versions = draw.one(&["TLSv1.2", "TLSv1.2, TLSv1.3"]);
    plan.server = Server::Xrdp(Options { ssl_protocols: versions, ..SOUND });
    let accepts = draw.one(&[true, false]);
    let caller = Caller::of(freerdp(draw), &plan.server);
    let leg = Leg::drawn(draw);
    plan.note("box", format!("{certificate}, {versions}, {leg:?} leg, accepted {accepts}"));
    plan.fault = relay(&plan, leg, "terminate.py", &format!("--certificate {certificate}"));
    plan.sound_caller = Some(caller.clone());
    plan.callers = vec![caller];
    // TLS 1.3 shows a certificate to the ends alone.
    let hidden = versions != "TLSv1.2";
    let why = Why::Is(if hidden { "clienthello-rewritten" } else { row });
    let pair_finds: &[&str] =
        if hidden { &["clienthello-rewritten", "tls-stack-mismatch"] } else { finds };
    let ends = leg.ends().map(Vantage::At);
    if accepts {
        plan.label(&[&ends[..], &RELAY].concat(), came_up(&[]));
        plan.label(&[leg.pair()], came_up(pair_finds));
        return plan;
    }
    // Nobody is there to be asked.
    plan.callers[0].arguments.retain(|word| word != "/cert:ignore");
    let seen = Expected {
        reached: &["tls_finished", "tls_encrypted", "tls_server_hello"],
        why: Why::Perhaps("client-rejects-cert"),
        ..FAILED
    };
    plan.hint(&[&[ends[0]], &RELAY[..]].concat(), seen.clone());
    plan.label(&[leg.pair()], Expected { finds: pair_finds, party: leg.network(), why, ..seen });
    plan
}
