//! A device in the path ends TLS and answers the client in another way than the server would: in TLS 1.2 where the
//! server speaks 1.3, or the other way round.

use crate::boxes::{came_up, freerdp, relay, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, ESTABLISHED, Expected, Leg, Plan, Recipe, Server, Why, everywhere};
use crate::support::xrdp::Options;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "tls-stack-mismatch",
    row: "tls-stack-mismatch",
    decoys: &["tls-version-downgrade", "clienthello-rewritten"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // What the server speaks, and the newest that the box gives its client.
    let (versions, arguments) = draw.of_half(
        &[("TLSv1.2", "--highest 1.3"), ("TLSv1.2, TLSv1.3", "--highest 1.2 --legs client")],
        &[("TLSv1.3", "--highest 1.2 --legs client --ciphers ECDHE-RSA-AES128-GCM-SHA256")],
    );
    plan.server = Server::Xrdp(Options { ssl_protocols: versions, ..xrdp(draw) });
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    // The box needs its time.
    plan.callers[0].lasts = Duration::from_secs(8);
    let leg = Leg::drawn(draw);
    plan.note("box", format!("{arguments}, {versions}, {leg:?} leg"));
    plan.fault = relay(&plan, leg, "terminate.py", &format!("--certificate foreign {arguments}"));
    plan.label(&everywhere(), ESTABLISHED);
    // It ends TLS, so that hello and certificate are its own as well.
    let also: &[&str] = &[
        "tls-stack-mismatch",
        "tls-version-downgrade",
        "clienthello-rewritten",
        "tls-cert-substituted",
    ];
    let found = came_up(&["tls-stack-mismatch"]);
    plan.label(&[leg.pair()], Expected { also, why: Why::Perhaps("tls-stack-mismatch"), ..found });
    plan
}
