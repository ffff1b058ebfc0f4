//! A router lets every packet pass but those with a certain content: the X.224 request or the
//! ClientHello. The connection is up, and what matters never arrives.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Step, Vantage, Why};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "payload-trigger-drop",
    row: "payload-trigger-drop",
    decoys: &["service-down-after-accept", "pmtu-blackhole-c2s", "server-stall"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // The code of a connection request in the sixth byte; a TLS record of handshake messages.
    let hook = draw.of_half(&["forward priority filter"], &["prerouting priority mangle"]);
    let (trigger, reached): (_, &[&str]) = draw.of_half(
        &[("@ih,40,8 0xe0", &["x224_request"][..]), ("@ih,0,16 0x1603", &["tls_client_hello"][..])],
        // `Cookie: ` at its place in the request; a record of handshake whose message is a hello.
        &[
            ("@ih,88,64 0x436f6f6b69653a20", &["x224_request"][..]),
            ("@ih,0,8 0x16 @ih,40,8 0x01", &["tls_client_hello"][..]),
        ],
    );
    plan.note("trigger", format!("{trigger}, {hook}"));
    plan.fault = vec![Step::Nft(
        Leg::Server.router(),
        format!(
            "chain f {{ type filter hook {hook}\n \
             tcp dport {{port}} {trigger} drop\n }}"
        ),
    )];
    plan.callers[0].lasts = Duration::from_secs(draw.between(13, 15));
    let seen = Expected {
        reached,
        what: &["payload-trigger-drop"],
        why: Why::Perhaps("payload-trigger-drop"),
        ..FAILED
    };
    let [near, far] = Leg::Server.ends();
    plan.hint(&RELAY, Expected { party: Leg::Server.network(), ..seen.clone() });
    plan.hint(&[Vantage::At(near)], Expected { party: NETWORK, ..seen.clone() });
    // A server's own capture shows a client that says nothing, or nothing more.
    plan.hint(&[Vantage::At(far)], Expected { party: &["unknown"], ..FAILED });
    // A request is too small to be lost for its size; a hello is not.
    let pair = Expected { party: Leg::Server.network(), ..seen };
    if reached == ["x224_request"] {
        plan.label(&[Leg::Server.pair()], pair);
    } else {
        plan.hint(&[Leg::Server.pair()], pair);
    }
    plan
}
