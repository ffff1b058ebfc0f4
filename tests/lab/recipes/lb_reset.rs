//! A load balancer on the way ends the sessions of a server it takes out of service.

use super::lb_no_backend::haproxy;
use crate::boxes::{led, xrdp};
use crate::draw::Draw;
use crate::recipe::{
    Caller, Expected, FAILED, HANDSHAKE, Leg, Plan, RELAY, Recipe, Server, Step, Vantage, Why,
};
use crate::support::clients::Client;
use crate::topology::Node;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "lb-reset",
    row: "lb-reset",
    decoys: &["rst-genuine-server", "clean-close-no-reason"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    let client = draw.of_half(&[Client::Xfreerdp], &[Client::Xfreerdp3]);
    plan.callers = vec![Caller::asking(client, &plan.server, Duration::from_secs(20))];
    // Others beside it, which began before and end in the same second.
    plan.beside = vec![plan.callers[0].clone(); draw.between(0, 3) as usize];
    plan.note("sessions", plan.beside.len() + 1);
    plan.sound_caller = Some(Caller::of(client, &plan.server));
    let when = draw.between(300, 1500);
    plan.note("shut down", format!("{when} ms after the handshake"));
    plan.fault = vec![
        Step::Program(Node::M2, haproxy(8080, "{server} on-marked-down shutdown-sessions")),
        led(&plan, Leg::Server, 8080),
    ];
    // HAProxy is told to end the sessions, or to take the server out of service, or it is killed.
    let order = draw.of_half(&["shutdown sessions server", "kill"], &["disable server"]);
    plan.note("order", order);
    plan.act = Some(Box::new(move |scene| {
        scene.until_sent(Node::S, HANDSHAKE);
        std::thread::sleep(Duration::from_millis(when));
        if order == "kill" {
            scene.programs[0].signal("KILL");
        } else {
            let socket = scene.folder.join("haproxy.sock");
            let line = format!("echo '{order} rdp/one' | socat - UNIX-CONNECT:");
            scene.network.sh(Node::M2, &format!("{line}{}", socket.display()));
        }
    }));
    let [near, _] = Leg::Server.ends();
    let seen = Expected {
        from: &["server"],
        what: &["lb-reset", "rst-genuine-server", "clean-close-no-reason", "truncated-tls"],
        why: Why::Perhaps("lb-reset"),
        ..FAILED
    };
    // It ends TCP: to whom sees one side of it, it is the server's own end.
    let party = &["server", "server_network", "network"];
    plan.hint(&[&RELAY[..], &[Vantage::At(near)]].concat(), Expected { party, ..seen.clone() });
    plan.label(
        &[Leg::Server.pair()],
        Expected { from: &[], what: &["lb-reset"], party: Leg::Server.network(), ..seen },
    );
    plan.first_only();
    plan
}
