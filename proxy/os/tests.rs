//! The platform's answers on real loopback sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::*;

fn pair() -> (TcpStream, TcpStream, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    if cfg!(target_os = "linux") {
        save_syn(&listener).expect("TCP_SAVE_SYN");
    }
    let client = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    (client, server, listener)
}

/// Waits for what the peer did to arrive: loopback is quick, not instant.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn state(stream: &TcpStream) -> SocketState {
    socket_state(stream).expect("TCP_INFO")
}

#[test]
fn counters_follow_the_traffic() {
    let (mut client, mut server, _listener) = pair();
    assert_eq!(state(&client).state, TcpState::Established);
    assert!(!state(&client).peer_ended);
    client.write_all(&[7; 300]).expect("write");
    let mut got = [0; 300];
    server.read_exact(&mut got).expect("read");
    until("the ACK", || state(&client).sample.unacked == Some(0));
    assert_eq!(state(&client).sample.bytes_sent, Some(300));
    let received = state(&server).sample.bytes_received;
    assert_eq!(received, Some(300));
    #[cfg(target_os = "linux")]
    {
        assert_eq!(state(&client).sample.bytes_acked, Some(301)); // the SYN counts
        assert_eq!(state(&server).sample.data_segs_in, Some(1));
        assert_eq!(state(&server).sample.rcv_ooopack, Some(0));
        assert!(tcp_sample(&client).and_then(|sample| sample.snd_mss).is_some_and(|mss| mss > 500));
    }
}

#[test]
fn a_fin_and_a_reset_show_behind_unread_data() {
    let (mut client, server, _listener) = pair();
    client.write_all(b"unread").expect("write");
    client.shutdown(Shutdown::Write).expect("shutdown");
    until("the FIN", || state(&server).peer_ended);
    assert_eq!(state(&server).state, TcpState::CloseWait);

    let (mut client, server, _listener) = pair();
    client.write_all(b"unread").expect("write");
    reset_on_close(&client).expect("linger");
    drop(client);
    until("the RST", || state(&server).state == TcpState::Closed);
    assert!(state(&server).peer_ended);
    let error = pending_error(&server).expect("SO_ERROR");
    assert_eq!(errno_name(&error), "ECONNRESET");
    assert!(pending_error(&server).is_none()); // asking clears it
}

#[test]
#[cfg(target_os = "linux")]
fn a_socket_that_ignores_resets_stays_open() {
    let (client, server, _listener) = pair();
    if let Err(error) = ignore_resets(&client) {
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "SO_ATTACH_FILTER");
        return eprintln!("SKIPPED: the socket filter needs CAP_NET_ADMIN");
    }
    let (mut plain, server_of_plain, _listener) = pair();
    for server in [server, server_of_plain] {
        reset_on_close(&server).expect("linger");
        drop(server);
    }
    // Both resets were sent in this order over loopback: when the second has arrived, so has the first.
    until("the RST", || state(&plain).state == TcpState::Closed);
    assert_eq!(
        plain.read(&mut [0]).map_err(|error| error.kind()),
        Err(io::ErrorKind::ConnectionReset)
    );
    assert_eq!(state(&client).state, TcpState::Established);
}

#[test]
fn own_addresses_are_told_from_others() {
    assert!(is_own_address("127.0.0.1".parse().expect("address")));
    assert!(!is_own_address("192.0.2.1".parse().expect("address")));
}

#[test]
#[cfg(target_os = "linux")]
fn the_clients_syn_is_told_once() {
    let (_client, server, _listener) = pair();
    let packet = saved_syn(&server).expect("TCP_SAVED_SYN");
    let facts = syn::SynFacts::parse(&packet).expect("SYN");
    assert!(facts.ttl > 0 && facts.mss.is_some_and(|mss| mss > 500), "{facts:?}");
    assert_eq!(facts.option_order.first(), Some(&2));
    assert_eq!(saved_syn(&server), None);

    let plain = TcpListener::bind("127.0.0.1:0").expect("listen");
    let _client = TcpStream::connect(plain.local_addr().expect("address")).expect("connect");
    assert_eq!(saved_syn(&plain.accept().expect("accept").0), None); // not asked to keep it
}
