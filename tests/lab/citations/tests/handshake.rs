//! Cases of the rules about TLS.

use super::{Case, Story, message, record, tpkt};

pub fn cases() -> Vec<Case> {
    [hellos(), answers(), certificates(), alerts(), encrypted()].concat()
}

/// A ClientHello for TLS 1.3 and 1.2 with two cipher suites, one of them the mark of a fallback.
fn client_hello() -> Vec<u8> {
    let versions = [0, 43, 0, 5, 4, 3, 4, 3, 3];
    let name = *b"\0\0\0\x0D\0\x0B\0\0\x08host.lan";
    let extensions = [&versions[..], &name].concat();
    let fixed = [&[3, 3][..], &[7; 32], &[0, 0, 4, 0x13, 1, 0x56, 0, 1, 0]].concat();
    message(1, &[&fixed[..], &[0, extensions.len() as u8], &extensions].concat())
}

/// A ServerHello for TLS 1.2 whose random value ends with the sentinel.
fn server_hello() -> Vec<u8> {
    message(2, &[&[3, 3][..], &[7; 24], b"DOWNGRD\x01", &[0, 0xC0, 0x2F, 0]].concat())
}

fn hello() -> Story {
    Story::negotiated().client(&client_hello())
}

/// A hello in two segments: packets 6 and 7.
fn hello_in_two() -> Story {
    let bytes = client_hello();
    Story::negotiated().client(&bytes[..30]).client(&bytes[30..])
}

fn hellos() -> Vec<Case> {
    vec![
        Case::new(
            hello(),
            6,
            "the client offered TLS 1.3, 1.2",
            &["the client offered TLS 1.2", "the client offered TLS 1.3, 1.2, 1.1"],
        ),
        Case::new(hello_in_two(), 7, "the client offered TLS 1.3, 1.2", &[]),
        Case::new(
            hello(),
            6,
            "the client offered 2 cipher suites",
            &["the client offered 3 cipher suites"],
        ),
        Case::new(
            hello(),
            6,
            "this hello offers TLS 1.3 at most, the one before offered 1.3",
            &["this hello offers TLS 1.2 at most, the one before offered 1.3"],
        ),
        Case::new(
            hello().rst(true),
            6,
            "this hello offers TLS 1.3 and was not answered by a ServerHello",
            &["this hello offers TLS 1.1 and was not answered by a ServerHello"],
        ),
        Case::new(
            hello().server(&server_hello()),
            6,
            "the ClientHello offers TLS 1.3",
            &[
                "the ClientHello offers TLS 1.2",
                "this hello offers TLS 1.3 and was not answered by a ServerHello",
                "the ClientHello has 71 bytes and was not answered",
            ],
        ),
        Case::new(hello(), 6, "it carries TLS_FALLBACK_SCSV", &[]),
        Case::new(
            hello(),
            6,
            "the ClientHello has 71 bytes and was not answered",
            &["the ClientHello has 1700 bytes and was not answered"],
        ),
        Case::new(
            hello().pause(0.5).fin(true),
            6,
            "the ClientHello got no ServerHello and no alert; the end came 510.0 ms later",
            &["the ClientHello got no ServerHello and no alert; the end came 10.0 ms later"],
        ),
        Case::new(
            hello(),
            6,
            "only 19 bytes of the server have ever come, and its next answer is a large one",
            &["only 20 bytes of the server have ever come, and its next answer is a large one"],
        ),
    ]
}

fn answers() -> Vec<Case> {
    let answered = || hello().server(&server_hello());
    vec![
        Case::new(
            answered(),
            7,
            "the server chose 1.2 and its random ends with the downgrade sentinel",
            &["the server chose 1.3", "the server sent a CertificateRequest"],
        ),
        Case::new(
            answered(),
            7,
            "cipher suite TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is not among the 2 offered",
            &["cipher suite TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is not among the 1 offered"],
        ),
        Case::new(
            answered().server(&message(13, &[1, 1, 0, 0, 0, 0])),
            8,
            "the server sent a CertificateRequest",
            &["the server chose 1.2"],
        ),
    ]
}

/// A Certificate message with this in it.
fn certified(der: &[u8]) -> Story {
    let length = [0, 0, der.len() as u8];
    let list = [&[0, 0, der.len() as u8 + 3], &length[..], der].concat();
    hello().server(&server_hello()).server(&message(11, &list))
}

fn certificates() -> Vec<Case> {
    const MD5: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 4];
    let whole = |fact, wrong| Case::new(certified(b"lab of lab, 127.0.0.1"), 8, fact, wrong);
    let lives = |text: &[u8]| certified(&[b"\x30\x1E", text].concat());
    let past = || lives(b"\x17\x0D230101000000Z\x17\x0D240101000000Z");
    let future = || lives(b"\x17\x0D260101000000Z\x18\x0F20520101000000Z");
    let key = [&[2, 0x41, 0][..], &[0xAB; 64], &[2, 3, 1, 0, 1]].concat();
    vec![
        Case::new(
            past(),
            8,
            "the certificate expired 366 days before this connection",
            &["the certificate expired 365 days before this connection"],
        ),
        Case::new(
            future(),
            8,
            "the certificate becomes valid 365 days after this connection",
            &["the certificate becomes valid 4 days after this connection"],
        ),
        Case::new(
            certified(&[127, 0, 0, 1, b'l', b'a', b'b']),
            8,
            "the client asked for host.lan, the certificate names lab, 127.0.0.1",
            &[
                "the client asked for host.lan, the certificate names other.lan",
                "the client asked for other.lan, the certificate names lab",
            ],
        ),
        whole("issuer and subject are both CN=lab", &["issuer and subject are both CN=of lab,"]),
        whole("issued by CN=of lab, in a chain of 1", &["issued by O=rdp, in a chain of 1"]),
        Case::new(
            certified(&key),
            8,
            "the RSA key has only 512 bits",
            &["the RSA key has only 1024 bits"],
        ),
        Case::new(
            certified(MD5),
            8,
            "the signature algorithm md5WithRSAEncryption is weak",
            &["the signature algorithm sha1WithRSAEncryption is weak"],
        ),
        whole("the server's certificate was sent in clear before it", &[]),
        whole("the certificate can not be read: the certificate is malformed: x", &[]),
        whole("the Certificate message can not be read: x", &[]),
        whole("3 bytes follow the certificate", &["the server sent an empty certificate chain"]),
        Case::new(certified(&[]), 8, "the server sent an empty certificate chain", &[]),
        whole("the extended key usage (clientAuth) does not allow a server", &[]),
    ]
}

fn alerts() -> Vec<Case> {
    let refused = |level| hello().server(&record(21, &[level, 40]));
    vec![
        Case::new(
            refused(2),
            7,
            "fatal TLS alert 40 handshake_failure from the server",
            &[
                "fatal TLS alert 70 protocol_version from the server",
                "alert 40 handshake_failure from the client",
            ],
        ),
        Case::new(
            refused(1),
            7,
            "the server answered with alert 40",
            &[
                "the server answered with alert 71",
                "fatal TLS alert 40 handshake_failure from the server",
            ],
        ),
        Case::new(refused(2), 7, "then alert 40 handshake_failure", &["then alert 42 x"]),
        Case::new(refused(2), 7, "the server had sent a TLS alert before", &[]),
        Case::new(
            hello().server(&record(23, &[9; 19])),
            7,
            "the server had sent a TLS alert before",
            &["the client had sent a TLS alert before"],
        ),
    ]
}

fn encrypted() -> Vec<Case> {
    let proved = || {
        let story = hello().server(&server_hello()).client(&record(23, &[1; 400]));
        story.client(&record(23, &[1; 48])).server(&record(23, &[1; 40]))
    };
    let left = || Story::negotiated().fin(false);
    vec![
        Case::new(
            left(),
            6,
            "the client closed without sending a TLS ClientHello",
            &["the client closed after the handshake without sending any data"],
        ),
        Case::new(
            hello().fin(false),
            7,
            "the client closed after the handshake without sending any data",
            &["the client closed without sending a TLS ClientHello"],
        ),
        Case::new(
            proved().fin(true),
            11,
            "behind the client's AUTHENTICATE message (448 bytes) the server sent 40 bytes and ended: no proof",
            &[
                "behind the client's AUTHENTICATE message (447 bytes) the server sent 40 bytes and ended: no proof",
                "behind the client's AUTHENTICATE message (448 bytes) the server sent 90 bytes and ended: no proof",
            ],
        ),
        Case::new(
            proved().fin(true),
            11,
            "the server ended behind the client's proof of the key that it sees",
            &["the stream ends 3 of 9 bytes into a frame"],
        ),
        Case::new(
            proved().fin(false),
            11,
            "the client left right behind what has the length of the server's proof of its key, and sent no credentials",
            &[],
        ),
        Case::new(
            hello().server(&record(22, &[2; 90])[..45]).fin(true),
            8,
            "the stream ends 40 of 90 bytes into a frame",
            &[
                "the stream ends 40 of 91 bytes into a frame",
                "the stream ends a header into a frame",
            ],
        ),
        Case::new(
            hello().server(&tpkt(&[2])[..2]).fin(true),
            8,
            "the stream ends a header into a frame",
            &["the stream ends 2 of 5 bytes into a frame"],
        ),
    ]
}
