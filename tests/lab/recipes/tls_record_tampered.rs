//! A device in the path, or a broken one, changes a byte of an encrypted record; TCP's checksums are right.

use crate::boxes::{freerdp, packets, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Leg, Plan, RELAY, Recipe, Server, Vantage, Why};
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "tls-record-tampered",
    row: "tls-record-tampered",
    decoys: &["rst-genuine-client", "client-declines"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let versions = draw.one(&["TLSv1.2", "TLSv1.2, TLSv1.3"]);
    plan.server = Server::Xrdp(Options { ssl_protocols: versions, ..xrdp(draw) });
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    let leg = Leg::drawn(draw);
    let from = draw.one(&["client", "server"]);
    let mask = draw.of_half(&["0xff"], &["0x01", "0x80"]);
    // In TLS 1.3 the first encrypted records are still the handshake's.
    let record = draw.between(1, 3);
    plan.note("box", format!("record {record} of the {from}, {versions}, {leg:?} leg"));
    let arguments = format!("--from {from} --record application:{record} --mask {mask}");
    plan.fault = vec![packets(&plan, leg, "tamper.py", &arguments)];
    let seen = Expected { why: Why::Perhaps("tls-record-tampered"), ..FAILED };
    let ends = leg.ends().map(Vantage::At);
    plan.hint(&[&ends[..], &RELAY].concat(), seen.clone());
    let proven = Why::Is("tls-record-tampered");
    plan.label(&[leg.pair()], Expected { party: leg.network(), why: proven, ..seen });
    plan
}
