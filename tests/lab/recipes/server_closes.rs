//! The server closes without a word, with a FIN, at the end of a message: after its confirm.

use crate::draw::Draw;
use crate::recipe::{
    Expected, FAILED, Leg, Plan, Program, RELAY, Ready, Recipe, Step, Vantage, Why,
};
use crate::topology::Node;

pub const RECIPE: Recipe = Recipe {
    name: "clean-close-no-reason",
    row: "clean-close-no-reason",
    decoys: &["rst-genuine-server", "nla-not-offered", "lb-no-backend"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // Nothing of the server, its confirm, or its confirm and a while.
    let pause = draw.range_of_half([0, 600], [700, 1500]);
    plan.note("pause", format!("{pause} ms"));
    cut(&mut plan, &["end=fin", "after_server=19", &format!("pause={pause}")]);
    let seen = Expected {
        reached: &["x224_confirm", "tls_client_hello"],
        from: &["server"],
        what: &["clean-close-no-reason"],
        why: Why::Open,
        party: &["server"],
        ..FAILED
    };
    let ends = Leg::Server.ends().map(Vantage::At);
    plan.label(&[&RELAY[..], &ends].concat(), seen);
    // rdesktop comes again without TLS.
    plan.first_only();
    plan
}

/// Puts a program in front of the server that ends connections.
pub fn cut(plan: &mut Plan, how: &[&str]) {
    let behind = plan.port + 1;
    plan.behind = Some(behind);
    let port = plan.port;
    let front = |program, arguments| {
        Step::Program(
            Node::S,
            Program { program, arguments, files: Vec::new(), ready: Ready::Listens(port) },
        )
    };
    let mut words: Vec<String> = ["{port}", "{server_ip}", "{behind}"].map(str::to_owned).to_vec();
    words.extend(how.iter().map(|word| (*word).to_owned()));
    plan.fault.push(front("cutter.py", words));
    plan.sound_front = Some(front(
        "socat",
        vec!["TCP6-LISTEN:{port},fork,reuseaddr,ipv6only=0".into(), "TCP:{backend}".into()],
    ));
    plan.note("cut", how.join(" "));
}
