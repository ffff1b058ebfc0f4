//! A web server listens on the port.

use super::lb_no_backend::haproxy;
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Plan, Program, Ready, Recipe, Server, Why, everywhere};

pub const RECIPE: Recipe = Recipe {
    name: "http-answer",
    row: "http-answer",
    decoys: &["http-portal", "non-rdp-endpoint"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let program = match draw.of_half(&["python3", "nginx"], &["haproxy"]) {
        "python3" => Program {
            program: "python3",
            arguments: ["-m", "http.server", &plan.port.to_string(), "--bind", "{server_ip}"]
                .map(str::to_owned)
                .to_vec(),
            files: Vec::new(),
            ready: Ready::Listens(plan.port),
        },
        "nginx" => nginx(plan.port, "return 200 'a page';", ""),
        // A web server to its clients, although it has none behind it.
        _ => haproxy(plan.port, "127.0.0.1:9\n mode http"),
    };
    plan.note("program", program.program);
    plan.faulty_server = Some(Server::Program(program));
    plan.label(
        &everywhere(),
        Expected {
            reached: &["x224_request"],
            what: &["http-answer"],
            why: Why::Is("http-answer"),
            party: &["server"],
            ..FAILED
        },
    );
    // What a client tries afterwards can be less than a whole attempt.
    plan.first_only();
    plan
}

/// nginx on a port, with directives of its server and of its one location.
pub fn nginx(port: u16, location: &str, server: &str) -> Program {
    let configuration = format!(
        "daemon off;\nworker_processes 1;\npid {{folder}}/nginx.pid;\nerror_log {{folder}}/nginx.error;\n\
         user root;\nevents {{ worker_connections 64; }}\n\
         http {{\n access_log off;\n client_body_temp_path {{folder}}/body;\n\
         proxy_temp_path {{folder}}/proxy;\n fastcgi_temp_path {{folder}}/fastcgi;\n\
         uwsgi_temp_path {{folder}}/uwsgi;\n scgi_temp_path {{folder}}/scgi;\n\
         server {{ listen [::]:{port} ipv6only=off;\n {server}\n location / {{ {location} }} }}\n}}\n"
    );
    Program {
        program: "nginx",
        arguments: vec!["-c".into(), "{folder}/nginx.conf".into(), "-p".into(), "{folder}".into()],
        files: vec![("nginx.conf", configuration)],
        ready: Ready::Listens(port),
    }
}
