//! The accept loop.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::yield_now;

use super::{Relay, session};
use crate::os;

/// Who may connect, and how many at once.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Networks that may connect besides loopback: address and prefix length. Clones share them.
    allow: Arc<RwLock<Vec<(IpAddr, u8)>>>,
    /// Sessions that may begin; clones share it.
    room: Arc<Semaphore>,
}

/// What holds for the clients of a listener that come now.
#[derive(Clone)]
pub struct Terms {
    /// The relay that serves them.
    pub relay: Arc<Relay>,
    /// Which of them.
    pub guard: Guard,
}

impl Guard {
    /// Lets `most` sessions be open at once.
    pub fn new(allow: Vec<(IpAddr, u8)>, most: usize) -> Guard {
        let room = Semaphore::new(most.min(Semaphore::MAX_PERMITS));
        Guard { allow: Arc::new(RwLock::new(allow)), room: Arc::new(room) }
    }

    /// From now on these networks may connect, wherever a clone stands.
    pub fn allow(&self, networks: Vec<(IpAddr, u8)>) {
        *self.allow.write().unwrap_or_else(PoisonError::into_inner) = networks;
    }

    /// True when this client may use the relay.
    pub fn admits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        let allow = || self.allow.read().unwrap_or_else(PoisonError::into_inner);
        client.is_loopback() || allow().iter().any(|(net, prefix)| contains(*net, *prefix, client))
    }
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// At this address; port 0 lets the system choose.
    At(SocketAddr),
    /// On the socket of this name that the service manager passed.
    Passed(String),
}

impl Listen {
    /// The address, as far as it is known before listening.
    pub fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Listen::At(address) => Ok(*address),
            Listen::Passed(name) => os::passed_listener(name)?.local_addr(),
        }
    }
}

/// `ADDR:PORT` or `fd:NAME`.
impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        match text.strip_prefix("fd:") {
            Some(name) if !name.is_empty() => Ok(Listen::Passed(name.to_owned())),
            _ => text.parse().map(Listen::At).map_err(|_| {
                format!("`{text}` is neither ADDR:PORT nor fd:NAME of a passed socket")
            }),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::At(address) => address.fmt(f),
            Listen::Passed(name) => write!(f, "fd:{name}"),
        }
    }
}

/// A session's place among those that are open, given up with it.
pub struct Place {
    _room: OwnedSemaphorePermit,
    _open: mpsc::Sender<Infallible>,
}

/// A bound listener.
pub struct Listening {
    listener: TcpListener,
    /// Its address, with the port the system chose where 0 was asked for.
    pub address: SocketAddr,
}

/// Binds the listening socket; what it accepts asks silent clients after hours whether they are there, as often as the
/// system does, so that none holds a place for ever. `transparent` lets TPROXY hand it connections to any address.
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
    let _ = socket.set_keepalive(true);
    socket.listen(1024)?;
    let listener = TcpListener::from_std(socket.into())?;
    let address = listener.local_addr()?;
    Ok(Listening { listener, address })
}

/// Takes over a socket that the service manager listens on already.
pub fn adopt(name: &str) -> io::Result<Listening> {
    let listener = os::passed_listener(name)?;
    let _ = os::save_syn(&listener);
    let _ = SockRef::from(&listener).set_keepalive(true);
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    Ok(Listening { listener, address })
}

impl Listening {
    /// Accepts sessions on terms that do not change, until told to stop.
    pub async fn serve(self, relay: Arc<Relay>, guard: Guard, stop: watch::Receiver<bool>) {
        let (held, terms) = watch::channel(Terms { relay, guard });
        self.serve_on(terms, stop).await;
        drop(held);
    }

    /// Accepts sessions on the terms of the moment, until told to stop or until nobody can change the terms any
    /// more; then waits for the open ones to be reported.
    pub async fn serve_on(
        self,
        mut terms: watch::Receiver<Terms>,
        mut stop: watch::Receiver<bool>,
    ) {
        // Every session holds a sender: the channel is over with the last of them, and none wakes this task before.
        let (open, mut over) = mpsc::channel(1);
        let mut said = None;
        let deserted = loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => begin(accepted, &terms.borrow(), &stop, &open),
                    Err(error) if has_left(&error) => {}
                    Err(error) => wait_for_room(&error, &mut said).await,
                },
                changed = terms.changed() => if changed.is_err() {
                    break true;
                },
                _ = stop.changed() => break false,
            }
        };
        match deserted {
            true => self.begin_last(&terms, &stop, &open).await,
            false => drop(self),
        }
        drop((terms, open));
        let _: Option<Infallible> = over.recv().await;
    }

    /// Closes the listener. Whoever had connected by then is served, whether this task has heard of it or not; where
    /// they never cease to come, some thousands.
    async fn begin_last(
        self,
        terms: &watch::Receiver<Terms>,
        stop: &watch::Receiver<bool>,
        open: &mpsc::Sender<Infallible>,
    ) {
        const MOST: usize = 4096;
        const TURN: usize = 16;
        let listener = match self.listener.into_std() {
            Ok(listener) => listener,
            Err(error) => return tracing::warn!("can not serve who waits: {error}"),
        };
        for count in 1..=MOST {
            let accepted = listener.accept().and_then(|(client, peer)| {
                client.set_nonblocking(true)?;
                Ok((TcpStream::from_std(client)?, peer))
            });
            match accepted {
                Ok(accepted) => begin(accepted, &terms.borrow(), stop, open),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if has_left(&error) => {}
                Err(error) => return tracing::warn!("can not serve who waits: {error}"),
            }
            // The sessions of this thread go on meanwhile.
            if count % TURN == 0 {
                yield_now().await;
                if *stop.borrow() {
                    break;
                }
            }
        }
    }
}

/// Begins a session, where the client is admitted.
fn begin(
    (client, peer): (TcpStream, SocketAddr),
    Terms { relay, guard }: &Terms,
    stop: &watch::Receiver<bool>,
    open: &mpsc::Sender<Infallible>,
) {
    let Some((client, room)) = admitted(guard, client, peer) else { return };
    let place = Place { _room: room, _open: open.clone() };
    let index = relay.numbers.fetch_add(1, Ordering::Relaxed);
    let (relay, stop) = (relay.clone(), stop.clone());
    let workers = relay.workers.clone();
    workers.serve(client, move |client| session::run(relay, (client, peer), index, stop, place));
}

fn admitted(
    guard: &Guard,
    client: TcpStream,
    peer: SocketAddr,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let refusal = if !guard.admits(peer.ip()) {
        "its address is not allowed (--allow)"
    } else if let Ok(place) = guard.room.clone().try_acquire_owned() {
        let _ = client.set_nodelay(true);
        return Some((client, place));
    } else {
        "too many sessions are open (--max-sessions)"
    };
    tracing::warn!(%peer, "refused a client: {refusal}");
    let _ = os::reset_on_close(&client);
    None
}

/// A client was gone before it was accepted.
fn has_left(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// Out of descriptors or memory: the backlog holds the clients while sessions end. Said now and then.
async fn wait_for_room(error: &io::Error, said: &mut Option<Instant>) {
    const PAUSE: Duration = Duration::from_millis(50);
    const SELDOM: Duration = Duration::from_secs(10);
    if said.is_none_or(|said| said.elapsed() >= SELDOM) {
        *said = Some(Instant::now());
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
        let networks = vec![("10.0.0.0".parse().unwrap(), 8), ("fd00::".parse().unwrap(), 16)];
        let guard = Guard::new(networks, 1);
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
        let all = guard.clone();
        guard.allow(vec![("0.0.0.0".parse().unwrap(), 0)]);
        assert!(all.admits("203.0.113.9".parse().unwrap()));
        assert!(!all.admits("2001:db8::1".parse().unwrap()));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_client_that_is_accepted_is_asked_some_time_whether_it_is_there() {
        let listening = listen(SocketAddr::from(([127, 0, 0, 1], 0)), false).unwrap();
        let _client = TcpStream::connect(listening.address).await.unwrap();
        let (accepted, _) = listening.listener.accept().await.unwrap();
        assert!(SockRef::from(&accepted).keepalive().unwrap());
    }
}
