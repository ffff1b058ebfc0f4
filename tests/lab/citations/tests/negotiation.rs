//! Cases of the rules about what Remote Desktop negotiates.

use super::{Case, Story, confirm, record, tpkt, x224};

pub fn cases() -> Vec<Case> {
    [requests(), confirms(), others()].concat()
}

fn requests() -> Vec<Case> {
    let agreed = Story::negotiated;
    let plain = x224(0xE0, b"Cookie: mstshash=lab\r\n");
    let announced = x224(0xE0, b"Cookie: a=b\r\n\x01\x08\x08\0\x01\0\0\0");
    vec![
        Case::new(agreed(), 4, "the client asked for SSL | HYBRID", &["the client asked for RDP"]),
        Case::new(
            Story::opened().client(&plain).pause(5.0).server(&confirm()),
            4,
            "no byte from the server in the 5.0 s after the X.224 Connection Request",
            &["no byte from the server in the 9.0 s after the X.224 Connection Request"],
        ),
        Case::new(
            Story::opened().client(&plain),
            4,
            "this request carries no security negotiation",
            &["the client asked for SSL"],
        ),
        Case::new(
            Story::opened().client(&announced),
            4,
            "the request's flags announce correlation info that it does not carry",
            &["this request carries no security negotiation"],
        ),
        Case::new(agreed().fin(false), 6, "the client closed without a further message", &[]),
        Case::new(
            Story::opened().client(&x224(0xE0, b"Cookie: msts=1.2.3\r\n\x01\0\x08\0\x01\0\0\0")),
            4,
            "the request brings a token (msts)",
            &["this request carries no security negotiation"],
        ),
    ]
}

fn confirms() -> Vec<Case> {
    let agreed = Story::negotiated;
    let refused = || {
        let story = Story::opened().client(&x224(0xE0, &[1, 0, 8, 0, 0, 0, 0, 0]));
        story.server(&x224(0xD0, &[3, 0, 8, 0, 5, 0, 0, 0]))
    };
    let old = Story::opened().client(&x224(0xE0, &[1, 0, 8, 0, 1, 0, 0, 0]));
    vec![
        Case::new(
            agreed(),
            5,
            "the server answered the X.224 request with a Connection Confirm",
            &["RDP_NEG_FAILURE 2 SSL_NOT_ALLOWED_BY_SERVER"],
        ),
        Case::new(
            agreed().pause(0.5).fin(true),
            5,
            "the server agreed to TLS and closed 510.0 ms later, before a ClientHello came",
            &["the server agreed to TLS and closed 10.0 ms later, before a ClientHello came"],
        ),
        Case::new(
            agreed(),
            5,
            "the server selected HYBRID; the client had asked for SSL | HYBRID",
            &[
                "the server selected SSL and refused nothing",
                "the server selected HYBRID; the client had asked for SSL",
            ],
        ),
        Case::new(
            agreed(),
            5,
            "selectedProtocol is HYBRID, requestedProtocols was SSL | HYBRID",
            &[
                "selectedProtocol is SSL, requestedProtocols was SSL | HYBRID",
                "selectedProtocol is HYBRID, requestedProtocols was RDP",
            ],
        ),
        Case::new(
            old.server(&x224(0xD0, &[])),
            5,
            "a Connection Confirm without negotiation; the client had asked for SSL",
            &["a Connection Confirm without negotiation; the client had asked for HYBRID"],
        ),
        Case::new(
            refused(),
            5,
            "RDP_NEG_FAILURE 5 HYBRID_REQUIRED_BY_SERVER",
            &[
                "RDP_NEG_FAILURE 1 SSL_REQUIRED_BY_SERVER",
                "RDP_NEG_FAILURE 5 SSL_REQUIRED_BY_SERVER",
                "the server selected RDP and refused nothing",
                "a clear RDP packet follows the RDP_NEG_FAILURE",
            ],
        ),
        Case::new(refused(), 5, "the server had refused the negotiation before", &[]),
        Case::new(
            refused().server(&tpkt(&[2, 0xF0, 0x80, 0x21, 0x80])),
            5,
            "a clear RDP packet follows the RDP_NEG_FAILURE",
            &[],
        ),
    ]
}

fn others() -> Vec<Case> {
    let says = |bytes: &[u8]| Story::opened().client(&x224(0xE0, &[])).server(bytes);
    let error = tpkt(&[2, 0xF0, 0x80, 0x68, 0x2F, 0, 0, 0, 4, 1, 0, 0]);
    vec![
        Case::new(
            says(b"HTTP/1.1 302 Found\r\n\r\n"),
            5,
            "the first bytes from the server side are an HTTP response",
            &["the first bytes from the server side are SSH, not TPKT"],
        ),
        Case::new(
            says(b"HTTP/1.1 302 Found\r\n\r\n"),
            5,
            "it redirects, demands a login or stands before another (30x, 511 or Via)",
            &["the answer to the X.224 Connection Request is a TLS record"],
        ),
        Case::new(
            says(b"HTTP/1.1 200 Fine\r\nVIA: a box\r\n\r\n"),
            5,
            "it redirects, demands a login or stands before another (30x, 511 or Via)",
            &[],
        ),
        Case::new(
            says(b"HTTP/1.1 400 Bad\r\nX-Squid-Error: ERR_X 0\r\n\r\n"),
            5,
            "the answer is one of a forward proxy (Proxy-Agent or X-Squid-Error)",
            &["a proxy demands a login in its answer (407 or Proxy-Authenticate)"],
        ),
        Case::new(
            says(b"HTTP/1.1 407 No\r\n\r\n"),
            5,
            "a proxy demands a login in its answer (407 or Proxy-Authenticate)",
            &["the answer is one of a forward proxy (Proxy-Agent or X-Squid-Error)"],
        ),
        Case::new(
            says(b"SSH-2.0-x\r\n"),
            5,
            "the first bytes from the server side are SSH, not TPKT",
            &[
                "the first bytes from the server side are an HTTP response",
                "the first bytes from the server side are VNC, not TPKT",
                "the first bytes from the server side are an unknown protocol, not TPKT",
                "it redirects, demands a login or stands before another (30x, 511 or Via)",
            ],
        ),
        Case::new(
            says(&record(21, &[2, 10])),
            5,
            "the answer to the X.224 Connection Request is a TLS record",
            &["the first bytes from the server side are an unknown protocol, not TPKT"],
        ),
        Case::new(
            Story::negotiated().client(&tpkt(&[2, 0xF0, 0x80, 0x7F, 0x65, 0x82, 1, 2])),
            6,
            "the client went on with MCS in clear, which is none of it",
            &["MCS Disconnect Provider Ultimatum, reason 3, from the client"],
        ),
        Case::new(
            Story::negotiated().server(&tpkt(&[2, 0xF0, 0x80, 0x21, 0x80])),
            6,
            "where the server's TLS should begin there is a clear TPKT packet, not a TLS record",
            &["the server answered the X.224 request with a Connection Confirm"],
        ),
        Case::new(
            Story::negotiated().server(&tpkt(&[2, 0xF0, 0x80, 0x21, 0x80])),
            6,
            "MCS Disconnect Provider Ultimatum, reason 3, from the server",
            &[
                "MCS Disconnect Provider Ultimatum, reason 1, from the server",
                "MCS Disconnect Provider Ultimatum, reason 3, from the client",
                "it is an MCS Disconnect Provider Ultimatum, reason 4",
            ],
        ),
        Case::new(
            // Behind two updates of the fast path.
            Story::negotiated().server(&[&[0, 3, 9, 0, 0x80, 4, 9][..], &error].concat()),
            6,
            "Set Error Info PDU, errorInfo 0x00000104",
            &["Set Error Info PDU, errorInfo 0x00000105"],
        ),
        Case::new(
            Story::negotiated().server(&error),
            6,
            "licensing error message, dwErrorCode 0x104, dwStateTransition 1",
            &["licensing error message, dwErrorCode 0x2, dwStateTransition 1"],
        ),
    ]
}
