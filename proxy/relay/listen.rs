//! The accept loop.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Relay, session};
use crate::os;

/// Who may connect, and how many at once.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Networks that may connect besides loopback: address and prefix length.
    pub allow: Vec<(IpAddr, u8)>,
    /// Sessions at once.
    pub most: usize,
}

impl Guard {
    /// True when this client may use the relay.
    pub fn admits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        client.is_loopback()
            || self.allow.iter().any(|(net, prefix)| contains(*net, *prefix, client))
    }
}

/// A bound listener.
pub struct Listening {
    listener: TcpListener,
    /// Its address, with the port the system chose where 0 was asked for.
    pub address: SocketAddr,
    /// Number of its first session: 1, unless several listeners share a recording.
    pub first: u64,
}

/// Binds the listening socket; `transparent` lets TPROXY hand it connections to any address.
pub fn listen(address: SocketAddr, transparent: bool) -> io::Result<Listening> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    // On Windows this option would let another program take the port over.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if transparent {
        os::set_transparent(&socket)?;
    }
    socket.bind(&address.into())?;
    // The client's SYN tells what the path made of it; not every platform keeps it.
    let _ = os::save_syn(&socket);
    socket.listen(1024)?;
    let listener = TcpListener::from_std(socket.into())?;
    let address = listener.local_addr()?;
    Ok(Listening { listener, address, first: 1 })
}

impl Listening {
    /// Accepts sessions until told to stop, then waits for the open ones to be reported.
    pub async fn serve(self, relay: Arc<Relay>, guard: Guard, mut stop: watch::Receiver<bool>) {
        let mut sessions = JoinSet::new();
        let mut index = self.first;
        let mut short = false;
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((client, peer)) => {
                        short = false;
                        if let Some(client) = admitted(&guard, client, peer, sessions.len()) {
                            sessions.spawn(session::run(relay.clone(), client, peer, index, stop.clone()));
                            index += 1;
                        }
                    }
                    Err(error) => wait_for_room(&error, &mut short).await,
                },
                Some(_) = sessions.join_next(), if !sessions.is_empty() => {}
                _ = stop.changed() => break,
            }
        }
        drop(self.listener);
        while sessions.join_next().await.is_some() {}
    }
}

fn admitted(guard: &Guard, client: TcpStream, peer: SocketAddr, open: usize) -> Option<TcpStream> {
    let refusal = if !guard.admits(peer.ip()) {
        "its address is not allowed (--allow)"
    } else if open >= guard.most {
        "too many sessions are open (--max-sessions)"
    } else {
        let _ = client.set_nodelay(true);
        return Some(client);
    };
    tracing::warn!(%peer, "refused a client: {refusal}");
    let _ = os::reset_on_close(&client);
    None
}

/// Out of descriptors or memory: the backlog holds the clients while sessions end.
/// Said once per shortage.
async fn wait_for_room(error: &io::Error, short: &mut bool) {
    const PAUSE: Duration = Duration::from_millis(50);
    if !std::mem::replace(short, true) {
        tracing::warn!("can not accept a client now: {error}");
    }
    tokio::time::sleep(PAUSE).await;
}

fn contains(net: IpAddr, prefix: u8, client: IpAddr) -> bool {
    match (net, client) {
        (IpAddr::V4(net), IpAddr::V4(client)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            (net.to_bits() ^ client.to_bits()) & mask == 0
        }
        (IpAddr::V6(net), IpAddr::V6(client)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            (net.to_bits() ^ client.to_bits()) & mask == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_allowed_networks_are_admitted() {
        let guard = Guard {
            allow: vec![("10.0.0.0".parse().unwrap(), 8), ("fd00::".parse().unwrap(), 16)],
            most: 1,
        };
        for (client, admitted) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.255.0.1", true),
            ("::ffff:10.1.1.1", true),
            ("11.0.0.1", false),
            ("fd00::1", true),
            ("fd01::1", false),
        ] {
            assert_eq!(guard.admits(client.parse().unwrap()), admitted, "{client}");
        }
        let all = Guard { allow: vec![("0.0.0.0".parse().unwrap(), 0)], most: 1 };
        assert!(all.admits("203.0.113.9".parse().unwrap()));
        assert!(!all.admits("2001:db8::1".parse().unwrap()));
    }
}
