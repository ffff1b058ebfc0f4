//! A load balancer on the way accepts connections for a server that it does not pass them on to: all it has is
//! dead, disabled, or taken for dead by its probe.

use super::lb_no_backend::{forwarder, haproxy};
use crate::boxes::led;
use crate::draw::Draw;
use crate::recipe::{
    ESTABLISHED, Expected, FAILED, HANDSHAKE, Leg, Plan, Program, RELAY, Ready, Recipe, Server,
    Step, Vantage, Why,
};
use crate::stage::Scene;
use crate::topology::{Ip, Node};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "lb-between",
    row: "lb-no-backend",
    decoys: &["lb-no-backend", "syn-proxy-fake-open", "lb-reset", "transparent-tcp-proxy"],
    smoke: true,
    plan,
};

/// Where the load balancer listens.
const PORT: u16 = 8080;

/// Where it probes whether the server is well.
const PROBED: u16 = 9100;

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let how = draw.of_half(
        &["dead", "probe fails", "emptied", "nginx dead", "nginx emptied"],
        &["pen dead", "rinetd dead", "rinetd emptied"],
    );
    plan.note("how", how);
    let program = match how {
        "probe fails" => haproxy(PORT, &format!("{{server}} check port {PROBED} inter 100 fall 1")),
        "nginx dead" | "nginx emptied" => forwarder(PORT, "{server}"),
        "rinetd dead" | "rinetd emptied" => rinetd(),
        "pen dead" => pen(),
        _ => haproxy(PORT, "{server}"),
    };
    if how == "probe fails" {
        plan.fault.push(Step::Program(Node::S, probed()));
    }
    if how.starts_with("pen") {
        // It knows no addresses of IPv6 for its servers.
        plan.ip = Ip::V4;
    }
    plan.fault.push(Step::Program(Node::M2, program));
    plan.fault.push(led(&plan, Leg::Server, PORT));
    let served = !how.ends_with("dead");
    if served {
        // The first client is served, and then nobody is left for the second.
        plan.callers.push(plan.callers[0].clone());
        plan.act = Some(Box::new(move |scene| {
            scene.until_sent(Node::S, HANDSHAKE);
            match how {
                "probe fails" => scene.programs[0].signal("KILL"),
                "emptied" => disable(scene),
                "nginx emptied" => {
                    reload(scene, "nginx.conf", |text| text.replace("max_fails=0", "down"));
                }
                _ => reload(scene, "rinetd.conf", |_| rule("127.0.0.1 9")),
            }
        }));
    } else {
        plan.faulty_server = Some(Server::Nobody);
    }
    labels(&mut plan, usize::from(served));
    plan
}

/// rinetd, which passes connections on and knows nothing of its server.
fn rinetd() -> Program {
    Program {
        program: "rinetd",
        arguments: vec!["-f".into(), "-c".into(), "{folder}/rinetd.conf".into()],
        files: vec![("rinetd.conf", rule("{server_ip} {port}"))],
        ready: Ready::Listens(PORT),
    }
}

/// The rule by which rinetd passes everything on.
fn rule(to: &str) -> String {
    format!(":: {PORT} {to}\n")
}

/// pen, a load balancer, with one server.
fn pen() -> Program {
    // It takes what is behind the last colon for the port, and knows no brackets.
    let arguments = ["-f", "-r", &format!(":::{PORT}"), "{server_ip}:{port}"];
    Program {
        program: "pen",
        arguments: arguments.map(str::to_owned).to_vec(),
        files: Vec::new(),
        ready: Ready::Listens(PORT),
    }
}

/// What answers the load balancer's probe beside the server, as an agent does.
fn probed() -> Program {
    Program {
        program: "socat",
        arguments: vec![
            format!("TCP6-LISTEN:{PROBED},fork,reuseaddr,ipv6only=0"),
            "/dev/null".into(),
        ],
        files: Vec::new(),
        ready: Ready::Listens(PROBED),
    }
}

/// What is right of the session with this number, which nobody serves.
fn labels(plan: &mut Plan, number: usize) {
    let [near, _] = Leg::Server.ends();
    if number > 0 {
        plan.label_nth(0, &[Vantage::At(near), Leg::Server.pair()], ESTABLISHED);
    }
    let seen = Expected {
        reached: &["tcp", "x224_request"],
        from: &["server"],
        what: &["lb-no-backend", "rst-genuine-server", "clean-close-no-reason"],
        why: Why::Perhaps("lb-no-backend"),
        ..FAILED
    };
    // It ends TCP: who sees one side of it takes it for the server.
    let party = &["server", "server_network", "network"];
    let alone = Expected { party, ..seen.clone() };
    plan.hint_nth(number, &[&RELAY[..], &[Vantage::At(near)]].concat(), alone);
    plan.label_nth(
        number,
        &[Leg::Server.pair()],
        Expected { party: Leg::Server.network(), why: Why::Is("lb-no-backend"), ..seen },
    );
}

/// An administrator takes the only server out of service; sessions stay.
fn disable(scene: &mut Scene<'_>) {
    let socket = scene.folder.join("haproxy.sock");
    let line = format!("echo 'disable server rdp/one' | socat - UNIX-CONNECT:{}", socket.display());
    scene.network.sh(Node::M2, &line);
}

/// The same by a new configuration, which old sessions outlive.
fn reload(scene: &mut Scene<'_>, file: &str, edit: impl Fn(String) -> String) {
    let file = scene.folder.join(file);
    let text = edit(std::fs::read_to_string(&file).unwrap());
    std::fs::write(&file, text).unwrap();
    scene.programs[0].signal("HUP");
    // It may close its port for a moment.
    std::thread::sleep(Duration::from_millis(300));
}
