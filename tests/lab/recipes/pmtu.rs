//! A link of the way takes only small packets, and the ICMP messages that say so are lost. The clean
//! twin has the same link and lets the messages through.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Step, Vantage, Why};
use crate::topology::Ip;
use std::time::Duration;

pub const TO_CLIENT: Recipe = Recipe {
    name: "pmtu-blackhole-s2c",
    row: "pmtu-blackhole-s2c",
    decoys: &["server-stall", "payload-trigger-drop", "packet-loss"],
    smoke: false,
    plan: to_client,
};

pub const TO_SERVER: Recipe = Recipe {
    name: "pmtu-blackhole-c2s",
    row: "pmtu-blackhole-c2s",
    decoys: &["payload-trigger-drop", "service-down-after-accept"],
    smoke: false,
    plan: to_server,
};

fn to_client(draw: &mut Draw) -> Plan {
    // The server's first flight of TLS has 700 bytes at least.
    let mtu = draw.range_of_half([560, 640], [520, 555]);
    let mut plan = narrow(draw, mtu, ["10.77.3.0/24", "m2p"]);
    let seen = Expected {
        what: &["pmtu-blackhole-s2c"],
        why: Why::Perhaps("pmtu-blackhole-s2c"),
        ..FAILED
    };
    let [near, far] = Leg::Server.ends().map(Vantage::At);
    let network = Leg::Server.network();
    // Where the first flight is one packet, it gets lost without a trace: on the client's side of the narrow
    // link that looks like a server which does not answer.
    plan.hint(&RELAY, Expected { party: network, ..seen.clone() });
    plan.hint(&[near], Expected { party: NETWORK, ..seen.clone() });
    plan.label(&[far], Expected { party: NETWORK, ..seen.clone() });
    plan.label(&[Leg::Server.pair()], Expected { party: network, ..seen });
    plan
}

fn to_server(draw: &mut Draw) -> Plan {
    // A ClientHello has 300 bytes at least.
    let mtu = draw.range_of_half([240, 320], [200, 235]);
    let mut plan = narrow(draw, mtu, ["10.77.4.0/24", "m2s"]);
    let seen = Expected {
        reached: &["tls_client_hello"],
        what: &["pmtu-blackhole-c2s"],
        why: Why::Perhaps("pmtu-blackhole-c2s"),
        ..FAILED
    };
    // The hello is one packet. Whether it got lost for its size or for what it says is not to be seen anywhere;
    // the server's own capture shows a client that says nothing more.
    let [near, _] = Leg::Server.ends().map(Vantage::At);
    let network = Leg::Server.network();
    plan.hint(&[near], Expected { party: NETWORK, ..seen.clone() });
    plan.hint(&[&RELAY[..], &[Leg::Server.pair()]].concat(), Expected { party: network, ..seen });
    plan
}

/// The link behind M2 towards a network takes packets of `mtu` bytes.
fn narrow(draw: &mut Draw, mtu: u64, [network, interface]: [&str; 2]) -> Plan {
    let mut plan = Plan::sound(draw);
    // IPv6 has no links below 1280 bytes.
    plan.ip = Ip::V4;
    let router = Leg::Server.router();
    plan.note("mtu", mtu);
    plan.callers[0].lasts = Duration::from_secs(draw.between(13, 15));
    plan.setting.push(Step::Sh(
        router,
        format!("ip route replace {network} dev {interface} mtu lock {mtu}"),
    ));
    // The router says nothing; or what it says is dropped one step further, or at the door.
    let hook = draw.of_half(&["output", "postrouting"], &["egress"]);
    plan.note("hook", hook);
    plan.fault = vec![if hook == "egress" {
        let chain = |port| {
            format!(
                "nft 'add chain netdev quiet {port} {{ type filter hook egress device {port} priority 0; }}; \
                 add rule netdev quiet {port} icmp type destination-unreachable drop'"
            )
        };
        let lines = ["nft add table netdev quiet".to_owned(), chain("m2p"), chain("m2s")];
        Step::Sh(router, lines.join("\n"))
    } else {
        Step::Nft(
            router,
            format!(
                "chain o {{ type filter hook {hook} priority filter\n icmp type destination-unreachable drop\n }}"
            ),
        )
    }];
    plan
}
