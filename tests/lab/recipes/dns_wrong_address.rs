//! The client's resolver gives another host's address for the server's name; the resolver that the server's
//! side asks gives the right one.

use crate::boxes;
use crate::draw::Draw;
use crate::recipe::{
    Caller, ESTABLISHED, Expected, FAILED, Plan, Program, RELAY_PORT, Ready, Recipe, Step, Vantage,
    Why,
};
use crate::support::place::Called;
use crate::topology::{Ip, Node, Port};
use std::net::IpAddr;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "dns-wrong-address",
    row: "dns-wrong-address",
    decoys: &["tcp-refused-rst", "tcp-syn-drop", "icmp-reject", "http-answer"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let name = draw.of_half(
        &["desk.corp.example", "rds-01.example.net", "ts.office.example"],
        &["host7.branch.example.org"],
    );
    let number = draw.range_of_half([10, 99], [100, 199]);
    // An address that none of the machines has otherwise.
    let wrong: IpAddr = match plan.ip {
        Ip::V4 => format!("10.77.9.{number}").parse().unwrap(),
        Ip::V6 => format!("fd77:9::{number}").parse().unwrap(),
    };
    let there = draw.of_half(&["nobody", "nothing", "web"], &["no route", "nobody"]);
    let table = draw.of_half(&[Table::Address], &[Table::Hosts]);
    plan.note("name", format!("{name} leads to {wrong}: {there}, {table:?}"));
    let right = Port::Pc.address(plan.ip);
    let [near, far] = [Port::M1c, Port::M1p].map(|port| port.address(plan.ip));
    plan.setting.extend([resolver(far, name, right, Table::Address), reference(name, far)]);
    plan.fault = vec![resolver(near, name, wrong, table)];
    plan.fault.extend(host(there, wrong));
    plan.sound_front = Some(resolver(near, name, right, Table::Address));
    // Somebody who was told the address comes before, in a single connection.
    let told = Caller::of(boxes::freerdp(draw), &plan.server);
    plan.callers.insert(0, told);
    let misled = &mut plan.callers[1];
    misled.called = Some(Called { name: name.to_owned(), resolver: near });
    if there == "nothing" {
        misled.lasts = Duration::from_secs(draw.between(10, 12));
    }
    let what: &[&str] = match there {
        "nothing" => &["tcp-syn-drop"],
        "web" => &["http-answer"],
        "no route" => &["icmp-reject"],
        _ => &["tcp-refused-rst"],
    };
    // One capture shows what is there, and not that it is the wrong place.
    let seen = Expected { what, ..FAILED };
    plan.hint_nth(1, &[Vantage::At(Port::C)], Expected { why: Why::Open, ..seen.clone() });
    let pair = Vantage::Pair(Port::C, Port::Pc);
    plan.label_nth(1, &[pair], Expected { why: Why::Is("dns-wrong-address"), ..seen });
    plan.label_nth(0, &[Vantage::At(Port::Pc)], ESTABLISHED);
    plan
}

/// Where a resolver has its names from.
#[derive(Clone, Copy, Debug)]
enum Table {
    /// Its configuration.
    Address,
    /// A hosts file.
    Hosts,
}

/// dnsmasq on the client's router at one of its addresses, which knows one name and asks nobody.
fn resolver(at: IpAddr, name: &str, address: IpAddr, table: Table) -> Step {
    let domain = name.split_once('.').map_or(name, |(_, domain)| domain);
    let mut arguments = vec![
        "--no-daemon".into(),
        "--conf-file=/dev/null".into(),
        "--no-resolv".into(),
        "--no-hosts".into(),
        "--bind-interfaces".into(),
        format!("--listen-address={at}"),
        format!("--local=/{domain}/"),
    ];
    let mut files = Vec::new();
    match table {
        Table::Address => arguments.push(format!("--address=/{name}/{address}")),
        Table::Hosts => {
            arguments.push("--addn-hosts={folder}/names.hosts".into());
            files.push(("names.hosts", format!("{address} {name}\n")));
        }
    }
    let ready = Ready::Says("started, version");
    Step::Program(Node::M1, Program { program: "dnsmasq", arguments, files, ready })
}

/// Somebody at the server's side who asks for the same name every second.
fn reference(name: &str, resolver: IpAddr) -> Step {
    let script = format!(
        "mount --bind \"$0\" /etc/resolv.conf && \
         while :; do getent ahosts {name} && echo known; sleep 1; done"
    );
    let arguments = ["--mount", "sh", "-c", &script, "{folder}/reference.conf"];
    let program = Program {
        program: "unshare",
        arguments: arguments.map(str::to_owned).to_vec(),
        files: vec![("reference.conf", format!("nameserver {resolver}\n"))],
        ready: Ready::Says("known"),
    };
    Step::Program(Node::P, program)
}

/// What is at the wrong address.
fn host(there: &str, address: IpAddr) -> Vec<Step> {
    let sh = |line: String| Step::Sh(Node::M1, line);
    let own = || sh(format!("ip addr add {address} dev lo"));
    match there {
        "nothing" => vec![sh(format!("ip route add blackhole {address}"))],
        "no route" => vec![sh(format!("ip route add unreachable {address}"))],
        "web" => {
            let arguments = ["-m", "http.server", &RELAY_PORT.to_string(), "--bind"];
            let mut arguments = arguments.map(str::to_owned).to_vec();
            arguments.push(address.to_string());
            let ready = Ready::Listens(RELAY_PORT);
            let program = Program { program: "python3", arguments, files: Vec::new(), ready };
            vec![own(), Step::Program(Node::M1, program)]
        }
        _ => vec![own()],
    }
}
