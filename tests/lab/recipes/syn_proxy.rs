//! A firewall completes handshakes in the name of a server that does not listen.

use crate::draw::Draw;
use crate::recipe::{
    Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Server, Step, Vantage, Why,
};
use crate::topology::{Ip, Node};

pub const RECIPE: Recipe = Recipe {
    name: "syn-proxy-fake-open",
    row: "syn-proxy-fake-open",
    decoys: &["tcp-refused-rst", "lb-no-backend"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.faulty_server = Some(Server::Nobody);
    // Over IPv6 this kernel's synproxy answers no SYN: that is another fault.
    plan.ip = Ip::V4;
    let options = draw.of_half(
        &[
            "mss 1460 wscale 7 timestamp sack-perm",
            "mss 1460 wscale 8 timestamp sack-perm",
            "mss 1460 wscale 5 timestamp sack-perm",
        ],
        &["mss 1400 wscale 3 sack-perm"],
    );
    plan.note("options", options);
    plan.fault = vec![
        Step::Sh(Node::M2, "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0".into()),
        Step::Nft(
            Node::M2,
            format!(
                "chain r {{ type filter hook prerouting priority raw\n \
                 tcp dport {{port}} tcp flags syn notrack\n }}\n\
                 chain f {{ type filter hook forward priority filter\n \
                 tcp dport {{port}} ct state invalid,untracked \
                 synproxy {options}\n \
                 ct state invalid drop\n }}"
            ),
        ),
    ];
    let seen = Expected {
        what: &["syn-proxy-fake-open"],
        why: Why::Perhaps("syn-proxy-fake-open"),
        ..FAILED
    };
    let [near, _] = Leg::Server.ends();
    // One side alone does not show who sent which segment, and three segments are no baseline.
    let what = &["syn-proxy-fake-open", "lb-no-backend", "rst-genuine-server"];
    let alone = Expected { what, ..seen.clone() };
    plan.hint(&RELAY, Expected { party: Leg::Server.network(), ..alone.clone() });
    plan.hint(&[Vantage::At(near)], Expected { party: NETWORK, ..alone });
    plan.label(
        &[Leg::Server.pair()],
        Expected { party: Leg::Server.network(), why: Why::Is("syn-proxy-fake-open"), ..seen },
    );
    plan
}
