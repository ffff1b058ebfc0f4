//! A router forgets the connection while the user reads the certificate, and drops what comes after,
//! or answers it with a RST in the other's name.

use crate::draw::Draw;
use crate::recipe::{
    Caller, Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Server, Step, Vantage, Why,
};
use crate::support::certs::Kind;
use crate::support::clients::Client;
use crate::support::xrdp::{Options, SOUND};
use crate::topology::Ip;
use std::time::Duration;

pub const SILENT: Recipe = Recipe {
    name: "idle-timeout-silent",
    row: "idle-timeout-silent",
    decoys: &["server-stall", "payload-trigger-drop"],
    smoke: false,
    plan: silent,
};

pub const RST: Recipe = Recipe {
    name: "idle-timeout-rst",
    row: "idle-timeout-rst",
    decoys: &["rst-genuine-server", "rst-injected-toclient"],
    smoke: false,
    plan: rst,
};

fn silent(draw: &mut Draw) -> Plan {
    let mut plan = forgotten(draw, "ct state invalid drop");
    let seen = Expected {
        what: &["idle-timeout-silent"],
        why: Why::Perhaps("idle-timeout-silent"),
        ..FAILED
    };
    let [near, _] = Leg::Server.ends();
    plan.label(&RELAY, Expected { party: Leg::Server.network(), ..seen.clone() });
    plan.hint(&[Vantage::At(near)], Expected { party: NETWORK, ..seen.clone() });
    plan.label(&[Leg::Server.pair()], Expected { party: Leg::Server.network(), ..seen });
    plan.first_only();
    plan
}

fn rst(draw: &mut Draw) -> Plan {
    let mut plan = forgotten(
        draw,
        "ct state invalid tcp flags & rst == 0 reject with tcp reset\n ct state invalid drop",
    );
    let network = Leg::Server.network();
    let seen = Expected {
        from: &["server"],
        what: &["idle-timeout-rst"],
        why: Why::Perhaps("idle-timeout-rst"),
        ..FAILED
    };
    let [near, _] = Leg::Server.ends();
    // Over IPv4 a relay without captures cannot tell whose RST it was.
    plan.hint(
        &[Vantage::Relay],
        Expected {
            what: &["idle-timeout-rst", "rst-genuine-server"],
            party: network,
            ..seen.clone()
        },
    );
    plan.label(&[Vantage::RelayPackets], Expected { party: network, ..seen.clone() });
    plan.hint(&[Vantage::At(near)], Expected { party: NETWORK, ..seen.clone() });
    plan.label(
        &[Leg::Server.pair()],
        Expected { party: network, why: Why::Is("idle-timeout-rst"), ..seen },
    );
    plan.first_only();
    plan
}

/// How a router forgets all that was said before: another one takes its place.
const ANOTHER: &str = "another router";

/// A router that forgets a connection which says nothing for half a minute. What forgets sooner is no router
/// that anybody has.
fn forgotten(draw: &mut Draw, verdict: &str) -> Plan {
    let mut plan = Plan::sound(draw);
    let client = draw.of_half(&[Client::Xfreerdp], &[Client::Xfreerdp3]);
    let certificate = draw.of_half(&[Kind::Good, Kind::Ec], &[Kind::Ec384]);
    plan.server = Server::Xrdp(Options { certificate, ..SOUND });
    let limit = draw.range_of_half([30, 37], [40, 43]);
    let thinks = Duration::from_millis(limit * 1000 + draw.between(2000, 2600));
    plan.note("limit", format!("{limit} s, user thinks {thinks:?}, {client:?}"));
    plan.callers = vec![Caller::asking(client, &plan.server, thinks)];
    plan.callers[0].lasts = thinks + Duration::from_secs(14);
    // The user tries again, and has no more to read.
    plan.callers.push(Caller::of(client, &plan.server));
    let times = "nf_conntrack_tcp_timeout";
    let mut settings = "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0".to_owned();
    // Its entry runs out, it forgets everything, or somebody takes the one entry out; or another router takes
    // over, which knows of no connection.
    let conntrack = ["runs out", "-F", "-D -p tcp --dport {port}"];
    let how = draw.of_half(&conntrack, &[ANOTHER]);
    plan.note("how", how);
    if how == "runs out" {
        for state in ["established", "unacknowledged", "max_retrans"] {
            settings += &format!(" net.netfilter.{times}_{state}={limit}");
        }
    }
    let router = Leg::Server.router();
    plan.fault = vec![
        Step::Sh(router, settings),
        Step::Nft(
            router,
            format!(
                "chain f {{ type filter hook forward priority filter\n tcp dport {{port}} {verdict}\n tcp sport {{port}} {verdict}\n }}"
            ),
        ),
    ];
    if how != "runs out" {
        let family = if plan.ip == Ip::V4 { "ipv4" } else { "ipv6" };
        let port = plan.port.to_string();
        let line = match how {
            ANOTHER => "nft 'table inet other { chain z { type filter hook prerouting priority raw\n ct zone set 7\n }\n }'".to_owned(),
            _ => format!("conntrack {} -f {family} >/dev/null 2>&1", how.replace("{port}", &port)),
        };
        let network = thinks.saturating_sub(Duration::from_millis(1500));
        plan.act = Some(Box::new(move |scene| {
            std::thread::sleep(network);
            scene.network.sh(router, &line);
        }));
    }
    plan
}
