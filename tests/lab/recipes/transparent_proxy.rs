//! A router ends the TCP connection itself and makes one of its own to the server. The session comes
//! up all the same.

use crate::boxes::led;
use crate::draw::Draw;
use crate::recipe::{ESTABLISHED, Expected, Leg, Plan, Program, Ready, Recipe, Step, everywhere};
use crate::topology::Node;

pub const RECIPE: Recipe = Recipe {
    name: "transparent-tcp-proxy",
    row: "transparent-tcp-proxy",
    decoys: &["tcp-option-rewrite"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let program = draw.of_half(&["socat", "haproxy"], &["cutter.py"]);
    plan.note("proxy", program);
    let proxy = if program == "haproxy" {
        super::lb_no_backend::haproxy(8080, "{server}")
    } else {
        Program {
            program,
            arguments: if program == "socat" {
                vec!["TCP6-LISTEN:8080,fork,reuseaddr,ipv6only=0".into(), "TCP:{server}".into()]
            } else {
                // It cuts nothing.
                ["8080", "{server_ip}", "{port}"].map(str::to_owned).to_vec()
            },
            files: Vec::new(),
            ready: Ready::Listens(8080),
        }
    };
    plan.fault = vec![Step::Program(Node::M2, proxy), led(&plan, Leg::Server, 8080)];
    plan.label(&everywhere(), ESTABLISHED);
    plan.label(
        &[Leg::Server.pair()],
        Expected { finds: &["transparent-tcp-proxy"], ..ESTABLISHED },
    );
    plan
}
