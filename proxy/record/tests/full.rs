//! Full recordings: every byte is in them, once, and their analysis finds it on whichever leg it is.

use rdpwhy_captures::file::PacketReader;
use rdpwhy_captures::{link, segment};

use super::*;
use Direction::{ToClient, ToServer};

/// What each leg has of each direction: its bytes, and how many it says there were.
fn legs(file: &[u8]) -> [[(Vec<u8>, u64); 2]; 2] {
    let mut legs: [[(Vec<u8>, u64); 2]; 2] = Default::default();
    let mut reader = PacketReader::open(file).unwrap();
    while let Some(packet) = reader.next_packet() {
        let raw = packet.unwrap().raw;
        let read = link::ip_packet(raw.link_type, raw.bytes, raw.original_len);
        let Ok(link::Decoded::Ip(ip)) = read else { panic!("not IP") };
        let tcp = segment::tcp_segment(&ip).unwrap();
        let server = raw.interface == 1;
        let dir = if tcp.destination_port() == [13_389, 3389][usize::from(server)] {
            ToServer
        } else {
            ToClient
        };
        let (bytes, len) = &mut legs[usize::from(server)][dir.index()];
        bytes.extend(tcp.payload);
        *len += u64::from(tcp.payload_len);
    }
    legs
}

fn said(script: &Script, dir: Direction) -> Vec<u8> {
    script.iter().filter(|(of, _)| *of == dir).flat_map(|(_, bytes)| bytes.clone()).collect()
}

#[test]
fn the_client_leg_has_every_byte_and_the_server_leg_every_length() {
    let mut script = tls_session();
    // More than a packet holds, and than a buffer.
    for len in [60_000, 60_001, 200_000, 1 << 20, 3 << 20] {
        script.push((ToClient, (0..len).map(|n: u32| (n ^ (n >> 8)) as u8).collect()));
        script.push((ToServer, (0..len / 3).map(|n: u32| (n * 7) as u8).collect()));
    }
    for (seed, most) in [(1, 900), (2, 70_000), (3, 1 << 20), (4, 1 << 23)] {
        let script = chunked(&script, seed, most);
        let (_, live, offline, file) = record(&script, Payload::Full);
        assert_eq!(told(&offline), told(&live), "seed {seed}, chunks up to {most}");
        let [client, server] = legs(&file);
        for dir in Direction::BOTH {
            let said = said(&script, dir);
            assert!(client[dir.index()].0 == said, "{dir:?}, chunks up to {most}");
            assert_eq!(server[dir.index()], (Vec::new(), said.len() as u64));
        }
    }
}

#[test]
fn any_chunks_give_a_full_recording_that_tells_what_the_relay_knew() {
    for (seed, most) in [(1, 1), (2, 3), (3, 5), (4, 7), (5, 40), (6, 700), (7, 20_000)] {
        let script = chunked(&tls_session(), seed, most);
        let (facts, live, offline, _) = record(&script, Payload::Full);
        assert!(facts.tls.is_established(), "the script is a session");
        assert_eq!(told(&offline), told(&live), "seed {seed}, chunks up to {most}");
    }
}

#[test]
fn what_a_server_sends_to_a_client_that_is_gone_is_on_the_server_leg() {
    let session = tls_session();
    let last = tls_record(23, &[0x5C; 5000]);
    let (facts, live, offline, file) = recorded(Payload::Full, Policy::Wait, |recorder| {
        let mut told = Told::begin(recorder);
        told.reach();
        session.iter().for_each(|(dir, bytes)| told.data(*dir, bytes));
        told.close(Leg::Client, ToServer, Close::Rst);
        told.data(ToClient, &last);
        told.close(Leg::Server, ToClient, Close::Fin);
        told.finish()
    });
    assert_eq!(told(&offline), told(&live));
    let expected = said(&session, ToClient);
    assert_eq!(facts.stream(ToClient).bytes, (expected.len() + last.len()) as u64);
    let [client, server] = legs(&file);
    assert!(client[ToClient.index()].0 == expected);
    assert!(server[ToClient.index()].0 == last);
}

#[test]
fn a_client_that_only_stopped_sending_still_gets_its_bytes() {
    let last = tls_record(23, &[0x5C; 5000]);
    let (_, live, offline, file) = recorded(Payload::Full, Policy::Wait, |recorder| {
        let mut told = Told::begin(recorder);
        told.reach();
        told.data(ToServer, b"anything");
        told.close(Leg::Client, ToServer, Close::Fin);
        told.data(ToClient, &last);
        told.close(Leg::Server, ToClient, Close::Fin);
        told.finish()
    });
    assert_eq!(told(&offline), told(&live));
    let [client, server] = legs(&file);
    assert_eq!(client[ToClient.index()], (last.clone(), last.len() as u64));
    assert_eq!(server[ToClient.index()], (Vec::new(), last.len() as u64));
}

/// A client speaks before the server is reached: with its own bytes on the client leg, with their length on the
/// server leg once there is one. A server that is never reached costs nothing of them.
#[test]
fn what_came_early_is_there_with_and_without_a_server() {
    let early = tpkt(&[14, 0xE0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 1, 0, 0, 0]);
    for reached in [true, false] {
        for payload in [Payload::Full, Payload::Handshake] {
            let (_, live, offline, file) = recorded(payload, Policy::Wait, |recorder| {
                let mut told = Told::begin(recorder);
                told.data(ToServer, &early);
                if reached {
                    told.reach();
                }
                told.close(Leg::Client, ToServer, Close::Fin);
                told.finish()
            });
            assert_eq!(told(&offline), told(&live), "{reached}, {payload:?}");
            let [client, server] = legs(&file);
            assert_eq!(client[ToServer.index()].0, early);
            let twice = reached && payload == Payload::Handshake;
            assert_eq!(server[ToServer.index()].0, if twice { &early[..] } else { &[] });
            assert_eq!(server[ToServer.index()].1, if reached { early.len() as u64 } else { 0 });
        }
    }
}
