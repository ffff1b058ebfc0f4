//! A router rejects the SYN with an ICMP message.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Step, Vantage, Why};
use crate::topology::Ip;

pub const RECIPE: Recipe = Recipe {
    name: "icmp-reject",
    row: "icmp-reject",
    decoys: &["tcp-refused-rst", "tcp-syn-drop"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.ip = draw.one(&[Ip::V4, Ip::V4, Ip::V6]);
    let kind = match plan.ip {
        Ip::V4 => draw.of_half(
            &[
                "port-unreachable",
                "host-unreachable",
                "admin-prohibited",
                "net-unreachable",
                "prot-unreachable",
                "host-prohibited",
            ],
            &["route unreachable", "route prohibit"],
        ),
        Ip::V6 => draw.of_half(
            &["port-unreachable", "admin-prohibited", "no-route"],
            &["route unreachable", "route prohibit"],
        ),
    };
    let family = if plan.ip == Ip::V4 { "icmp" } else { "icmpv6" };
    let leg = Leg::drawn(draw);
    let port = leg.port(&plan);
    let far = if leg == Leg::Client { "{listen_ip}" } else { "{server_ip}" };
    plan.fault = vec![match kind.strip_prefix("route ") {
        Some(route) => Step::Sh(leg.router(), format!("ip route replace {route} {far}")),
        None => Step::Nft(
            leg.router(),
            format!(
                "chain f {{ type filter hook forward priority filter\n \
                 tcp dport {port} reject with {family} {kind}\n }}"
            ),
        ),
    }];
    plan.note("kind", format!("{family} {kind}, {leg:?} leg"));
    let seen = Expected { what: &["icmp-reject"], why: Why::Perhaps("icmp-reject"), ..FAILED };
    if leg == Leg::Server {
        let party = leg.network();
        plan.label(&RELAY, Expected { reached: &["tcp", "x224_request"], party, ..seen.clone() });
    }
    let [near, _] = leg.ends();
    plan.label(&[Vantage::At(near)], Expected { reached: &["none"], party: NETWORK, ..seen });
    plan
}
