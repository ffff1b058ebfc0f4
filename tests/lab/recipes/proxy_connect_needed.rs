//! A router leads what goes to the server to a web proxy that wants to be asked for the way out.

use crate::draw::Draw;
use crate::recipe::{
    Expected, FAILED, Leg, NETWORK, Plan, Program, RELAY, Ready, Recipe, Step, Vantage, Why,
};

pub const RECIPE: Recipe = Recipe {
    name: "proxy-connect-needed",
    row: "proxy-connect-needed",
    decoys: &["http-portal", "http-answer"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    let port = leg.port(&plan);
    // One that names itself to everybody, or one that hides what it can and allows only its own users.
    let how =
        draw.of_half(&["", "forwarded_for delete"], &["via off\nhttpd_suppress_version_string on"]);
    plan.note("proxy", format!("squid, {how:?}, {leg:?} leg"));
    plan.fault = vec![
        Step::Program(leg.router(), squid(how)),
        Step::Nft(
            leg.router(),
            format!(
                "chain n {{ type nat hook prerouting priority dstnat\n \
                 tcp dport {port} redirect to :3128\n }}"
            ),
        ),
    ];
    let seen = Expected {
        reached: &["x224_request"],
        what: &["http-answer"],
        also: &["proxy-connect-needed"],
        why: Why::Perhaps("proxy-connect-needed"),
        ..FAILED
    };
    let [near, _] = leg.ends();
    if leg == Leg::Server {
        plan.hint(&RELAY, Expected { party: leg.network(), ..seen.clone() });
    }
    plan.hint(&[Vantage::At(near)], Expected { party: NETWORK, ..seen });
    // What a client tries afterwards can be less than a whole attempt.
    plan.first_only();
    plan
}

/// Squid, which keeps its shared memory under names of its own: in a place of its own.
fn squid(how: &str) -> Program {
    let configuration = format!(
        "http_port [::]:3128\npid_filename none\ncache deny all\naccess_log none\n\
         cache_log /dev/null\nnetdb_filename none\npinger_enable off\nvisible_hostname way-out\n\
         coredump_dir {{folder}}\nhttp_access deny all\n{how}\n"
    );
    let line = "mount -t tmpfs tmpfs /dev/shm && exec squid -N -f {folder}/squid.conf";
    Program {
        program: "unshare",
        arguments: ["-m", "sh", "-c", line].map(str::to_owned).to_vec(),
        files: vec![("squid.conf", configuration)],
        ready: Ready::Listens(3128),
    }
}
