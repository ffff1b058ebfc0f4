//! A load balancer listens on the port and has no healthy server behind it.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Plan, Program, Ready, Recipe, Server, Why, everywhere};

pub const RECIPE: Recipe = Recipe {
    name: "lb-no-backend",
    row: "lb-no-backend",
    decoys: &["clean-close-no-reason", "service-down-after-accept"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let port = plan.port;
    let program = match draw.of_half(&["dead", "disabled", "socat"], &["nginx"]) {
        "dead" => haproxy(port, "127.0.0.1:9"),
        "disabled" => haproxy(port, "127.0.0.1:9 disabled"),
        "nginx" => forwarder(port, "127.0.0.1:9"),
        _ => Program {
            program: "socat",
            arguments: vec![
                format!("TCP6-LISTEN:{port},fork,reuseaddr,ipv6only=0"),
                "TCP:127.0.0.1:9".into(),
            ],
            files: Vec::new(),
            ready: Ready::Listens(port),
        },
    };
    plan.note("program", program.program);
    plan.faulty_server = Some(Server::Program(program));
    plan.hint(
        &everywhere(),
        Expected {
            reached: &["tcp", "x224_request"],
            from: &["server"],
            what: &["lb-no-backend", "rst-genuine-server", "clean-close-no-reason"],
            why: Why::Perhaps("lb-no-backend"),
            party: &["server"],
            ..FAILED
        },
    );
    // What a client tries afterwards can be less than a whole attempt.
    plan.first_only();
    plan
}

/// nginx on a port as a forwarder of TCP to one server.
pub fn forwarder(port: u16, backend: &str) -> Program {
    let configuration = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\nworker_processes 1;\n\
         user root;\npid {{folder}}/nginx.pid;\nerror_log {{folder}}/nginx.error;\n\
         events {{ worker_connections 64; }}\n\
         stream {{\n upstream one {{ server {backend} max_fails=0; }}\n\
         server {{ listen [::]:{port} ipv6only=off; proxy_pass one; }}\n}}\n"
    );
    Program {
        program: "nginx",
        arguments: vec!["-c".into(), "{folder}/nginx.conf".into(), "-p".into(), "{folder}".into()],
        files: vec![("nginx.conf", configuration)],
        ready: Ready::Listens(port),
    }
}

/// HAProxy on a port in front of one server.
pub fn haproxy(port: u16, backend: &str) -> Program {
    let configuration = format!(
        "global\n stats socket {{folder}}/haproxy.sock mode 600 level admin\n\
         defaults\n mode tcp\n retries 0\n timeout connect 2s\n timeout client 1m\n timeout server 1m\n\
         listen rdp\n bind :::{port} v4v6\n server one {backend}\n"
    );
    Program {
        program: "haproxy",
        arguments: vec!["-db".into(), "-f".into(), "{folder}/haproxy.cfg".into()],
        files: vec![("haproxy.cfg", configuration)],
        ready: Ready::Listens(port),
    }
}
