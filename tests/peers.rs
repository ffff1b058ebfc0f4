//! The test support itself: that its peers are real and work without the program in between, and
//! that nothing of them stays behind.

use crate::support::clients::Client;
use crate::support::process::{Process, command};
use crate::support::shadow::{PASSWORD, Release, Shadow, USER};
use crate::support::xrdp::{Key, Options, SOUND, Xrdp};
use crate::support::{free_port, json, listens, need, scratch};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_client_has_a_session_with_xrdp() {
    let Some(server) = Xrdp::start(SOUND) else { return };
    let arguments = ["/u:lab", "/p:x", "/cert:ignore", "+auth-only"];
    let limit = Duration::from_secs(20);
    let Some(ended) = Client::Xfreerdp.run(server.port, &arguments, limit) else { return };
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.output, server.log());
    assert!(server.log().contains("TLSv1.3"), "{}", server.log());
}

#[test]
fn a_broken_server_is_broken() {
    let Some(server) = Xrdp::start(Options { key: Key::Foreign, ..SOUND }) else { return };
    let arguments = ["/u:lab", "/p:x", "/cert:ignore", "+auth-only"];
    let limit = Duration::from_secs(20);
    let Some(ended) = Client::Xfreerdp.run(server.port, &arguments, limit) else { return };
    assert_eq!(ended.code, Some(143), "{}", ended.output);
    assert!(server.log().contains("do not match"), "{}", server.log());
}

#[test]
fn the_shadow_server_tells_passwords_apart() {
    for (password, expected) in [(PASSWORD, 0), ("wrong", 147)] {
        let Some(server) = Shadow::start(Release::Two) else { return };
        let user = format!("/u:{USER}");
        let password = format!("/p:{password}");
        let arguments = [&user, &password, "/cert:ignore", "+auth-only"];
        let limit = Duration::from_secs(20);
        let Some(ended) = Client::Xfreerdp.run(server.port, &arguments, limit) else { return };
        assert_eq!(ended.code, Some(expected), "{}", ended.output);
    }
}

#[test]
fn a_process_and_its_children_end_with_their_owner() {
    let Some(program) = need("socat") else { return };
    let folder = scratch();
    let (parent, port) = (free_port(), free_port());
    // The child of a child listens on the second port.
    let mut command = command(&program);
    command.arg(format!("TCP-LISTEN:{parent},bind=127.0.0.1"));
    command.arg(format!("SYSTEM:socat TCP-LISTEN\\:{port}\\,bind=127.0.0.1 STDIO"));
    let process = Process::start(&mut command, &folder.path().join("log"));
    let limit = Duration::from_secs(10);
    assert!(crate::support::wait_until(limit, || listens(parent)), "{}", process.output());
    let connection = std::net::TcpStream::connect(("127.0.0.1", parent)).unwrap();
    assert!(crate::support::wait_until(limit, || listens(port)), "{}", process.output());
    drop(process);
    drop(connection);
    assert!(!listens(parent));
    assert!(crate::support::wait_until(limit, || !listens(port)));
}

#[test]
fn the_last_object_of_a_connection_holds() {
    let objects = [
        json!({"index": 1, "supersedes": null, "final": false}),
        json!({"index": 2, "supersedes": null}),
        json!({"index": 1, "supersedes": null, "final": true}),
        json!({"index": 3, "supersedes": 2}),
    ];
    let left = json::latest(&objects);
    assert_eq!(left, [objects[2].clone(), objects[3].clone()]);
}

#[test]
fn an_incomplete_line_waits() {
    assert_eq!(json::lines("{\"index\":1}\n\n{\"ind"), [json!({"index": 1})]);
}
