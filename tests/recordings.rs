//! Recordings of the proxy in the eyes of an independent reader: tshark opens them, finds nothing
//! malformed and no wrong checksum, and sees the same negotiation, hellos and alerts.

use crate::support::certs::Kind;
use crate::support::clients::Client;
use crate::support::endpoints::scripted;
use crate::support::free_port;
use crate::support::rdpwhy::{Observed, observe};
use crate::support::shadow::{Release, Shadow};
use crate::support::tshark::{Reading, fields};
use crate::support::xrdp::{Key, Options, SOUND, Xrdp};
use std::time::Duration;

/// The options of every client here.
const ARGUMENTS: [&str; 2] = ["/u:lab", "/cert:ignore"];

/// Long enough for a session to come up on a busy machine.
const LIMIT: Duration = Duration::from_secs(6);

/// Packets that may not be in a recording.
const BAD: [&str; 3] = ["_ws.malformed", "tcp.checksum.status == 0", "ip.checksum.status == 0"];

#[test]
fn of_a_session() {
    let Some(server) = Xrdp::start(SOUND) else { return };
    let Some(seen) = observe(server.port, Client::Xfreerdp, &ARGUMENTS, LIMIT) else { return };
    assert_sound(&seen);
    // Both legs carry the request for TLS and NLA, and the choice of TLS.
    assert_sees(&seen, Reading::Rdp, "rdp.negReq.requestedProtocols", &["0x00000003"; 2]);
    assert_sees(&seen, Reading::Rdp, "rdp.negReq.selectedProtocol", &["0x00000001"; 2]);
    // A ClientHello and a ServerHello each; of TLS 1.3 nothing else is in the clear.
    assert_sees(&seen, Reading::Tls, "tls.handshake.type", &["1", "1", "2", "2"]);
    assert_sees(&seen, Reading::Tls, "tls.alert_message.desc", &[]);
}

#[test]
fn of_a_negotiation_failure() {
    let Some(server) = Shadow::start(Release::Two) else { return };
    let arguments = [&ARGUMENTS[..], &["/sec:tls"]].concat();
    let Some(seen) = observe(server.port, Client::Xfreerdp, &arguments, LIMIT) else { return };
    assert_sound(&seen);
    assert_sees(&seen, Reading::Rdp, "rdp.negReq.requestedProtocols", &["0x00000001"; 2]);
    assert_sees(&seen, Reading::Rdp, "rdp.negFailure.failureCode", &["0x00000005"; 2]);
    assert_sees(&seen, Reading::Tls, "tls.handshake.type", &[]);
}

#[test]
fn of_an_alert() {
    let options = Options { ssl_protocols: "TLSv1.2", tls_ciphers: "AES256-SHA256", ..SOUND };
    let Some(server) = Xrdp::start(options) else { return };
    let other = "/tls-ciphers:ECDHE-RSA-AES128-GCM-SHA256";
    let arguments = [&ARGUMENTS[..], &[other]].concat();
    let Some(seen) = observe(server.port, Client::Xfreerdp, &arguments, LIMIT) else { return };
    assert_sound(&seen);
    assert_sees(&seen, Reading::Tls, "tls.handshake.type", &["1", "1"]);
    assert_sees(&seen, Reading::Tls, "tls.alert_message.desc", &["40", "40"]);
}

#[test]
fn of_plain_text_in_answer_to_a_hello() {
    let options = Options { certificate: Kind::Good, key: Key::Foreign, ..SOUND };
    let Some(server) = Xrdp::start(options) else { return };
    let Some(seen) = observe(server.port, Client::Xfreerdp, &ARGUMENTS, LIMIT) else { return };
    assert_sound(&seen);
    assert_sees(&seen, Reading::Tls, "tls.handshake.type", &["1", "1"]);
    // Whoever ended first, and how, the proxy has handed it on: the end stands on both legs.
    let ends = "tcp.flags.reset == 1 || tcp.flags.fin == 1";
    let resets = read(&seen, Reading::Rdp, ends, "tcp.port");
    for port in seen.ports {
        assert!(resets.contains(&port.to_string()), "{resets:?}\n{}", seen.story());
    }
}

#[test]
fn of_a_refused_connection() {
    let Some(seen) = observe(free_port(), Client::Xfreerdp, &ARGUMENTS, LIMIT) else { return };
    assert_sound(&seen);
    // On the wire a refusal is a SYN answered by a RST.
    let server = seen.ports[1].to_string();
    let syn = "tcp.flags.syn == 1 && tcp.flags.ack == 0";
    assert!(read(&seen, Reading::Rdp, syn, "tcp.dstport").contains(&server), "{}", seen.story());
    let rst = "tcp.flags.reset == 1";
    assert!(read(&seen, Reading::Rdp, rst, "tcp.srcport").contains(&server), "{}", seen.story());
}

#[test]
fn of_a_silent_close() {
    let Some(server) = scripted("head -c 19 >/dev/null") else { return };
    let Some(seen) = observe(server.port, Client::Xfreerdp, &ARGUMENTS, LIMIT) else { return };
    assert_sound(&seen);
    let fins = read(&seen, Reading::Rdp, "tcp.flags.fin == 1", "tcp.srcport");
    for port in seen.ports {
        assert!(fins.contains(&port.to_string()), "{fins:?}\n{}", seen.story());
    }
}

/// Asserts that the recording has packets and that none is damaged.
fn assert_sound(seen: &Observed) {
    for reading in [Reading::Rdp, Reading::Tls] {
        for filter in BAD {
            let bad = read(seen, reading, filter, "frame.number");
            assert!(bad.is_empty(), "{filter} as {reading:?}: {bad:?}\n{}", seen.story());
        }
    }
    let packets = read(seen, Reading::Rdp, "tcp", "frame.number");
    assert!(packets.len() >= 6, "only {} packets\n{}", packets.len(), seen.story());
}

/// Asserts that these are all the values of a field, in any order of the two legs.
fn assert_sees(seen: &Observed, reading: Reading, field: &str, expected: &[&str]) {
    let mut values = read(seen, reading, field, field);
    values.sort_unstable();
    assert_eq!(values, expected, "{field}\n{}", seen.story());
}

/// The values of one field in the packets that match the filter; a packet with several gives
/// several. Without tshark there is nothing to read: the test was counted as skipped.
fn read(seen: &Observed, reading: Reading, filter: &str, field: &str) -> Vec<String> {
    let lines = fields(&seen.recording, seen.ports, reading, filter, &[field]);
    let lines = lines.unwrap_or_default();
    let values = lines.iter().flat_map(|line| line.split(',')).filter(|value| !value.is_empty());
    values.map(str::to_owned).collect()
}
