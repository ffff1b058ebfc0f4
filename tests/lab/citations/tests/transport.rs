//! Cases of the rules about TCP and IP.

use super::{ACK, Answer, Case, FIN, Packet, RST, SYN, Story};

pub fn cases() -> Vec<Case> {
    [names(), openings(), ends(), marks(), resets(), numbers(), silences(), losses()].concat()
}

/// Each side has said something: packets 4 and 5.
fn talked() -> Story {
    Story::opened().client(b"question").server(b"answer")
}

fn names() -> Vec<Case> {
    let told = |addresses: &[&str]| {
        let answer = Answer {
            name: "Desk.Example.com".into(),
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
        };
        Story::opened().server(b"").but(|packet| packet.answer = Some(answer))
    };
    vec![
        Case::new(
            told(&["192.0.2.7", "192.0.2.8"]),
            4,
            "the DNS answer of 10.0.0.2 for desk.example.com: 192.0.2.7, 192.0.2.8",
            &[
                "the DNS answer of 10.0.0.9 for desk.example.com: 192.0.2.7, 192.0.2.8",
                "the DNS answer of 10.0.0.2 for host.example.com: 192.0.2.7, 192.0.2.8",
                "the DNS answer of 10.0.0.2 for desk.example.com: 192.0.2.7, 192.0.2.9",
                "the DNS answer of 10.0.0.2 for desk.example.com: 192.0.2.7",
            ],
        ),
        Case::new(
            told(&["fd00::7", "fd00::8", "fd00::9"]),
            4,
            "the DNS answer of 10.0.0.2 for desk.example.com: fd00::7 and 2 more",
            &["the DNS answer of 10.0.0.2 for desk.example.com: fd00::7 and 3 more"],
        ),
    ]
}

fn openings() -> Vec<Case> {
    let tried = || Story::new().sends(false, SYN, &[]).pause(0.99);
    let unheard = || {
        let answer = |story: Story| story.pause(1.0).sends(true, SYN | ACK, &[]);
        answer(answer(answer(tried())))
    };
    let blank = |packet: &mut Packet| packet.options = vec![2, 4, 5, 0xB4, 1, 1, 1, 1];
    vec![
        Case::new(
            // A packet of another connection, which the case's check calls the other side's.
            tried().sends(true, ACK, &[]).but(|p| p.stream = Some(1)).sends(false, SYN, &[]),
            3,
            "2 SYNs, no SYN-ACK, RST or ICMP within 9.0 s",
            &["the TCP handshake with the server side completed"],
        ),
        Case::new(
            tried().rst(true),
            2,
            "RST in answer to the SYN to 10.0.0.2:3389 after 1000.0 ms, no ICMP",
            &["RST in answer to the SYN to 10.0.0.2:3389 after 10.0 ms, no ICMP"],
        ),
        Case::new(
            tried().rst(true).but(|p| (p.icmp, p.stream) = (Some((3, 13)), None)),
            2,
            "ICMP type 3 code 13 (prohibited) from 10.0.0.2, quoting the SYN",
            &[
                "ICMP type 3 code 1 (unreachable) from 10.0.0.2, quoting the SYN",
                "ICMP type 3 code 13 (prohibited) from 10.0.0.9, quoting the SYN",
            ],
        ),
        Case::new(
            talked(),
            3,
            "the TCP handshake with the server side completed",
            &["the handshake was answered and reset before any byte was sent"],
        ),
        Case::new(talked(), 3, "the round trip took 20 ms", &["the round trip took 40 ms"]),
        Case::new(
            Story::opened().rst(true),
            4,
            "the handshake was answered and reset before any byte was sent",
            &["the TCP handshake with the server side completed"],
        ),
        Case::new(
            unheard(),
            4,
            "3 SYN-ACKs of the server, and no ACK, RST or byte of the client",
            &["5 SYN-ACKs of the server, and no ACK, RST or byte of the client"],
        ),
        Case::new(
            Story::new().sends(false, SYN, &[]).sends(true, SYN | ACK, &[]).but(blank),
            2,
            "4 no-operation options in a row where the server's system had others",
            &["5 no-operation options in a row where the server's system had others"],
        ),
    ]
}

fn ends() -> Vec<Case> {
    vec![
        Case::new(
            talked().rst(true),
            6,
            "a RST from the server side after 8 bytes to the server and 6 to the client",
            &[
                "a RST from the client side after 8 bytes to the server and 6 to the client",
                "a RST from the server side after 9 bytes to the server and 6 to the client",
                "a RST from the server side after 8 bytes to the server and 0 to the client",
                "a FIN from the server side after 8 bytes to the server and 6 to the client",
            ],
        ),
        Case::new(
            talked().fin(false),
            6,
            "a FIN from the client side after 8 bytes to the server and 6 to the client",
            &["a RST from the client side after 8 bytes to the server and 6 to the client"],
        ),
        Case::new(
            talked().fin(true),
            6,
            "the connection ended before any credentials were sent",
            &[],
        ),
        Case::new(
            talked().pause(0.3).fin(true),
            6,
            "the server side closed 320.0 ms after the client's last bytes",
            &["the server side closed 0.0 ms after the client's last bytes"],
        ),
        Case::new(
            talked().fin(false),
            6,
            "the client left where its user may be asked something",
            &["the server side closed 20.0 ms after the client's last bytes"],
        ),
    ]
}

fn marks() -> Vec<Case> {
    let other_way = || talked().rst(true).but(|packet| packet.ttl = 63);
    vec![
        Case::new(
            other_way(),
            6,
            "the RST has TTL 63, the 2 earlier segments of its sender 64",
            &[
                "the RST has TTL 64, the 2 earlier segments of its sender 64",
                "the RST has TTL 63, the 2 earlier segments of its sender 128",
                "the RST has TTL 63, the 3 earlier segments of its sender 64",
                "the FIN has TTL 63, the 2 earlier segments of its sender 64",
                "the RST looks like its sender's other packets",
            ],
        ),
        Case::new(talked().rst(true), 6, "the RST looks like its sender's other packets", &[]),
        Case::new(
            Story::opened().rst(true).but(|packet| packet.ttl = 50),
            4,
            "the SYN-ACK had TTL 64, what came behind it in the server's name 50",
            &[
                "the SYN-ACK had TTL 64, what came behind it in the server's name 64",
                "the SYN-ACK had TTL 50, what came behind it in the server's name 50",
            ],
        ),
        Case::new(
            talked().server(b"x").but(|packet| packet.ttl = 50),
            6,
            "segments that bear the server's name have different TTLs",
            &["segments that bear the client's name have different TTLs"],
        ),
        Case::new(
            talked().rst(true),
            6,
            "the RST has IP identification 106, its sender's counter stood at 105",
            &[
                "the RST has IP identification 7, its sender's counter stood at 105",
                "the RST has IP identification 106, its sender's counter stood at 9000",
            ],
        ),
    ]
}

fn resets() -> Vec<Case> {
    let ahead = |story: Story, bytes: u32| story.rst(true).but(|packet| packet.ack += bytes);
    let guessed = || ahead(ahead(talked(), 1460), 4380);
    let twice = || talked().rst(true).rst(true).but(|packet| packet.seq += 300);
    vec![
        Case::new(
            talked().rst(true).but(|packet| packet.seq -= 4),
            6,
            "the RST stands 4 bytes before what was due",
            &[
                "the RST stands 4 bytes behind what was due",
                "the RST stands 5 bytes before what was due",
            ],
        ),
        Case::new(
            talked().rst(true).but(|packet| packet.seq += 4),
            6,
            "the RST stands 4 bytes behind what was due",
            &["the RST stands 4 bytes before what was due"],
        ),
        Case::new(
            talked().rst(true).server(b"more"),
            7,
            "10.0 ms after the RST the server sent 4 bytes, as if it knew of none",
            &[
                "90.0 ms after the RST the server sent 4 bytes, as if it knew of none",
                "10.0 ms after the RST the server sent 5 bytes, as if it knew of none",
                "10.0 ms after the RST the server sent an acknowledgement, as if it knew of none",
            ],
        ),
        Case::new(
            twice(),
            7,
            "a second RST of that sender stands 300 bytes ahead of the first, where nothing had been sent",
            &[
                "a second RST of that sender stands 30 bytes ahead of the first, where nothing had been sent",
            ],
        ),
        Case::new(
            guessed(),
            7,
            "RSTs of that sender acknowledge 1460 and 4380 bytes that nobody had sent",
            &[
                "RSTs of that sender acknowledge 1460 and 4381 bytes that nobody had sent",
                "RSTs of that sender acknowledge 1 and 4380 bytes that nobody had sent",
            ],
        ),
        Case::new(
            talked().rst(true).rst(true),
            7,
            "the same RST came 2 times within 10.0 ms",
            &[
                "the same RST came 3 times within 10.0 ms",
                "the same RST came 2 times within 50.0 ms",
            ],
        ),
        Case::new(
            Story::opened().client(b"question").rst(true),
            5,
            "the RST came 10.0 ms after the last byte to that side; the handshake took 90.0 ms",
            &["the RST came 1.0 ms after the last byte to that side; the handshake took 90.0 ms"],
        ),
        Case::new(
            Story::opened().client(b"question").rst(true),
            5,
            "what the client said last was not acknowledged by the server's own segments",
            &["the RST stands 1 bytes behind what was due"],
        ),
    ]
}

fn numbers() -> Vec<Case> {
    let again = |bytes| talked().server(bytes).but(|packet| packet.seq -= 6);
    vec![
        Case::new(
            again(b"ANSWER"),
            6,
            "6 bytes of the server differ from what had come for the same place",
            &["7 bytes of the server differ from what had come for the same place"],
        ),
        Case::new(
            again(b"answer").fin(true).server(b"more"),
            8,
            "4 bytes of the server behind the place of that FIN",
            &[
                "5 bytes of the server behind the place of that FIN",
                "4 bytes of the server differ from what had come for the same place",
            ],
        ),
    ]
}

fn silences() -> Vec<Case> {
    // The server repeats its old answer; that is no new one.
    let repeats = |story: Story| story.pause(2.0).server(b"answer").but(|p| p.seq = 5001);
    let zero = |story: Story| story.sends(false, ACK, &[]).but(|packet| packet.window = 0);
    vec![
        Case::new(
            talked().pause(20.0).client(b"again"),
            6,
            "it was the first word after 20 s of silence: what forgets idle connections drops that as well",
            &[
                "it was the first word after 9 s of silence: what forgets idle connections drops that as well",
            ],
        ),
        Case::new(
            repeats(talked().client(b"and?")).pause(5.0).sends(true, ACK | FIN, &[]),
            6,
            "nothing from the server for 7.0 s after the client's last bytes",
            &["the client left where its user may be asked something"],
        ),
        Case::new(
            talked().client(b"and?").pause(4.0).server(b"that").pause(9.0).sends(true, FIN, &[]),
            6,
            "nothing from the server for 4.0 s after the client's last bytes",
            &["nothing from the server for 7.0 s after the client's last bytes"],
        ),
        Case::new(
            zero(zero(talked()).pause(6.0)).client(b"back"),
            6,
            "window 0 announced by the client for 6.0 s",
            &[
                "window 0 announced by the client for 8.0 s",
                "window 0 announced by the server for 6.0 s",
                "window 9 announced by the client for 6.0 s",
            ],
        ),
        Case::new(
            talked().pause(30.0).client(b"hello?"),
            6,
            "after 30.0 s without a byte the client spoke again, 30.1 s into the connection",
            &[
                "after 20.0 s without a byte the client spoke again, 30.1 s into the connection",
                "after 30.0 s without a byte the client spoke again, 90.1 s into the connection",
                "after 30.0 s without a byte the server spoke again, 30.1 s into the connection",
            ],
        ),
        Case::new(
            Story::opened().client(b"question").pause(0.5).fin(true),
            4,
            "accepted, and closed 510.0 ms later without a single byte",
            &["accepted, and closed 10.0 ms later without a single byte"],
        ),
        Case::new(
            Story::opened().client(b"question").fin(true).server(b"yes").sends(true, RST, &[]),
            4,
            "accepted, and closed 10.0 ms later without a single byte",
            &["accepted, and closed 30.0 ms later without a single byte"],
        ),
    ]
}

fn losses() -> Vec<Case> {
    let holed = || talked().pause(3.0).server(b"tail").but(|packet| packet.seq += 100);
    let repeats = || {
        let again = |story: Story| story.pause(2.0).client(b"lost").but(|packet| packet.seq = 1009);
        again(again(talked().client(b"lost")))
    };
    vec![
        Case::new(
            holed(),
            6,
            "4 bytes of the server arrived behind a hole that was not filled for 3.0 s",
            &[
                "4 bytes of the client arrived behind a hole that was not filled for 3.0 s",
                "900 bytes of the server arrived behind a hole that was not filled for 3.0 s",
            ],
        ),
        Case::new(
            repeats(),
            6,
            "the client sent the same 2 times again and got no acknowledgement for 4.0 s",
            &["the server sent the same 2 times again and got no acknowledgement for 4.0 s"],
        ),
    ]
}
