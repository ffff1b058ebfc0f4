//! Answers of a real resolver, and what hostile bytes do.

use std::net::IpAddr;

use proptest::prelude::*;
use rdpwhy_analyzer::input::{Origin, Timestamp};

use super::{Answers, MAX_KEPT, MAX_MEANINGS, answer};
use crate::packet::IpPacket;

/// What dnsmasq 2.90 sent when it was asked for A of Desk.Example.com (192.0.2.7, TTL 0).
const HOST: &str = "1a2b85800001000100000000044465736b074578616d706c6503636f6d0000010001c00c0001000100\
                    0000000004c0000207";
/// AAAA of desk.example.com (2001:db8::7).
const HOST_V6: &str = "1a2b85800001000100000000046465736b076578616d706c6503636f6d00001c0001c00c001c0001\
                       00000000001020010db8000000000000000000000007";
/// A of farm.example.com (192.0.2.21 and 192.0.2.22).
const FARM: &str = "1a2b85800001000200000000046661726d076578616d706c6503636f6d0000010001c00c0001000100\
                    0000000004c0000215c00c00010001000000000004c0000216";
/// A of alias.example.com: a CNAME to desk.example.com and its A.
const ALIAS: &str = "1a2b8580000100020000000005616c696173076578616d706c6503636f6d0000010001c00c00050001\
                     000000000012046465736b076578616d706c6503636f6d00c02f00010001000000000004c0000207";
/// A of nobody.example.com: NXDOMAIN.
const NOBODY: &str = "1a2b81830001000000000000066e6f626f6479076578616d706c6503636f6d0000010001";
/// AAAA of farm.example.com: no error, and no record.
const NO_RECORD: &str = "1a2b81800001000000000000046661726d076578616d706c6503636f6d00001c0001";

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn read(hex: &str) -> Option<(String, Vec<String>)> {
    let answer = answer(&bytes(hex))?;
    Some((answer.name, answer.addresses.iter().map(IpAddr::to_string).collect()))
}

fn gives(name: &str, addresses: &[&str]) -> Option<(String, Vec<String>)> {
    Some((name.to_owned(), addresses.iter().map(|address| (*address).to_owned()).collect()))
}

/// The same message with one byte changed.
fn changed(hex: &str, at: usize, byte: u8) -> Vec<u8> {
    let mut message = bytes(hex);
    message[at] = byte;
    message
}

#[test]
fn names_and_addresses_of_a_real_resolvers_answers() {
    assert_eq!(read(HOST), gives("desk.example.com", &["192.0.2.7"]));
    assert_eq!(read(HOST_V6), gives("desk.example.com", &["2001:db8::7"]));
    assert_eq!(read(FARM), gives("farm.example.com", &["192.0.2.21", "192.0.2.22"]));
    assert_eq!(read(ALIAS), gives("alias.example.com", &["192.0.2.7"]));
    assert_eq!(read(NOBODY), None);
    assert_eq!(read(NO_RECORD), None);
}

#[test]
fn what_is_no_whole_answer_about_the_name_says_nothing() {
    assert!(answer(&changed(HOST, 2, 0x05)).is_none(), "a question");
    assert!(answer(&changed(HOST, 2, 0x87)).is_none(), "truncated");
    assert!(answer(&changed(HOST, 3, 0x85)).is_none(), "refused");
    assert!(answer(&changed(HOST, 5, 0)).is_none(), "no question");
    assert!(answer(&changed(HOST, 13, 0x1b)).is_none(), "a control character in the name");
    // The address of another name than the one that the alias leads to.
    assert!(answer(&changed(ALIAS, 0x42, 0x12)).is_none(), "the address is example.com's");
}

#[test]
fn a_name_that_points_at_itself_ends() {
    // The name of the answer's record points at that pointer.
    let place = bytes(HOST).len() - 16;
    assert!(answer(&changed(HOST, place + 1, place as u8)).is_none());
    // Two aliases of each other, and no address.
    let name = |label: u8| [1, label, 0].to_vec();
    let alias = |of: u8, to: u8| [name(of), vec![0, 5, 0, 1, 0, 0, 0, 0, 0, 3], name(to)].concat();
    let head = vec![0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0];
    let ring = [head, name(b'a'), vec![0, 1, 0, 1], alias(b'a', b'b'), alias(b'b', b'a')].concat();
    assert!(answer(&ring).is_none());
}

/// A datagram from a resolver to this client.
fn push(answers: &mut Answers, number: u64, client: [u8; 4], message: &[u8]) {
    let payload = [&[0, 53, 0xc0, 0, 0, 0, 0, 0][..], message].concat();
    let ip = IpPacket {
        source: IpAddr::from([192, 0, 2, 53]),
        destination: IpAddr::from(client),
        ttl: 64,
        ip_id: None,
        protocol: 17,
        payload: &payload,
        payload_len: payload.len() as u32,
    };
    answers.push(Timestamp(number * 1000), number, &ip);
}

#[test]
fn the_latest_answer_that_a_client_was_sent_is_the_one_that_led_it() {
    let (client, other) = ([10, 0, 0, 5], [10, 0, 0, 6]);
    let desk = IpAddr::from([192, 0, 2, 7]);
    let mut answers = Answers::default();
    push(&mut answers, 1, client, &bytes(HOST));
    push(&mut answers, 2, client, &bytes(ALIAS));
    push(&mut answers, 3, other, &bytes(HOST));
    push(&mut answers, 4, client, &bytes(NOBODY));
    let latest = |answers: &Answers, client: [u8; 4]| {
        answers.latest(client.into(), desk).map(|found| (found.name.clone(), found.at.origin()))
    };
    let alias = ("alias.example.com".to_owned(), Origin::Packet(2));
    assert_eq!(latest(&answers, client), Some(alias));
    let host = |number| Some(("desk.example.com".to_owned(), Origin::Packet(number)));
    assert_eq!(latest(&answers, other), host(3));
    assert_eq!(latest(&answers, [10, 0, 0, 7]), None);
    assert_eq!(answers.latest(client.into(), IpAddr::from([192, 0, 2, 8])), None);
    // A resolver on the capturing machine serves all of its addresses.
    push(&mut answers, 5, [127, 0, 0, 53], &bytes(HOST));
    assert_eq!(latest(&answers, client), host(5));
    let names = answers.into_names();
    let numbers = |name: &str| names[name].iter().map(|one| one.at.origin()).collect::<Vec<_>>();
    assert_eq!(numbers("desk.example.com"), [Origin::Packet(5)]);
    assert_eq!(numbers("alias.example.com"), [Origin::Packet(2)]);
}

#[test]
fn the_oldest_answers_are_forgotten() {
    let (first, client) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let mut answers = Answers::default();
    push(&mut answers, 1, first, &bytes(HOST));
    for number in 0..MAX_KEPT as u64 {
        push(&mut answers, number + 2, client, &bytes(FARM));
    }
    assert_eq!(answers.latest(first.into(), IpAddr::from([192, 0, 2, 7])), None);
    assert_eq!(answers.latest.len(), 2);
    let farm = answers.latest(client.into(), IpAddr::from([192, 0, 2, 22]));
    assert_eq!(farm.unwrap().at.origin(), Origin::Packet(MAX_KEPT as u64 + 1));
    let names = answers.into_names();
    assert_eq!((names.len(), names["farm.example.com"].len()), (1, 1));
}

#[test]
fn a_name_keeps_what_it_means_unless_that_changes_all_the_time() {
    let client = [10, 0, 0, 5];
    let mut answers = Answers::default();
    push(&mut answers, 1, client, &bytes(FARM));
    // The other way round, and one of the two alone.
    let turned = [&bytes(FARM)[..49], &[0x16], &bytes(FARM)[50..65], &[0x15]].concat();
    assert_eq!(answer(&turned).unwrap().addresses[1], IpAddr::from([192, 0, 2, 21]));
    push(&mut answers, 2, client, &turned);
    push(&mut answers, 3, client, &changed(FARM, 65, 0x15));
    for number in 0..=MAX_MEANINGS {
        let place = HOST.len() / 2 - 1;
        push(&mut answers, 9, client, &changed(HOST, place, number as u8));
        let names = answers.clone().into_names();
        assert_eq!(names.contains_key("desk.example.com"), number < MAX_MEANINGS, "{number}");
        let farm: Vec<_> = names["farm.example.com"].iter().map(|one| one.at.origin()).collect();
        assert_eq!(farm, [2, 3].map(Origin::Packet));
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(message in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = answer(&message);
    }

    #[test]
    fn damaged_answers_are_read_or_not(
        message in prop_oneof![Just(HOST), Just(HOST_V6), Just(FARM), Just(ALIAS), Just(NOBODY)],
        cut in 0_usize..120,
        changes in proptest::collection::vec((0_usize..120, any::<u8>()), 0..6),
    ) {
        let mut message = bytes(message);
        for (at, byte) in changes {
            if let Some(place) = message.get_mut(at) {
                *place = byte;
            }
        }
        message.truncate(cut);
        if let Some(answer) = answer(&message) {
            prop_assert!(!answer.name.is_empty() && !answer.addresses.is_empty());
        }
    }

    #[test]
    fn a_cut_answer_says_nothing(cut in 0_usize..90) {
        let whole = bytes(ALIAS);
        prop_assert_eq!(answer(&whole[..cut.min(whole.len())]).is_some(), cut >= whole.len());
    }
}
