//! A device in the path changes the client's list of cipher suites; the two ends then disagree on what was said,
//! and the handshake dies.

use crate::boxes::{freerdp, packets, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Leg, Plan, RELAY, Recipe, Server, Vantage, Why};
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "clienthello-rewritten",
    row: "clienthello-rewritten",
    decoys: &["tls-record-tampered", "no-common-cipher"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // A suite that both ends know and would not choose: only the transcript differs.
    let (versions, suite) = draw.of_half(
        &[("TLSv1.2", "0x009d"), ("TLSv1.2, TLSv1.3", "0x1303")],
        &[("TLSv1.2, TLSv1.3", "0x009d")],
    );
    plan.server = Server::Xrdp(Options { ssl_protocols: versions, ..xrdp(draw) });
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    let leg = Leg::drawn(draw);
    plan.note("box", format!("without {suite}, {versions}, {leg:?} leg"));
    let arguments = format!("--from client --hello no-cipher={suite}");
    plan.fault = vec![packets(&plan, leg, "tamper.py", &arguments)];
    let seen = Expected { why: Why::Perhaps("clienthello-rewritten"), ..FAILED };
    let ends = leg.ends().map(Vantage::At);
    plan.hint(&[&ends[..], &RELAY].concat(), seen.clone());
    let proven = Why::Is("clienthello-rewritten");
    plan.label(&[leg.pair()], Expected { party: leg.network(), why: proven, ..seen });
    plan
}
