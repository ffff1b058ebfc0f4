//! A device in the path ends TLS and shows the client a certificate of its own. The client accepts it, or
//! refuses.

use crate::boxes::{came_up, freerdp, relay, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Leg, Plan, RELAY, Recipe, Server, Vantage, Why};
use crate::support::xrdp::Options;
use std::time::Duration;

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
    // What the server speaks, and the box at most: it may give the client more than it gets.
    let (versions, highest) =
        draw.one(&[("TLSv1.2", "1.2"), ("TLSv1.2", "1.3"), ("TLSv1.2, TLSv1.3", "1.3")]);
    plan.server = Server::Xrdp(Options { ssl_protocols: versions, ..xrdp(draw) });
    let accepts = draw.one(&[true, false]);
    let caller = Caller::of(freerdp(draw), &plan.server);
    let leg = Leg::drawn(draw);
    plan.note(
        "box",
        format!("{certificate}, {versions}, at most {highest}, {leg:?} leg, accepted {accepts}"),
    );
    let arguments = format!("--certificate {certificate} --highest {highest}");
    plan.fault = relay(&plan, leg, "terminate.py", &arguments);
    plan.sound_caller = Some(caller.clone());
    plan.callers = vec![caller];
    // The box needs its time.
    plan.callers[0].lasts = Duration::from_secs(8);
    // TLS 1.3 shows a certificate to the ends alone.
    let shown = highest == "1.2";
    let pair_finds: &[&str] =
        if shown { finds } else { &["clienthello-rewritten", "tls-stack-mismatch"] };
    // A box that ends TLS makes a hello of its own; where the certificate is hidden there is nothing else to name.
    let also = if shown { &[][..] } else { pair_finds };
    let ends = leg.ends().map(Vantage::At);
    if accepts {
        plan.label(&[&ends[..], &RELAY].concat(), came_up(&[]));
        plan.label(&[leg.pair()], Expected { also: pair_finds, ..came_up(pair_finds) });
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
    plan.label(
        &[leg.pair()],
        Expected { finds: pair_finds, party: leg.network(), why: Why::Perhaps(row), also, ..seen },
    );
    plan
}
