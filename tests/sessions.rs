//! Good sessions through the proxy: all of them are established, nothing is reported as failed,
//! and what was negotiated is told right.

use crate::support::certs::Kind;
use crate::support::clients::Client;
use crate::support::desktop::{self, Desktop};
use crate::support::json::text;
use crate::support::rdpwhy::{Observed, observe};
use crate::support::shadow::{PASSWORD, Release, Shadow, USER};
use crate::support::xrdp::{Options, SOUND, Xrdp};
use std::time::Duration;

/// Long enough for a session to come up on a busy machine; a good session lasts until it is ended.
const SESSION: Duration = Duration::from_secs(6);

/// Without a password xrdp shows its login screen; with one it would look for a session manager
/// that is not there, and not notice meanwhile that its client has left.
const LOGIN_SCREEN: [&str; 2] = ["/u:lab", "/cert:ignore"];

/// What a good session negotiated.
struct Negotiated {
    selected: &'static str,
    tls_version: &'static str,
}

#[test]
fn xfreerdp_to_xrdp_over_tls_1_3() {
    let Some(server) = Xrdp::start(SOUND) else { return };
    let Some(seen) = observe(server.port, Client::Xfreerdp, &LOGIN_SCREEN, SESSION) else { return };
    assert_established(&seen, &Negotiated { selected: "SSL", tls_version: "1.3" });
}

#[test]
fn xfreerdp_to_xrdp_over_tls_1_2() {
    let options = Options { certificate: Kind::Ec, ssl_protocols: "TLSv1.2", ..SOUND };
    let Some(server) = Xrdp::start(options) else { return };
    let Some(seen) = observe(server.port, Client::Xfreerdp, &LOGIN_SCREEN, SESSION) else { return };
    assert_established(&seen, &Negotiated { selected: "SSL", tls_version: "1.2" });
}

#[test]
fn rdesktop_to_xrdp_over_standard_rdp_security() {
    let Some(server) = Xrdp::start(Options { security_layer: "rdp", ..SOUND }) else { return };
    let arguments = ["-u", "lab"];
    let Some(seen) = observe(server.port, Client::Rdesktop, &arguments, SESSION) else { return };
    let said = &seen.client.output;
    assert!(said.contains("Connection established using plain RDP"), "{}", seen.story());
    assert_established(&seen, &Negotiated { selected: "RDP", tls_version: "null" });
}

#[test]
fn xfreerdp_to_shadow_over_nla() {
    let Some(server) = Shadow::start(Release::Two) else { return };
    let arguments = [&format!("/u:{USER}"), &format!("/p:{PASSWORD}")[..], "/cert:ignore"];
    let Some(seen) = observe(server.port, Client::Xfreerdp, &arguments, SESSION) else { return };
    assert_established(&seen, &Negotiated { selected: "HYBRID", tls_version: "1.3" });
}

#[test]
fn freerdp_3_on_both_ends_over_nla() {
    let Some(server) = Shadow::start(Release::Three) else { return };
    let arguments = [&format!("/u:{USER}"), &format!("/p:{PASSWORD}")[..], "/cert:ignore"];
    let Some(seen) = observe(server.port, Client::Xfreerdp3, &arguments, SESSION) else { return };
    assert_established(&seen, &Negotiated { selected: "HYBRID", tls_version: "1.3" });
}

#[test]
fn a_desktop_from_login_to_logoff() {
    let Some(server) = Desktop::start() else { return };
    let (user, password) = (format!("/u:{}", desktop::USER), format!("/p:{}", desktop::PASSWORD));
    let arguments = [user.as_str(), password.as_str(), "/cert:ignore"];
    let limit = Duration::from_secs(60);
    let Some(seen) = observe(server.port, Client::Xfreerdp, &arguments, limit) else { return };
    let story = format!("{}\n{}", server.log(), seen.story());
    assert_eq!(server.visitor(), desktop::USER, "nobody was logged in\n{story}");
    assert!(seen.client.code.is_some(), "the desktop did not log off\n{story}");
    for said in [&seen.live, &seen.offline] {
        assert_eq!((said.objects.len(), said.code), (1, Some(0)), "{story}");
        let object = &said.objects[0];
        assert_eq!(text(object, "/outcome"), "established", "{story}");
        assert_eq!(text(object, "/reached"), "active", "{story}");
        // TLS hides the steps; the number of records tells.
        assert_eq!(text(object, "/reached_basis"), "inferred", "{story}");
        assert_eq!(text(object, "/verdict/what"), "null", "{story}");
    }
    assert_eq!(seen.problems(), Vec::<String>::new(), "{story}");
}

/// Asserts that the client had a session until it was ended, and that the program says so too.
fn assert_established(seen: &Observed, negotiated: &Negotiated) {
    let story = seen.story();
    assert_eq!(seen.client.code, None, "the client gave up by itself\n{story}");
    assert!(seen.client.took >= SESSION, "{story}");
    for said in [&seen.live, &seen.offline] {
        assert_eq!(said.objects.len(), 1, "{story}");
        let object = &said.objects[0];
        assert_eq!(text(object, "/outcome"), "established", "{story}");
        assert_eq!(text(object, "/rdp/selected"), negotiated.selected, "{story}");
        assert_eq!(text(object, "/rdp/failure"), "null", "{story}");
        assert_eq!(text(object, "/tls/version"), negotiated.tls_version, "{story}");
        let reached = text(object, "/reached");
        let far = ["tls_encrypted", "tls_finished", "credssp", "mcs", "licensing", "active"];
        assert!(far.contains(&reached.as_str()), "reached {reached}\n{story}");
        assert_eq!(said.code, Some(0), "{story}");
    }
    assert_eq!(seen.problems(), Vec::<String>::new(), "{story}");
}
