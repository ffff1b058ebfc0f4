//! Ways that are lossy, slow, or out of order: by a program in user space, by a router's rules or by its queue.

use super::server_says::{certificate, server};
use crate::boxes::freerdp;
use crate::draw::{Draw, Half};
use crate::recipe::{
    Caller, ESTABLISHED, Expected, FAILED, Leg, NETWORK, Plan, Program, RELAY, Ready, Recipe, Step,
    Vantage, Why, everywhere,
};
use std::time::Duration;

pub const LOSS: Recipe = Recipe {
    name: "packet-loss",
    row: "packet-loss",
    decoys: &["reordering-duplication", "pmtu-blackhole-s2c"],
    smoke: false,
    plan: loss,
};

pub const REORDERING: Recipe = Recipe {
    name: "reordering-duplication",
    row: "reordering-duplication",
    decoys: &["packet-loss"],
    smoke: false,
    plan: reordering,
};

pub const SLOW: Recipe = Recipe {
    name: "slow-path-timeout",
    row: "slow-path-timeout",
    decoys: &["server-stall"],
    smoke: false,
    plan: slow,
};

fn loss(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    match draw.half() {
        Half::Training if draw.one(&[true, false]) => {
            let (delay, seed) = (draw.between(5, 35), draw.between(1, 1_000_000));
            let percent = draw.between(8, 12);
            through(&mut plan, leg, &format!("delay={delay} loss={percent} seed={seed}"));
        }
        Half::Training => dropping_by_chance(&mut plan, leg, draw.between(8, 12)),
        Half::HeldOut => {
            plan.setting.push(certificate());
            plan.server = server(plan.port, &["plain"]);
            plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
            narrow_queue(&mut plan, leg, draw.between(1500, 3000));
        }
    }
    performance(plan, leg, &["packet-loss"])
}

/// A router that drops by chance, on a way without delay.
fn dropping_by_chance(plan: &mut Plan, leg: Leg, percent: u64) {
    let port = leg.port(plan);
    let drops = format!("numgen random mod 100 < {percent} drop");
    let rules = format!("tcp dport {port} {drops}\n tcp sport {port} {drops}");
    let chain = format!("chain f {{ type filter hook forward priority filter\n {rules}\n }}");
    plan.fault.push(Step::Nft(leg.router(), chain));
    plan.note("way", format!("{leg:?} leg, {drops}"));
}

/// A router whose line towards the client is slow, with a queue that holds four packets: what the server sends at
/// once overflows it.
fn narrow_queue(plan: &mut Plan, leg: Leg, kbit: u64) {
    let [towards_client, _] = leg.router_ports().map(crate::topology::Port::name);
    let queue = format!("tbf rate {kbit}kbit burst 3000 limit 6000");
    plan.fault
        .push(Step::Sh(leg.router(), format!("tc qdisc add dev {towards_client} root {queue}")));
    plan.note("way", format!("{leg:?} leg, {queue}"));
}

fn reordering(draw: &mut Draw) -> Plan {
    let percent = draw.range_of_half([5, 20], [8, 14]);
    let delay = draw.range_of_half([6, 10], [18, 30]);
    let seed = draw.between(1, 1_000_000);
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    let how = format!("delay={delay} reorder={percent} duplicate={percent} seed={seed}");
    through(&mut plan, leg, &how);
    performance(plan, leg, &["reordering-duplication"])
}

/// A session over a bad way: it comes up, later than it could.
fn performance(mut plan: Plan, leg: Leg, finds: &'static [&'static str]) -> Plan {
    plan.callers[0].lasts = Duration::from_secs(9);
    let found = Expected { finds, ..ESTABLISHED };
    plan.label(&RELAY, found.clone());
    plan.label(&everywhere()[..4], ESTABLISHED);
    plan.label(&[leg.pair()], found);
    plan
}

fn slow(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::Server;
    let delay = draw.range_of_half([1500, 4000], [4100, 4500]);
    through(&mut plan, leg, &format!("delay={delay} jitter=50"));
    plan.callers[0].lasts = Duration::from_millis(delay * 6);
    let seen =
        Expected { what: &["slow-path-timeout"], why: Why::Perhaps("slow-path-timeout"), ..FAILED };
    let ends = leg.ends().map(Vantage::At);
    plan.label(&RELAY, Expected { party: leg.network(), ..seen.clone() });
    plan.hint(&ends, Expected { party: NETWORK, ..seen });
    plan
}

/// Sends what passes the leg's router through the program.
pub fn through(plan: &mut Plan, leg: Leg, how: &str) {
    let mut arguments = vec!["wan0".to_owned()];
    arguments.extend(how.split(' ').map(str::to_owned));
    let [one, other] = leg.router_ports().map(crate::topology::Port::name);
    let mut lines = vec!["ip link set wan0 up".to_owned()];
    lines.push("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan0.rp_filter=0".into());
    for family in ["-4", "-6"] {
        for interface in [one, other] {
            lines.push(format!("ip {family} rule add iif {interface} lookup 77"));
        }
        lines.push(format!("ip {family} route add default dev wan0 table 77"));
    }
    plan.fault.push(Step::Program(
        leg.router(),
        Program { program: "wan.c", arguments, files: Vec::new(), ready: Ready::Says("ready") },
    ));
    plan.fault.push(Step::Sh(leg.router(), lines.join("\n")));
    // Reordered packets leave the router as they came, but later.
    plan.leaves_packets = !["loss", "duplicate"].iter().any(|word| how.contains(word));
    plan.note("way", format!("{leg:?} leg, {how}"));
}
