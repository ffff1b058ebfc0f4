//! Where a client's connection goes: to the one fixed server, or, in transparent mode, to where it was going.

use std::fmt;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::dial::{DialOptions, Target};
use crate::os;

/// Where clients are taken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// All to one server.
    Fixed(Target),
    /// Each to where it was going when this machine's packet filter diverted it.
    Original(Diverted),
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Upstream::Fixed(target) => target.fmt(f),
            Upstream::Original(_) => f.write_str("where each client was going"),
        }
    }
}

/// Connections that a packet filter diverts to the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diverted {
    /// How they are diverted.
    pub by: Transparent,
    /// The ports of servers that are relayed to; whoever was going to another one is refused.
    pub ports: Vec<u16>,
    /// Where the relay itself listens.
    pub listening: SocketAddr,
}

/// The kinds of diversion that Linux has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Transparent {
    /// TPROXY: the server sees the client's own address
    Tproxy,
    /// REDIRECT: the server sees this machine's address
    Redirect,
}

/// The way of one connection.
#[derive(Clone, Debug)]
pub enum Route {
    /// To this server, dialled so.
    To(Target, DialOptions),
    /// To nobody: where the client was going, as far as that is known, and why not.
    Refused(Option<SocketAddr>, String),
}

impl Upstream {
    /// The way of an accepted connection; `dial` says how servers are dialled otherwise.
    pub fn route(&self, client: &TcpStream, peer: SocketAddr, dial: &DialOptions) -> Route {
        match self {
            Upstream::Fixed(target) => Route::To(target.clone(), dial.clone()),
            Upstream::Original(diverted) => diverted.route(client, peer, dial),
        }
    }

    /// The same for a listener whose address is known now.
    pub fn at(self, listening: SocketAddr) -> Upstream {
        match self {
            Upstream::Original(diverted) => Upstream::Original(Diverted { listening, ..diverted }),
            fixed => fixed,
        }
    }

    /// The port of its servers, where they have one in common.
    pub fn port(&self) -> Option<u16> {
        match self {
            Upstream::Fixed(target) => Some(target.port),
            Upstream::Original(diverted) => match diverted.ports.as_slice() {
                [port] => Some(*port),
                _ => None,
            },
        }
    }
}

impl Diverted {
    fn route(&self, client: &TcpStream, peer: SocketAddr, dial: &DialOptions) -> Route {
        let found = match self.by {
            // The kernel gave the accepted socket the address that the client called.
            Transparent::Tproxy => client.local_addr(),
            Transparent::Redirect => os::original_destination(client),
        };
        let server = match found {
            Ok(found) => SocketAddr::new(found.ip().to_canonical(), found.port()),
            Err(error) => {
                let why = format!("nobody knows where the client was going: {error}");
                return Route::Refused(None, why);
            }
        };
        if server.port() == self.listening.port() && os::is_own_address(server.ip()) {
            let why = format!("{server} is this relay itself: the client was not diverted to it");
            return Route::Refused(Some(server), why);
        }
        if !self.ports.contains(&server.port()) {
            let why = format!("no server's port {} is relayed to (--port)", server.port());
            return Route::Refused(Some(server), why);
        }
        let target = Target { host: server.ip().to_string(), port: server.port() };
        match self.by {
            Transparent::Tproxy => {
                let source = Some(peer.ip().to_canonical());
                Route::To(target, DialOptions { source, foreign_source: true })
            }
            Transparent::Redirect => Route::To(target, dial.clone()),
        }
    }
}

impl Route {
    /// The server as far as it is known before it is dialled: its address, or its name.
    pub fn server(&self) -> (Option<SocketAddr>, Option<String>) {
        match self {
            Route::Refused(server, _) => (*server, None),
            Route::To(target, _) => match target.host.parse() {
                Ok(ip) => (Some(SocketAddr::new(ip, target.port)), None),
                Err(_) => (None, Some(target.host.clone())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Where a client goes that called `listening` itself, on a port that the listener is said to have or not.
    async fn route(by: Transparent, ports: &[u16], itself: bool) -> (SocketAddr, Route) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let called = listener.local_addr().unwrap();
        let _client = TcpStream::connect(called).await.unwrap();
        let (accepted, peer) = listener.accept().await.unwrap();
        let port = if itself { called.port() } else { 1 };
        let listening = SocketAddr::new([0, 0, 0, 0].into(), port);
        let ports = if ports.is_empty() { vec![called.port()] } else { ports.to_vec() };
        let upstream = Upstream::Original(Diverted { by, ports, listening });
        (called, upstream.route(&accepted, peer, &DialOptions::default()))
    }

    #[tokio::test]
    async fn a_client_of_the_relay_itself_is_refused() {
        let (called, route) = route(Transparent::Tproxy, &[], true).await;
        let Route::Refused(server, why) = route else { panic!("{route:?}") };
        assert_eq!(server, Some(called));
        assert!(why.contains("this relay itself"), "{why}");
    }

    #[tokio::test]
    async fn only_the_named_ports_are_relayed_to() {
        let (called, route) = route(Transparent::Tproxy, &[3389], false).await;
        assert_eq!(route.server(), (Some(called), None));
        let Route::Refused(_, why) = route else { panic!("{route:?}") };
        assert!(why.contains("--port"), "{why}");
    }

    #[tokio::test]
    async fn behind_tproxy_the_server_is_called_from_the_clients_address() {
        let (called, route) = route(Transparent::Tproxy, &[], false).await;
        assert_eq!(route.server(), (Some(called), None));
        let Route::To(target, options) = route else { panic!("{route:?}") };
        assert_eq!(target.port, called.port());
        assert_eq!((options.source, options.foreign_source), (Some(called.ip()), true));
    }
}
