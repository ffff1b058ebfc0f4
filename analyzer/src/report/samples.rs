//! Hand-written connections for the tests of the schema and of the text.

use super::*;

/// A connection of which nothing but its frame is known.
pub(super) fn blank(index: u64, outcome: Outcome) -> Connection {
    Connection {
        schema: SCHEMA.to_string(),
        source: "case.pcapng".to_string(),
        vantage: Vantage::V1,
        index,
        case: 1,
        r#final: true,
        supersedes: None,
        client: "10.0.0.5:50111".to_string(),
        server: Some("10.0.0.9:3389".to_string()),
        started: "2026-11-22T14:03:07.123Z".to_string(),
        duration_ms: 31.2,
        outcome,
        reached: None,
        reached_basis: None,
        complete: true,
        calibrated: false,
        ended: end(None, None, "open"),
        mstsc: Mstsc { code: None, extended: None, basis: None, direct: None },
        verdict: Verdict {
            what: None,
            cause: None,
            class: None,
            control: None,
            party: "unknown".to_string(),
            confidence: Confidence { what: 0.0, who: 0.0, why: 0.0 },
            sentence: String::new(),
            remedy: None,
            between: None,
        },
        causes: Vec::new(),
        ruled_out: Vec::new(),
        findings: Vec::new(),
        evidence: Vec::new(),
        next: Vec::new(),
        legs: Legs { single: Some(LegReport::default()), ..Legs::default() },
        rdp: Rdp::default(),
        tls: None,
        timings_ms: Timings::default(),
    }
}

/// Relayed; the server resets behind the ClientHello. Three causes compete and none is named.
pub(super) fn failed_at_tls() -> Connection {
    let mut c = blank(1, Outcome::Failed);
    step(&mut c, "tls_client_hello", "seen");
    c.ended = end(Some("server"), Some("server"), "rst");
    c.ended.errno = Some("ECONNRESET".to_string());
    c.ended.after_bytes = Some(AfterBytes { to_server: 560, to_client: 19 });
    c.ended.at_ms = Some(31.2);
    mstsc(&mut c, "0x904");
    c.verdict = Verdict {
        what: Some("rst-genuine-server".to_string()),
        cause: None,
        class: Some("abort".to_string()),
        control: None,
        party: "server".to_string(),
        confidence: Confidence { what: 0.93, who: 0.55, why: 0.4 },
        sentence: "The server accepted the connection and cut it off at the first message of the \
                   encryption. It never showed a certificate. Password and user account had no part in this."
            .to_string(),
        remedy: Some("Give NETWORK SERVICE read access to the key file of the RDP certificate. \
                      Undo: icacls restores the saved list."
            .to_string()),
        between: None,
    };
    compete(&mut c);
    c.legs = relayed();
    c.rdp = Rdp {
        cookie: Some("user#9f2c".to_string()),
        requested: Some(["SSL", "HYBRID", "HYBRID_EX"].map(str::to_string).to_vec()),
        flags: Some(0),
        selected: Some("HYBRID_EX".to_string()),
        ..Rdp::default()
    };
    c.tls = Some(Tls {
        offered: vec!["1.3".to_string(), "1.2".to_string()],
        ja4: Some("t13i210900_0123456789ab_0123456789ab".to_string()),
        sni: Some("srv07.corp.example".to_string()),
        certificate_hidden: Some("not_sent".to_string()),
        ..Tls::default()
    });
    c.timings_ms = Timings { tcp: Some(11.8), tcp_client: Some(0.06), x224: Some(12.4), tls: None };
    c
}

/// Causes with facts for, against and unknown, and all that stands beside them.
fn compete(c: &mut Connection) {
    c.causes = vec![
        candidate(
            "cert-key-inaccessible",
            0.55,
            "the server can not use its TLS key",
            &["E1", "E2"],
        ),
        candidate(
            "tls-version-intolerance",
            0.45,
            "the server does not stand this TLS offer",
            &["E2"],
        ),
    ];
    c.causes[0].unknown = vec!["the server's event log was not seen".to_string()];
    c.causes[1].against = vec!["E3".to_string()];
    c.ruled_out = vec![
        RuledOut { id: "pmtu-blackhole-s2c".to_string(), by: "E2".to_string() },
        RuledOut { id: "tcp-refused-rst".to_string(), by: "E4".to_string() },
        RuledOut { id: "service-down-after-accept".to_string(), by: "E4".to_string() },
    ];
    c.findings = vec![Finding {
        id: "relay-by-address".to_string(),
        says: "the server was dialled by address, so Kerberos was not used".to_string(),
        evidence: vec!["E4".to_string()],
    }];
    c.evidence = vec![
        evidence("E1", "the server sent no ServerHello and no alert", None),
        evidence("E2", "RST 13.1 ms after the ClientHello", Some(("packet", Some(9), "server"))),
        evidence(
            "E3",
            "another client offered TLS 1.3 and was served",
            Some(("read", Some(4), "client")),
        ),
        evidence(
            "E4",
            "the server answered the X.224 request",
            Some(("packet", Some(6), "server")),
        ),
    ];
    c.next = vec![NextStep {
        r#do: "on the server, read its own events of the certificate and of TLS (changes nothing)"
            .to_string(),
        command: Some(
            "Get-WinEvent -FilterHashtable @{LogName='System';Id=1057,1058,36870,36871} -Max 5"
                .to_string(),
        ),
    }];
}

/// Relayed; nothing listens at the server's two addresses.
pub(super) fn refused_tcp() -> Connection {
    let mut c = blank(2, Outcome::Failed);
    step(&mut c, "x224_request", "seen");
    c.server = Some("srv07.corp.example:3389".to_string());
    c.ended = end(Some("server"), None, "never_opened");
    c.ended.errno = Some("ECONNREFUSED".to_string());
    mstsc(&mut c, "0x904");
    c.mstsc.direct = Some("0x204".to_string());
    c.verdict.what = Some("tcp-refused-rst".to_string());
    c.verdict.cause = Some("tcp-refused-rst".to_string());
    c.verdict.class = Some("reachability".to_string());
    c.verdict.party = "server".to_string();
    c.verdict.confidence = Confidence { what: 0.99, who: 0.8, why: 0.93 };
    c.verdict.sentence =
        "Nothing accepts Remote Desktop connections on srv07.corp.example.".to_string();
    c.verdict.remedy = Some("Turn on Remote Desktop there.".to_string());
    c.legs = relayed();
    if let Some(leg) = &mut c.legs.server {
        leg.attempts = vec![
            "[2001:db8::9]:3389 unreachable".to_string(),
            "10.0.0.9:3389 refused after 0.4 ms".to_string(),
        ];
    }
    c.timings_ms.tcp_client = Some(0.1);
    c
}

/// A capture; the client does not offer what the server requires.
pub(super) fn nla_required() -> Connection {
    let mut c = blank(12, Outcome::Failed);
    step(&mut c, "x224_confirm", "seen");
    c.ended = end(Some("single"), Some("client"), "fin");
    c.ended.after_bytes = Some(AfterBytes { to_server: 47, to_client: 19 });
    c.verdict.what = Some("nla-required".to_string());
    c.verdict.cause = Some("nla-required".to_string());
    c.verdict.class = Some("server-config".to_string());
    c.verdict.party = "client".to_string();
    c.verdict.confidence = Confidence { what: 0.99, who: 0.8, why: 0.99 };
    c.verdict.sentence =
        "The server lets in only clients that sign in before the session starts, and this one did not offer to."
            .to_string();
    c.causes = vec![candidate(
        "nla-required",
        0.99,
        "the server requires Network Level Authentication",
        &["E1"],
    )];
    c.evidence = vec![evidence("E1", "RDP_NEG_FAILURE 5", Some(("packet", Some(5), "single")))];
    c.rdp.requested = Some(vec!["SSL".to_string()]);
    c.rdp.failure = Some("HYBRID_REQUIRED_BY_SERVER".to_string());
    c.timings_ms = Timings { tcp: Some(0.4), x224: Some(1.9), ..Timings::default() };
    c
}

/// A good session that mstsc ended in its usual way.
pub(super) fn established() -> Connection {
    let mut c = blank(3, Outcome::Established);
    step(&mut c, "active", "inferred");
    c.duration_ms = 252_400.0;
    c.ended = end(Some("single"), Some("client"), "rst");
    c.ended.after_bytes = Some(AfterBytes { to_server: 81_920, to_client: 12 << 20 });
    c.rdp.selected = Some("HYBRID".to_string());
    c.tls = Some(Tls {
        offered: vec!["1.2".to_string()],
        version: Some("1.2".to_string()),
        cipher: Some("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384".to_string()),
        alerts: vec![AlertReport {
            from: "client".to_string(),
            level: None,
            code: None,
            name: None,
            encrypted: true,
        }],
        certificate: Some(CertificateReport {
            subject: "CN=srv07".to_string(),
            issuer: "CN=srv07".to_string(),
            serial: "1d2f".to_string(),
            not_before: "2026-03-01T00:00:00Z".to_string(),
            not_after: "2026-08-30T00:00:00Z".to_string(),
            names: vec!["srv07".to_string()],
            key: "RSA 2048".to_string(),
            signature: "sha256WithRSAEncryption".to_string(),
            extended_key_usage: vec!["serverAuth".to_string()],
            sha256: "ab".repeat(32),
            self_signed: true,
            chain_length: 1,
        }),
        records: [120, 4711],
        ..Tls::default()
    });
    c.legs.single = Some(LegReport {
        local: Some("10.0.0.9:3389".to_string()),
        peer: Some("10.0.0.5:50111".to_string()),
        community_id: Some("1:LQU9qZlK+B5F3KDmev6m5PMibrg=".to_string()),
        ..LegReport::default()
    });
    c
}

/// mstsc left for its prompt; a later connection may still change that.
pub(super) fn rehearsal() -> Connection {
    let mut c = blank(4, Outcome::Rehearsal);
    step(&mut c, "tls_finished", "inferred");
    c.r#final = false;
    c.ended = end(Some("single"), Some("client"), "fin");
    c.rdp.requested = Some(vec!["SSL".to_string(), "HYBRID".to_string()]);
    c
}

/// Something else on the port, whose words try to drive the terminal.
pub(super) fn hostile() -> Connection {
    let mut c = blank(5, Outcome::NotRdp);
    step(&mut c, "tcp", "seen");
    c.ended = end(Some("single"), Some("server"), "fin");
    c.rdp.cookie = Some("\x1b]0;owned\x07\r\nadmin\u{202e}gpj".to_string());
    c.verdict.sentence =
        "The server's first words were SSH-2.0-\x1b[2J\x1b[31m\u{9b}5m.".to_string();
    c
}

/// The document with every sample in it.
pub(super) fn document() -> Document {
    let connections =
        vec![failed_at_tls(), refused_tcp(), nla_required(), established(), rehearsal(), hostile()];
    Document { schema: SCHEMA.to_string(), summary: summary(), connections }
}

/// Totals.
pub(super) fn summary() -> Summary {
    Summary {
        connections: 6,
        established: 1,
        rehearsal: 1,
        failed: 3,
        explained: 2,
        not_rdp: 1,
        other_tcp: 12,
        causes: [("nla-required", 2), ("rst-genuine-server", 1)]
            .map(|(id, count)| CauseCount { id: id.to_string(), count })
            .to_vec(),
        notes: vec!["3 packets of UDP port 3389: that transport is not read".to_string()],
        ..Summary::default()
    }
}

fn step(c: &mut Connection, reached: &str, basis: &str) {
    c.reached = Some(reached.to_string());
    c.reached_basis = Some(basis.to_string());
}

fn end(leg: Option<&str>, from: Option<&str>, how: &str) -> Ended {
    Ended {
        leg: leg.map(str::to_string),
        from: from.map(str::to_string),
        how: how.to_string(),
        errno: None,
        after_bytes: None,
        at_ms: None,
    }
}

fn mstsc(c: &mut Connection, code: &str) {
    c.mstsc.code = Some(code.to_string());
    c.mstsc.basis = Some("inferred".to_string());
}

fn relayed() -> Legs {
    Legs { client: Some(LegReport::default()), server: Some(LegReport::default()), single: None }
}

fn candidate(id: &str, confidence: f64, says: &str, supports: &[&str]) -> Candidate {
    Candidate {
        id: id.to_string(),
        confidence,
        says: says.to_string(),
        r#for: supports.iter().map(|id| id.to_string()).collect(),
        against: Vec::new(),
        unknown: Vec::new(),
    }
}

fn evidence(id: &str, fact: &str, origin: Option<(&str, Option<u64>, &str)>) -> EvidenceItem {
    let origin = origin.map(|(kind, n, leg)| EvidenceOrigin {
        kind: kind.to_string(),
        n,
        leg: leg.to_string(),
        file: Some("case.pcapng".to_string()),
    });
    EvidenceItem { id: id.to_string(), fact: fact.to_string(), origin, at_ms: Some(13.1) }
}
