//! The bytes of an RDP session without the parties: negotiation, a real TLS handshake, records.
//!
//! A relay that passes TLS through can not tell a replayed handshake from a fresh one, so it is made once
//! and every connection repeats it: neither end spends time on cryptography.

use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};

/// Connection Request, 19 bytes: no cookie, TLS asked for. MS-RDPBCGR 2.2.1.1.
pub const REQUEST: [u8; 19] = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 1, 0, 0, 0];
/// Connection Confirm, 19 bytes: TLS selected. MS-RDPBCGR 2.2.1.2.
pub const CONFIRM: [u8; 19] =
    [3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 1, 0, 0, 0];

/// Bytes of a TLS record's header. RFC 8446 5.1.
pub const HEADER: usize = 5;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// What both sides say until the desktop is up: each waits for the other's flight.
#[derive(Clone, Debug)]
pub struct Prologue {
    /// In order, sides alternating.
    pub flights: Vec<(Side, Vec<u8>)>,
}

impl Prologue {
    /// Negotiation, TLS 1.2 handshake (its certificate is in clear: the most there is to analyse), then
    /// records of the sizes and number of CredSSP, MCS and capabilities.
    pub fn new() -> Prologue {
        Prologue::with(&rustls::version::TLS12)
    }

    /// The same with a version of TLS.
    pub fn with(version: &'static SupportedProtocolVersion) -> Prologue {
        let mut flights = vec![(Side::Client, REQUEST.to_vec()), (Side::Server, CONFIRM.to_vec())];
        flights.extend(handshake(version));
        for (asked, answered) in [(92, 210), (620, 118), (110, 40), (460, 130), (40, 36), (52, 40)]
        {
            flights.push((Side::Client, record(asked)));
            flights.push((Side::Server, [record(answered), record(answered)].concat()));
        }
        Prologue { flights: merged(flights) }
    }
}

/// One application data record with a body of `size` bytes.
pub fn record(size: usize) -> Vec<u8> {
    let mut bytes = vec![0x17, 3, 3];
    bytes.extend((size as u16).to_be_bytes());
    // Not compressible to the eye, the same in every run.
    bytes.extend((0..size).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]));
    bytes
}

/// The flights of a handshake between two real parties in memory.
fn handshake(version: &'static SupportedProtocolVersion) -> Vec<(Side, Vec<u8>)> {
    let (client, server) = parties(version);
    let mut parties = [(Side::Client, client), (Side::Server, server)];
    let mut flights = Vec::new();
    loop {
        let before = flights.len();
        for at in 0..2 {
            let mut flight = Vec::new();
            while parties[at].1.wants_write() {
                parties[at].1.write_tls(&mut flight).expect("writing to memory");
            }
            if flight.is_empty() {
                continue;
            }
            let mut unread = flight.as_slice();
            let other = &mut parties[1 - at].1;
            while !unread.is_empty() {
                other.read_tls(&mut unread).expect("reading from memory");
                other.process_new_packets().expect("the handshake of the bench's own two parties");
            }
            flights.push((parties[at].0, flight));
        }
        if flights.len() == before {
            return flights;
        }
    }
}

fn parties(version: &'static SupportedProtocolVersion) -> (Connection, Connection) {
    const NAME: &str = "host.rdpwhy.test";
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("its key");
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[version])
        .expect("a version that the provider knows")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version that the provider knows")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate with its key");
    let name = ServerName::try_from(NAME).expect("a name");
    let client = ClientConnection::new(Arc::new(client), name).expect("a client");
    let server = ServerConnection::new(Arc::new(server)).expect("a server");
    (client.into(), server.into())
}

/// Flights of the same side one after the other are one.
fn merged(flights: Vec<(Side, Vec<u8>)>) -> Vec<(Side, Vec<u8>)> {
    let mut merged: Vec<(Side, Vec<u8>)> = Vec::new();
    for (side, bytes) in flights {
        match merged.last_mut() {
            Some((last, so_far)) if *last == side => so_far.extend(bytes),
            _ => merged.push((side, bytes)),
        }
    }
    merged
}
