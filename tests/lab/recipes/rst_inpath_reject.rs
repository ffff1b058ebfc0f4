//! A firewall in the path answers what it does not want with a RST in the server's name; the server
//! never sees it.

use crate::boxes::packets;
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Step, Vantage, Why};

pub const RECIPE: Recipe = Recipe {
    name: "rst-inpath-reject",
    row: "rst-inpath-reject",
    decoys: &["rst-genuine-server", "rst-injected-toclient"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    let port = leg.port(&plan);
    // A TPKT packet with a connection request; a TLS record of handshake messages.
    let (trigger, reached): (_, &[&str]) = draw.one(&[
        ("@ih,40,8 0xe0", &["x224_request"][..]),
        ("@ih,0,16 0x1603", &["tls_client_hello"][..]),
    ]);
    // A rule of the kernel; or a program that reads the hello.
    let how = draw.of_half(
        &["rule", "--dislikes longer:1 --reacts rst --ttl 61"],
        &["--dislikes tls13 --reacts rst-client --ttl 127"],
    );
    plan.note("box", format!("{trigger}, {how}, {leg:?} leg"));
    plan.fault = match how {
        "rule" => vec![Step::Nft(
            leg.router(),
            format!(
                "chain f {{ type filter hook forward priority filter\n \
                 tcp dport {port} {trigger} reject with tcp reset\n }}"
            ),
        )],
        arguments => vec![packets(&plan, leg, "picky.py", arguments)],
    };
    let reached = if how == "rule" { reached } else { &["tls_client_hello"] };
    let seen = Expected {
        reached,
        from: &["server"],
        what: &["rst-inpath-reject"],
        why: Why::Perhaps("rst-inpath-reject"),
        party: NETWORK,
        ..FAILED
    };
    let [near, _] = leg.ends().map(Vantage::At);
    let doubtful = &[
        "rst-inpath-reject",
        "rst-injected-toclient",
        "rst-genuine-server",
        "rst-of-unclear-origin",
    ];
    plan.hint(&[near], Expected { what: doubtful, ..seen.clone() });
    if reached == ["x224_request"] {
        // Nothing of the session came to the server's side by which it would be known again.
        plan.hint(&[leg.pair()], Expected { what: doubtful, party: leg.network(), ..seen.clone() });
    } else {
        let proven = Why::Is("rst-inpath-reject");
        plan.label(&[leg.pair()], Expected { party: leg.network(), why: proven, ..seen.clone() });
    }
    if leg == Leg::Server {
        plan.hint(&RELAY, Expected { what: doubtful, party: leg.network(), ..seen });
    }
    // A client may come again without TLS, which nobody minds.
    plan.first_only();
    plan
}
