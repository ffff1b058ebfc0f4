//! Several routes in one relay: each leads to its own server, and one relay reports them all.

use crate::support::json::text;
use crate::support::rdpwhy::analyze;
use crate::support::running::{LONG, Running, assert_final_once, says};
use crate::support::{scratch, text_of, wait_until};
use std::io::{ErrorKind, Read};

#[test]
fn each_route_leads_to_its_own_server_and_is_named_in_its_reports() {
    let folder = scratch();
    let recording = folder.path().join("case.pcapng");
    let servers = ["one", "two", "three"].map(says);
    let [first, second, third] = servers.map(|port| format!("127.0.0.1:{port}"));
    let routes = [&second, &third].map(|server| format!("127.0.0.1:0={server}"));
    let file = text_of(&recording);
    let flags = ["--route", &routes[0], "--route", &routes[1], "--format", "jsonl", "-w", &file];
    let mut relay = Running::start(&first, &flags, None);
    let ports = relay.ports(3);
    for (port, name) in ports.iter().zip(["one", "two", "three"]) {
        let mut client = relay.connect_to(*port);
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said, name);
    }
    let objects = relay.wait_for(|objects| objects.len() == 3);
    assert_final_once(&objects, 3);
    for (port, server) in ports.iter().zip([&first, &second, &third]) {
        let source = format!("127.0.0.1:{port}");
        let of = |path| objects.iter().filter(|one| text(one, path) == *server).count();
        assert_eq!(of("/server"), 1, "{objects:#?}");
        let reported = objects.iter().find(|one| text(one, "/source") == source).unwrap();
        assert_eq!(text(reported, "/server"), **server);
    }
    relay.interrupt();
    assert_eq!(analyze(&recording, folder.path()).objects.len(), 3);
}

#[test]
fn the_limit_of_sessions_counts_over_all_routes() {
    let server = says("one");
    let routes = [0, 1].map(|_| format!("127.0.0.1:0=127.0.0.1:{server}"));
    let flags = ["--route", &routes[0], "--route", &routes[1], "--max-sessions", "1"];
    let relay = Running::launch(&flags, None);
    let ports = relay.ports(2);
    let mut held = relay.connect_to(ports[0]);
    held.read_exact(&mut [0; 3]).unwrap();
    let mut refused = relay.connect_to(ports[1]);
    let end = refused.read(&mut [0; 3]).map_err(|error| error.kind());
    assert_eq!(end, Err(ErrorKind::ConnectionReset), "{}", relay.process.output());
    // It closes first and tells why behind that.
    let told = wait_until(LONG, || relay.process.output().contains("--max-sessions"));
    assert!(told, "{}", relay.process.output());
}
