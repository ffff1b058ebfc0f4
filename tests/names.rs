//! DNS answers in captures from both ends: which session came by which name, and what the name means elsewhere.

use crate::support::json::text;
use crate::support::rdpwhy::{Said, analyze_with};
use crate::support::{contract, scratch, text_of};
use serde_json::Value;
use std::path::Path;

const CLIENT: [u8; 4] = [198, 51, 100, 5];
const RESOLVER: [u8; 4] = [198, 51, 100, 53];
/// Where the client goes.
const GIVEN: [u8; 4] = [192, 0, 2, 7];
const RIGHT: [u8; 4] = [203, 0, 113, 9];

/// What dnsmasq 2.90 sent when it was asked for the address of desk.example.com, but for the address itself.
const ANSWER: &[u8] =
    b"\x1a\x2b\x85\x80\0\x01\0\x01\0\0\0\0\x04desk\x07example\x03com\0\0\x01\0\x01\
                        \xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04";

/// A raw IP packet and its second in the capture.
type Timed = (u32, Vec<u8>);

/// An IPv4 packet (RFC 791) without checksums; the ports are the payload's first four bytes.
fn ipv4(protocol: u8, from: [u8; 4], to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let total = (20 + payload.len() as u16).to_be_bytes();
    let header = [&[0x45, 0][..], &total, &[0, 0, 0x40, 0, 64, protocol, 0, 0], &from, &to];
    [&header.concat(), payload].concat()
}

/// The resolver tells somebody this address.
fn answer(to: [u8; 4], address: [u8; 4]) -> Vec<u8> {
    let length = (8 + ANSWER.len() as u16 + 4).to_be_bytes();
    let header = [&[0, 53, 0xC0, 0][..], &length, &[0, 0]].concat();
    ipv4(17, RESOLVER, to, &[&header, ANSWER, &address].concat())
}

/// The client's SYN, or the RST that refuses it.
fn segment(is_answer: bool) -> Vec<u8> {
    let (client, server) = (50_000_u16.to_be_bytes(), 3389_u16.to_be_bytes());
    let rest = |flags| [0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0];
    let (one, two) = (1000_u32.to_be_bytes(), 1001_u32.to_be_bytes());
    match is_answer {
        false => ipv4(6, CLIENT, GIVEN, &[&client, &server, &one[..], &[0; 4], &rest(2)].concat()),
        true => {
            ipv4(6, GIVEN, CLIENT, &[&server, &client, &[0; 4][..], &two, &rest(0x14)].concat())
        }
    }
}

/// A pcap file (libpcap's savefile format) with link type 101, raw IP.
fn write(file: &Path, packets: &[Timed]) {
    let head = [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 65_535, 101];
    let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
    for (second, packet) in packets {
        let length = packet.len() as u32;
        for word in [1_795_600_000 + second, 0, length, length] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(packet);
    }
    std::fs::write(file, bytes).unwrap();
}

/// What is said of captures of the two ends.
fn compare(client: &[Timed], server: &[Timed]) -> Said {
    let folder = scratch();
    let [ours, theirs] = ["ours.pcap", "theirs.pcap"].map(|name| folder.path().join(name));
    write(&ours, client);
    write(&theirs, server);
    let arguments = ["--client-side", &text_of(&ours), "--server-side", &text_of(&theirs)];
    let said = analyze_with(&arguments, folder.path());
    let broken: Vec<String> = said.objects.iter().flat_map(contract::check).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert_eq!(said.objects.len(), 1, "{}", said.log);
    assert_eq!(said.objects[0]["verdict"]["what"], "tcp-refused-rst", "{:#}", said.objects[0]);
    said
}

/// The client asks for the name at this second and is refused in second 10.
fn asks(second: u32, asker: [u8; 4]) -> Vec<Timed> {
    let mut packets = vec![(10, segment(false)), (10, segment(true))];
    packets.push((second, answer(asker, GIVEN)));
    packets.sort_by_key(|(second, _)| *second);
    packets
}

/// Another capture in which somebody was told an address twice, long before and after.
fn knows(address: [u8; 4]) -> Vec<Timed> {
    [0, 30].map(|second| (second, answer([203, 0, 113, 200], address))).to_vec()
}

fn is_told(said: &Said) -> bool {
    let object = &said.objects[0];
    let told = serde_json::to_string(&[&object["causes"], &object["findings"]]).unwrap();
    told.contains("dns-wrong-address")
}

#[test]
fn a_name_with_another_address_at_the_servers_side_is_the_cause() {
    let said = compare(&asks(5, CLIENT), &knows(RIGHT));
    let object = &said.objects[0];
    assert_eq!(object["verdict"]["cause"], "dns-wrong-address", "{object:#}");
    assert_eq!(object["verdict"]["party"], "unknown");
    assert_eq!(object["vantage"], "V6");
    let cited = |address: &str| -> (Option<u64>, bool) {
        let fact = format!("the DNS answer of 198.51.100.53 for desk.example.com: {address}");
        let all = object["evidence"].as_array().unwrap();
        let item: &Value = all.iter().find(|item| text(item, "/fact") == fact).unwrap();
        (item["origin"]["n"].as_u64(), text(item, "/origin/file").ends_with("ours.pcap"))
    };
    assert_eq!(cited("192.0.2.7"), (Some(1), true));
    assert_eq!(cited("203.0.113.9"), (Some(2), false));
}

#[test]
fn a_name_is_blamed_only_where_it_led_the_client_and_means_something_else() {
    assert!(!is_told(&compare(&asks(5, CLIENT), &knows(GIVEN))), "one address");
    assert!(!is_told(&compare(&asks(15, CLIENT), &knows(RIGHT))), "asked afterwards");
    assert!(!is_told(&compare(&asks(5, [198, 51, 100, 6]), &knows(RIGHT))), "somebody else asked");
    // The other capture was not running.
    let early: Vec<Timed> = knows(RIGHT).into_iter().take(1).collect();
    assert!(!is_told(&compare(&asks(5, CLIENT), &early)));
}
