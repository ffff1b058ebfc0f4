//! Endpoints that speak no RDP: which of them is there is said where it can be known, and where a
//! close is all there is, nothing more is claimed.

use crate::support::clients::Client;
use crate::support::endpoints::{AlertingServer, http_server, openssl_server, scripted};
use crate::support::expected::{Cause, Expected, WHOEVER};
use crate::support::free_port;
use crate::support::json::text;
use crate::support::rdpwhy::{Observed, observe};
use std::time::Duration;

/// A server that answers in another protocol.
const NO_RDP: Expected = Expected {
    reached: &["x224_request"],
    ended: WHOEVER,
    what: &[],
    cause: Cause::Undecided,
    class: &["reachability"],
    party: &["server"],
};

/// A server that takes the connection and closes it without a byte.
const CLOSED: Expected = Expected {
    ended: &["server"],
    what: &["clean-close-no-reason", "lb-no-backend"],
    cause: Cause::NoOtherThan("lb-no-backend"),
    class: &["abort", "reachability"],
    party: &["server", "unknown"],
    ..NO_RDP
};

/// What OpenSSH does with a client that is none.
const OPENSSH: &str = "printf 'SSH-2.0-OpenSSH_9.2p1\\r\\n'; head -c 19 >/dev/null; \
                       printf 'Invalid SSH identification string.\\r\\n'";

#[test]
fn a_tls_server_that_sends_an_alert() {
    let Some(server) = AlertingServer::start() else { return };
    let Some(seen) = connect(server.port) else { return };
    let what = &["tls-first-endpoint"];
    let cause = Cause::NoOtherThan(what[0]);
    assert_said(&seen, Expected { ended: &["client"], what, cause, ..NO_RDP });
}

#[test]
fn openssl_closes_without_an_alert_so_tls_is_not_claimed() {
    let Some(server) = openssl_server() else { return };
    let Some(seen) = connect(server.port) else { return };
    assert_said(&seen, CLOSED);
}

#[test]
fn an_http_server() {
    let Some(server) = http_server() else { return };
    let Some(seen) = connect(server.port) else { return };
    let what = &["http-answer"];
    // A portal on the way would answer like that, too.
    let (cause, party) = (Cause::NoOtherThan(what[0]), &["unknown"][..]);
    assert_said(&seen, Expected { what, cause, party, ..NO_RDP });
}

#[test]
fn a_scripted_ssh_banner() {
    let Some(server) = scripted(OPENSSH) else { return };
    let Some(seen) = connect(server.port) else { return };
    let what = &["non-rdp-endpoint"];
    assert_said(&seen, Expected { what, cause: Cause::NoOtherThan(what[0]), ..NO_RDP });
}

#[test]
fn a_scripted_server_that_reads_the_request_and_closes() {
    let Some(server) = scripted("head -c 19 >/dev/null") else { return };
    let Some(seen) = connect(server.port) else { return };
    assert_said(&seen, CLOSED);
}

#[test]
fn a_scripted_server_that_knows_no_negotiation() {
    // A Connection Confirm without RDP_NEG_RSP.
    let confirm = "head -c 19 >/dev/null; printf '\\003\\000\\000\\013\\006\\320\\000\\000\\022\\064\\000'; \
                   cat >/dev/null";
    let Some(server) = scripted(confirm) else { return };
    let arguments = ["/u:lab", "/cert:ignore", "/sec:tls"];
    let limit = Duration::from_secs(20);
    let Some(seen) = observe(server.port, Client::Xfreerdp, &arguments, limit) else { return };
    let expected = Expected {
        reached: &["x224_confirm"],
        ended: &["client"],
        // On a busy machine the client may take longer than a program's own decision does.
        what: &["neg-rsp-absent", "clean-close-no-reason"],
        cause: Cause::NoOtherThan("neg-rsp-absent"),
        class: &["server-config", "abort"],
        party: &["unknown", "client"],
    };
    assert_said(&seen, expected);
}

#[test]
fn a_port_nobody_listens_on() {
    let Some(seen) = connect(free_port()) else { return };
    let expected = Expected {
        // Nothing of the server was reached, though the client's own connection to us was up.
        reached: &["none", "tcp", "x224_request"],
        ended: &["server"],
        what: &["tcp-refused-rst"],
        cause: Cause::NoOtherThan("tcp-refused-rst"),
        class: &["reachability"],
        party: &["server", "server_network", "unknown"],
    };
    assert_said(&seen, expected);
    for object in seen.live.objects.iter().chain(&seen.offline.objects) {
        assert_eq!(text(object, "/mstsc/code"), "0x904", "{}", seen.story());
        // Without the proxy in between the client would have failed to connect at all.
        assert_eq!(text(object, "/mstsc/direct"), "0x204", "{}", seen.story());
    }
}

/// One try of a client to open a session there.
fn connect(port: u16) -> Option<Observed> {
    let arguments = ["/u:lab", "/p:x", "/cert:ignore"];
    observe(port, Client::Xfreerdp, &arguments, Duration::from_secs(20))
}

/// Asserts that this was said, live and from the recording.
fn assert_said(seen: &Observed, expected: Expected) {
    let mut problems = seen.problems();
    problems.extend(expected.differences(seen));
    assert!(seen.client.code.is_some_and(|code| code != 0), "{}", seen.story());
    assert!(problems.is_empty(), "- {}\n{}", problems.join("\n- "), seen.story());
}
