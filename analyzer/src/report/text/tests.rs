//! The exact text of hand-written connections, so that a change of it shows in review; and what must
//! hold for any connection: no escape from the wire, bounded length, lines within the width.

use super::{Style, connection, summary};
use crate::report::{Connection, LegReport, Legs, Outcome, Summary, Tls, Verdict, samples};
use serde_json::Value;

const PLAIN: Style = Style { color: false, width: 100 };

#[track_caller]
fn check(c: &Connection, expected: &str) {
    let printed = connection(c, &PLAIN);
    assert!(
        printed == expected.trim_start_matches('\n'),
        "printed:\n{printed}\nexpected:{expected}"
    );
}

#[test]
fn failed_at_tls() {
    check(
        &samples::failed_at_tls(),
        "
#1  2026-11-22 14:03:07 UTC · user#9f2c · 10.0.0.5:50111 → 10.0.0.9:3389 · asks TLS | NLA |
    NLA+early-auth
   TCP     client leg 0.1 ms · server leg                                           11.8 ms  ok
   X.224   the server chose NLA+early-auth                                          12.4 ms  ok
   TLS     the client offered TLS 1.3, 1.2 · for the name srv07.corp.example ·               FAILED
           no ServerHello · no certificate was sent
   end     cut off (RST) from the SERVER's side, on the server leg, after 560 B to the server and
           19 B to the client, 31.2 ms after the start
           mstsc shows 0x904 (inferred)

 WHY   The server accepted the connection and cut it off at the first message of the encryption. It
       never showed a certificate. Password and user account had no part in this.
       what: rst-genuine-server (high) · who: the server (possible) · cause: undecided

 1 possible  the server can not use its TLS key (cert-key-inaccessible)
             + E1 the server sent no ServerHello and no alert
             + E2 RST 13.1 ms after the ClientHello (packet 9, server leg)
             ? the server's event log was not seen
 2           the server does not stand this TLS offer (tls-version-intolerance)
             + E2, as above
             - E3 another client offered TLS 1.3 and was served (read 4, client leg)
   ruled out pmtu-blackhole-s2c: E2, as above
             tcp-refused-rst, service-down-after-accept: E4 the server answered the X.224 request
             (packet 6, server leg)

 NEXT  on the server, read its own events of the certificate and of TLS (changes nothing)
          Get-WinEvent -FilterHashtable @{LogName='System';Id=1057,1058,36870,36871} -Max 5
 FIX   Give NETWORK SERVICE read access to the key file of the RDP certificate.
 UNDO  icacls restores the saved list.
 note  the server was dialled by address, so Kerberos was not used (packet 6, server leg)
",
    );
}

#[test]
fn refused_behind_the_relay() {
    check(
        &samples::refused_tcp(),
        "
#2  2026-11-22 14:03:07 UTC · 10.0.0.5:50111 → srv07.corp.example:3389
   TCP     client to relay                                                           0.1 ms  ok
   TCP     relay to server: [2001:db8::9]:3389 unreachable                                   FAILED
   TCP     relay to server: 10.0.0.9:3389 refused after 0.4 ms                               FAILED
   end     no TCP connection came about (ECONNREFUSED), on the server leg
           mstsc shows 0x904 (inferred); without this relay it would show 0x204

 WHY   Nothing accepts Remote Desktop connections on srv07.corp.example.
       what: tcp-refused-rst (certain) · who: the server (probable) · cause: tcp-refused-rst (high)

 FIX   Turn on Remote Desktop there.
",
    );
}

#[test]
fn nla_required() {
    check(
        &samples::nla_required(),
        "
#12 2026-11-22 14:03:07 UTC · 10.0.0.5:50111 → 10.0.0.9:3389 · asks TLS
   TCP     connected                                                                 0.4 ms  ok
   X.224   the server refused: it requires NLA (HYBRID_REQUIRED_BY_SERVER)           1.9 ms  FAILED
   end     closed in order (FIN) from the CLIENT's side, after 47 B to the server and 19 B to the
           client

 WHY   The server lets in only clients that sign in before the session starts, and this one did not
       offer to.
       what: nla-required (certain) · who: the client (probable) · cause: nla-required (certain)

 1 certain   the server requires Network Level Authentication (nla-required)
             + E1 RDP_NEG_FAILURE 5 (packet 5)
",
    );
}

#[test]
fn established() {
    check(
        &samples::established(),
        "
#3  2026-11-22 14:03:07 UTC · 10.0.0.5:50111 → 10.0.0.9:3389 · session up (inferred): NLA, TLS 1.2,
    4 min 12 s
    cut off (RST) from the CLIENT's side, after 80.0 KiB to the server and 12.0 MiB to the client:
    the usual end of a session
",
    );
}

#[test]
fn a_session_that_broke_is_told_with_its_reason() {
    let mut broke = samples::established();
    broke.verdict.what = Some("transmission-stalled".into());
    broke.verdict.confidence.what = 0.93;
    broke.verdict.sentence =
        "The session was established. Later: what the client sent did not get through.".into();
    let text = connection(&broke, &PLAIN);
    assert!(text.contains("session up") && text.contains("Later: what the client sent"), "{text}");
    assert!(text.contains("transmission-stalled"), "{text}");
    assert!(!text.contains("the usual end"), "{text}");
}

#[test]
fn rehearsal_that_may_change() {
    check(
        &samples::rehearsal(),
        "
#4  2026-11-22 14:03:07 UTC · 10.0.0.5:50111 → 10.0.0.9:3389 · asks TLS | NLA · left for a prompt:
    mstsc asks its user and comes back; no failure
    provisional: another connection of the same user may still change this
",
    );
}

#[test]
fn hostile_words_of_no_rdp() {
    check(
        &samples::hostile(),
        r"
#5  2026-11-22 14:03:07 UTC · \x1b]0;owned\x07\x0d\x0aadmin\u{202e}gpj ·
    10.0.0.5:50111 → 10.0.0.9:3389 · NOT RDP
    The server's first words were SSH-2.0-\x1b[2J\x1b[31m\x9b5m.
",
    );
}

#[test]
fn unknown_from_the_middle() {
    check(
        &samples::blank(9, Outcome::Unknown),
        "
#9  2026-11-22 14:03:07 UTC · 10.0.0.5:50111 → 10.0.0.9:3389 · not known: the capture starts in the
    middle
",
    );
}

#[test]
fn undecided_failure_from_the_middle() {
    let mut c = samples::blank(10, Outcome::Failed);
    c.complete = false;
    c.supersedes = Some(8);
    c.ended.how = "capture_end".to_string();
    c.verdict.confidence.what = 0.49;
    c.verdict.what = Some("server-stall".to_string());
    check(
        &c,
        "
#10 2026-11-22 14:03:07 UTC · 10.0.0.5:50111 → 10.0.0.9:3389
    replaces #8, which was provisional
    incomplete: part of the input was lost or a limit was reached, so steps may be missing
   start   the capture starts in the middle: earlier steps are not shown
   end     not ended within the capture

 WHY   The connection failed; the input does not show why.
       what: undecided · who: undecided · cause: undecided
",
    );
}

#[test]
fn what_the_input_lacks_is_not_said_to_be_missing() {
    for (reached, row) in [
        ("tcp", "X.224   no RDP request is in the input"),
        ("x224_request", "X.224   no answer to the client's request is in the input"),
        ("x224_confirm", "TLS     no ClientHello is in the input"),
    ] {
        let mut c = samples::blank(1, Outcome::Failed);
        (c.reached, c.complete) = (Some(reached.to_string()), false);
        c.rdp.selected = Some("HYBRID".to_string());
        c.tls = Some(Tls::default());
        let printed = connection(&c, &PLAIN);
        let found = printed.lines().find(|line| line.trim_start().starts_with(row));
        assert!(found.is_some_and(|line| line.ends_with("unclear")), "{reached}\n{printed}");
    }
}

/// The rows for each step that a connection can fail at, in a single capture with TLS.
#[test]
fn each_step_has_its_row() {
    let steps = [
        ("none", "TCP     client to server: not connected", "FAILED"),
        ("tcp", "X.224   the client sent no RDP request", "FAILED"),
        ("x224_request", "X.224   the client's request got no RDP answer", "FAILED"),
        ("x224_confirm", "TLS     the client sent no ClientHello", "FAILED"),
        ("tls_client_hello", "TLS     TLS 1.2 · no ServerHello", "FAILED"),
        ("tls_server_hello", "TLS     TLS 1.2 · not completed", "FAILED"),
        (
            "tls_encrypted",
            "TLS     TLS 1.2 · then encrypted: 3 records to the server, 2",
            "unclear",
        ),
        ("tls_finished", "login   no NLA message after the handshake", "FAILED"),
        ("credssp", "login   NLA began, no session followed", "FAILED"),
        ("mcs", "session the exchange of RDP settings began, no session followed", "FAILED"),
        ("licensing", "session licensing began, no session followed", "FAILED"),
        ("active", "session the desktop was up", "ok"),
    ];
    for (reached, row, status) in steps {
        let mut c = samples::blank(1, Outcome::Failed);
        c.reached = Some(reached.to_string());
        c.rdp.selected = Some("HYBRID".to_string());
        c.tls = Some(Tls { version: Some("1.2".to_string()), records: [3, 2], ..Tls::default() });
        let printed = connection(&c, &PLAIN);
        let rows: Vec<&str> =
            printed.lines().take_while(|line| !line.starts_with("   end")).collect();
        let found = rows.iter().position(|line| line.trim_start().starts_with(row));
        let at = found.unwrap_or_else(|| panic!("{reached}: no row `{row}` in\n{printed}"));
        assert!(rows[at].ends_with(status), "{reached}\n{printed}");
        assert!(rows[1..at].iter().all(|line| line.ends_with("ok")), "{reached}\n{printed}");
        assert!(
            rows[at + 1..].iter().all(|line| line.starts_with("      ")),
            "{reached}\n{printed}"
        );
    }
}

#[test]
fn standard_security_has_no_tls_row() {
    let mut c = samples::blank(1, Outcome::Failed);
    c.reached = Some("x224_confirm".to_string());
    c.rdp.selected = Some("RDP".to_string());
    let printed = connection(&c, &PLAIN);
    assert!(!printed.contains("TLS"), "{printed}");
    assert!(printed.contains("session the client sent nothing after the answer"), "{printed}");
}

#[test]
fn attempts_before_a_success_are_no_failure() {
    let mut c = samples::nla_required();
    let attempts = vec!["[2001:db8::9]:3389 unreachable".to_string()];
    c.legs =
        Legs { single: Some(LegReport { attempts, ..LegReport::default() }), ..Legs::default() };
    let printed = connection(&c, &PLAIN);
    assert!(
        printed.contains("TCP     tried before: [2001:db8::9]:3389 unreachable\n"),
        "{printed}"
    );
    assert!(printed.contains("TCP     connected"), "{printed}");
}

#[test]
fn totals() {
    let expected = "\
6 connections: 1 established · 1 left for a prompt · 3 failed, 2 of them explained · 1 not RDP
     2 × nla-required
     1 × rst-genuine-server
 note  12 other TCP connections were counted and not looked into
 note  3 packets of UDP port 3389: that transport is not read
";
    assert_eq!(summary(&samples::summary(), &PLAIN), expected);
    assert_eq!(summary(&Summary::default(), &PLAIN), "no RDP connection was read\n");
    let explained = Summary { connections: 1, failed: 1, explained: 1, ..Summary::default() };
    assert_eq!(summary(&explained, &PLAIN), "1 connection: 1 failed, explained\n");
}

#[test]
fn colour_changes_nothing_but_colour() {
    for c in samples::document().connections {
        let colored = connection(&c, &Style { color: true, ..PLAIN });
        assert!(colored.contains("\x1b["), "{colored}");
        assert_eq!(without_color(&colored), connection(&c, &PLAIN));
    }
    let colored = summary(&samples::summary(), &Style { color: true, ..PLAIN });
    assert_eq!(without_color(&colored), summary(&samples::summary(), &PLAIN));
}

#[test]
fn lines_fit_the_width() {
    for width in [60, 80, 100, 120] {
        for c in samples::document().connections {
            let style = Style { color: false, width };
            let printed = connection(&c, &style);
            // A command stands on a line of its own and is never torn; so is a word.
            let fits = |line: &str| line.chars().count() <= width || line.contains("Get-WinEvent");
            let hostile = c.outcome == Outcome::NotRdp;
            assert!(hostile || printed.lines().all(fits), "{width}\n{printed}");
        }
    }
    let narrow = connection(&samples::failed_at_tls(), &Style { color: false, width: 0 });
    let least = connection(&samples::failed_at_tls(), &Style { color: false, width: 60 });
    assert_eq!(narrow, least);
}

#[test]
fn no_string_of_the_report_can_drive_the_terminal() {
    let attack = "\x1b[2J\r\n\x07\u{9b}31m\u{202e}\u{2028}\t\u{7f}";
    for c in samples::document().connections {
        for printed in every_string_replaced(&c, attack) {
            let quiet =
                |c: char| c == '\n' || !c.is_control() && !('\u{2028}'..='\u{202e}').contains(&c);
            assert!(printed.chars().all(quiet), "{printed:?}");
        }
    }
}

#[test]
fn output_is_bounded_whatever_comes_in() {
    let long = "word ".repeat(20_000);
    for mut c in samples::document().connections {
        for _ in 0..8 {
            c.causes.extend(c.causes.clone());
            c.ruled_out.extend(c.ruled_out.clone());
            c.findings.extend(c.findings.clone());
            c.next.extend(c.next.clone());
        }
        c.rdp.requested = Some(vec![long.clone(); 50]);
        for printed in every_string_replaced(&c, &long) {
            assert!(printed.len() < 100_000, "{} bytes", printed.len());
        }
    }
}

#[test]
fn only_the_four_words_are_printed() {
    let mut c = samples::nla_required();
    for (confidence, word) in
        [(0.4, ""), (0.55, "possible"), (0.8, "probable"), (0.93, "high"), (0.99, "certain")]
    {
        c.causes[0].confidence = confidence;
        c.verdict = Verdict { what: None, cause: None, ..c.verdict };
        let printed = connection(&c, &PLAIN);
        assert!(printed.contains(&format!("\n 1 {word:<9} the server requires")), "{printed}");
    }
}

/// The texts of `c` with all its strings replaced at once, and with each string replaced alone, so
/// that words which choose a branch stay in place.
fn every_string_replaced(c: &Connection, by: &str) -> Vec<String> {
    let good = serde_json::to_value(c).expect("the types serialise");
    let mut places = Vec::new();
    let mut left = vec![String::new()];
    while let Some(at) = left.pop() {
        match good.pointer(&at) {
            Some(Value::Object(map)) => left.extend(map.keys().map(|key| format!("{at}/{key}"))),
            Some(Value::Array(list)) => {
                left.extend((0..list.len().min(20)).map(|n| format!("{at}/{n}")))
            }
            // Words of a fixed list can not be anything else.
            Some(Value::String(_)) if at != "/outcome" && at != "/vantage" => places.push(at),
            _ => {}
        }
    }
    let print = |places: &[String]| {
        let mut changed = good.clone();
        for at in places {
            *changed.pointer_mut(at).expect(at) = Value::String(by.to_string());
        }
        let changed: Connection =
            serde_json::from_value(changed).expect("only strings were replaced");
        connection(&changed, &PLAIN)
    };
    let mut printed = vec![print(&places)];
    printed.extend(places.iter().map(|at| print(std::slice::from_ref(at))));
    printed
}

/// Removes the SGR sequences that this module writes.
fn without_color(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_string();
    for part in parts {
        plain.push_str(part.split_once('m').map(|(_, rest)| rest).unwrap_or(part));
    }
    plain
}
