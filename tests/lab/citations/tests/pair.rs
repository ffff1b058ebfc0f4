//! Cases of the rules about what two captures hold otherwise.

use super::{ACK, Case, SYN, Story, message, x224};

pub fn cases() -> Vec<Case> {
    [ends(), bytes(), openings(), options(), negotiation(), hellos()].concat()
}

/// Each side has said something: packets 4 and 5.
fn talked() -> Story {
    Story::opened().client(b"question").server(b"answer")
}

/// Two SYNs that nobody answers, and a packet of another connection, which the case's check calls the other side's.
fn unheard() -> Story {
    let tried = Story::new().sends(false, SYN, &[]).sends(true, ACK, &[]);
    tried.but(|packet| packet.stream = Some(1)).sends(false, SYN, &[])
}

fn ends() -> Vec<Case> {
    let split = || talked().but_all(|p| p.seq = p.seq.wrapping_add(77_000));
    vec![
        Case::new(
            talked().rst(true),
            6,
            "a RST in the server's name with TTL 64 that is not in the capture at the server's side",
            &[
                "a RST in the server's name with TTL 63 that is not in the capture at the server's side",
                "a FIN in the server's name that is not in the capture at the server's side",
                "the same segment left the server's side",
            ],
        )
        .at_client(talked()),
        Case::new(
            talked().fin(false),
            6,
            "a FIN in the client's name that is not in the capture at the client's side",
            &["a RST in the client's name that is not in the capture at the client's side"],
        )
        .at_server(talked()),
        Case::new(
            talked().fin(true),
            6,
            "the same segment left the server's side",
            &["a FIN in the server's name that is not in the capture at the server's side"],
        )
        .at_client(talked().fin(true)),
        Case::new(
            talked().rst(false),
            6,
            "the same segment arrived at the server's side: it is the client's own",
            &["a RST in the client's name that is not in the capture at the client's side"],
        )
        .at_server(talked().rst(false)),
        Case::new(
            talked().fin(true),
            6,
            "the first close at the client's side was not sent by the other end",
            &["the first close at the server's side was not sent by the other end"],
        )
        .at_client(split().sends(false, ACK, &[]).fin(true)),
        Case::new(
            Story::new().sends(false, SYN, &[]).rst(true),
            2,
            "the refusal left the server's side",
            &["the server got a SYN and refused it"],
        )
        .at_server(Story::new().sends(false, SYN, &[])),
        Case::new(
            unheard(),
            3,
            "the SYN arrived at the server's side, and the refusal did not come from there",
            &["the server got a SYN and refused it"],
        )
        .at_server(Story::new().sends(false, SYN, &[]).rst(true)),
    ]
}

fn bytes() -> Vec<Case> {
    let repeated =
        || talked().client(b"lost").but(|p| p.seq = 1009).client(b"lost").but(|p| p.seq = 1009);
    vec![
        Case::new(
            talked().server(b" and more"),
            6,
            "15 bytes arrived from the server, which had sent 6",
            &[
                "14 bytes arrived from the server, which had sent 6",
                "15 bytes arrived from the server, which had sent 8",
            ],
        )
        .at_client(talked()),
        Case::new(
            repeated(),
            7,
            "4 bytes left the client's side 2 times and are not in the other capture",
            &[
                "5 bytes left the client's side 2 times and are not in the other capture",
                "4 bytes left the client's side 3 times and are not in the other capture",
            ],
        )
        .at_client(talked()),
        Case::new(
            talked(),
            4,
            "byte 3 of the X.224 Connection Request differs between the two captures (byte 3 of the stream): \
             737469 was sent, 726965 arrived",
            &[
                "byte 3 of the X.224 Connection Request differs between the two captures (byte 5 of the stream)",
                "byte 3 of the X.224 Connection Request differs between the two captures (byte 3 of the stream): \
                 726965 was sent, 737469 arrived",
            ],
        )
        .at_client(Story::opened().client(b"queries!").server(b"answer")),
        Case::new(
            talked(),
            4,
            "the streams differ behind byte 3",
            &["the streams differ behind byte 4"],
        )
        .at_client(Story::opened().client(b"queries!").server(b"answer")),
        Case::new(
            talked().server(b"ANSWER").but(|p| p.seq = 5001),
            6,
            "byte 0 of the ServerHello differs between the two captures (byte 0 of the stream): 41 was sent, \
             61 arrived; the same place came twice with different bytes",
            &["byte 1 of the ServerHello differs between the two captures (byte 9 of the stream): 41 was sent, \
               61 arrived; the same place came twice with different bytes"],
        )
        .at_client(Story::opened().client(b"question").server(b"ANSWER")),
    ]
}

fn openings() -> Vec<Case> {
    let tried = || Story::new().sends(false, SYN, &[]);
    let twice =
        || tried().sends(true, SYN | ACK, &[]).sends(true, SYN | ACK, &[]).but(|p| p.seq = 5000);
    vec![
        Case::new(
            twice(),
            2,
            "the server answered the SYN 2 times",
            &["the server answered the SYN 3 times"],
        )
        .at_server(tried()),
        Case::new(unheard(), 3, "2 SYNs, no answer", &["3 SYNs, no answer"]).at_client(twice()),
        Case::new(
            talked(),
            2,
            "the answer arrived and the client went on",
            &["the server answered the SYN 2 times"],
        )
        .at_client(twice()),
        Case::new(
            Story::opened(),
            2,
            "a SYN-ACK arrived in the server's name",
            &["the server sent another SYN-ACK"],
        )
        .at_client(Story::opened()),
        Case::new(
            tried().rst(true),
            1,
            "the server got a SYN and refused it",
            &["the SYN arrived at the server's side, and the refusal did not come from there"],
        )
        .at_server(Story::opened()),
        Case::new(
            tried().rst(true),
            1,
            "the server got a SYN and sent no SYN-ACK",
            &["2 SYNs, no answer"],
        )
        .at_server(Story::opened()),
        Case::new(
            tried().rst(true),
            1,
            "the only connection of that time at the server's side was not accepted",
            &["2 SYNs, no answer"],
        )
        .at_server(Story::opened()),
        Case::new(
            Story::opened(),
            2,
            "the server sent another SYN-ACK",
            &["the server answered the SYN 2 times"],
        )
        .at_server(Story::opened().but_all(|p| p.seq += u32::from(p.by_server) * 900)),
    ]
}

fn options() -> Vec<Case> {
    let syn = |options: &[u8], number: u32| {
        let options = options.to_vec();
        Story::new().sends(false, SYN, &[]).but(move |p| {
            (p.options, p.seq) = (options, number);
        })
    };
    let own = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    let clamped = [2, 4, 4, 176, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 9];
    vec![
        Case::new(
            syn(&clamped, 1000).sends(true, SYN | ACK, &[]),
            1,
            "in the client's handshake MSS 1460 became 1200, SACK permitted was removed, window scale was changed",
            &[
                "in the client's handshake MSS 1460 became 1300",
                "in the client's handshake timestamps was removed",
                "in the client's handshake window 500 became 400",
                "in the client's handshake SACK permitted was added",
            ],
        )
        .at_server(syn(&own, 1000)),
        Case::new(
            syn(&clamped, 9000).sends(true, SYN | ACK, &[]),
            1,
            "the SYN that arrived is another than the one that was sent: another sequence number; MSS 1460 became 1200",
            &[
                "the SYN that arrived is another than the one that was sent: another sequence number and another \
                 timestamp",
                "the SYN that arrived is another than the one that was sent: another sequence number; MSS 1 became 2",
            ],
        )
        .at_server(syn(&own, 1000)),
    ]
}

fn negotiation() -> Vec<Case> {
    let asked = |part: &[u8]| Story::opened().client(&x224(0xE0, part));
    let told = |part: &[u8]| asked(&[1, 0, 8, 0, 3, 0, 0, 0]).server(&x224(0xD0, part));
    vec![
        Case::new(
            asked(&[1, 0, 8, 0, 1, 0, 0, 0]),
            4,
            "the request arrived asking for SSL",
            &["the request arrived asking for SSL | HYBRID"],
        ),
        Case::new(
            asked(b"Cookie: mstshash=lab\r\n"),
            4,
            "the request arrived without RDP_NEG_REQ",
            &["the request arrived asking for SSL"],
        ),
        Case::new(
            asked(&[&[1, 8, 8, 0, 3, 0, 0, 0, 6, 0, 36, 0][..], &[0; 32]].concat()),
            4,
            "the request was sent with rdpCorrelationInfo",
            &["the request arrived without rdpCorrelationInfo"],
        ),
        Case::new(
            asked(b"Cookie: mstshash=lab\r\n\x01\0\x08\0\x01\0\0\0"),
            4,
            "the request was sent with a cookie of 3 bytes",
            &[
                "the request was sent with a cookie of 4 bytes",
                "the request was sent with no cookie or token",
            ],
        ),
        Case::new(
            asked(&[1, 0, 8, 0, 1, 0, 0, 0]),
            4,
            "the request arrived with no cookie or token",
            &["the request arrived with a cookie of 3 bytes"],
        ),
        Case::new(
            told(&[2, 1, 8, 0, 2, 0, 0, 0]),
            5,
            "the server answered with HYBRID selected",
            &["the server answered with SSL selected", "the server answered with no negotiation"],
        ),
        Case::new(
            told(&[3, 0, 8, 0, 5, 0, 0, 0]),
            5,
            "the answer arrived with the refusal HYBRID_REQUIRED_BY_SERVER",
            &[
                "the answer arrived with the refusal SSL_REQUIRED_BY_SERVER",
                "the answer arrived with SSL selected",
            ],
        ),
        Case::new(
            told(&[2, 8, 8, 0, 2, 0, 0, 0]),
            5,
            "the answer arrived with source reference 0x0000 and flags 0x08",
            &["the answer arrived with source reference 0x1234 and flags 0x08"],
        ),
    ]
}

fn hellos() -> Vec<Case> {
    let extensions = |list: &[u8]| [&[0, list.len() as u8][..], list].concat();
    let offered = [0, 43, 0, 5, 4, 3, 4, 3, 3];
    let client =
        [&[3, 3][..], &[0xAB; 32], &[0, 0, 4, 0x13, 1, 0x13, 2, 1, 0], &extensions(&offered)]
            .concat();
    let chosen =
        [&[3, 3][..], &[7; 32], &[0, 0x13, 1, 0], &extensions(&[0, 43, 0, 2, 3, 4])].concat();
    let der = b"0\x03CN1";
    let chain = [&[0, 0, 8, 0, 0, 5][..], der].concat();
    let greeted = move || {
        let answer = [message(2, &chosen), message(11, &chain)].concat();
        Story::opened().client(&message(1, &client)).server(&answer)
    };
    let hello = "sent: ClientHello of 54 bytes, random abababab…, JA4 t13i0201";
    vec![
        Case::new(
            greeted(),
            4,
            hello,
            &[
                "sent: ClientHello of 55 bytes, random abababab…, JA4 t13i0201",
                "sent: ClientHello of 54 bytes, random abababac…, JA4 t13i0201",
                "sent: ClientHello of 54 bytes, random abababab…, JA4 t12i0201",
                "sent: ClientHello of 54 bytes, random abababab…, JA4 t13d0201",
            ],
        ),
        Case::new(
            greeted(),
            4,
            "arrived: ClientHello of 54 bytes, random abababab…, JA4 t13i0201",
            &[],
        ),
        Case::new(
            greeted(),
            4,
            "the client offered up to TLS 1.3",
            &["the client offered up to TLS 1.2"],
        ),
        Case::new(
            greeted(),
            5,
            "the client was answered TLS 1.3",
            &["the client was answered TLS 1.2"],
        ),
        Case::new(
            greeted(),
            5,
            "the server's hello: TLS 1.3, suite TLS_AES_128_GCM_SHA256, 1 extensions",
            &[
                "the server's hello: TLS 1.2, suite TLS_AES_128_GCM_SHA256, 1 extensions",
                "the server's hello: TLS 1.3, suite TLS_AES_128_GCM_SHA256, 2 extensions",
            ],
        ),
        Case::new(
            greeted(),
            5,
            "the hello that came: TLS 1.3, suite TLS_AES_128_GCM_SHA256, 1 extensions",
            &[],
        ),
        Case::new(
            greeted(),
            5,
            "the server sent CN=CN1, issued by CN=CN1, SHA-256 5eb1d88c0e525da6…",
            &["the server sent CN=CN1, issued by CN=CN1, SHA-256 0123456789abcdef…"],
        ),
    ]
}
