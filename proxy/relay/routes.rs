//! The routes of a relay: the addresses it listens on, where each leads, and how that changes while it runs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::listen::{Guard, Listen, Listening, Terms, adopt, listen};
use super::{Relay, Transparent, Upstream, Workers};

/// A listening address and where its clients are to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where to listen.
    pub listen: Listen,
    /// Where to.
    pub upstream: Upstream,
}

/// A route that listens and is not served yet.
pub struct Bound {
    /// What was wanted; its upstream knows the address by now.
    pub wanted: Wanted,
    /// The listener.
    pub listening: Listening,
}

/// The routes that are being served. Without it they stop listening; their sessions go on.
pub struct Routes {
    relay: Box<dyn Fn(Upstream, SocketAddr) -> Relay + Send>,
    guard: Guard,
    workers: Workers,
    stop: watch::Receiver<bool>,
    open: Vec<Open>,
}

struct Open {
    wanted: Wanted,
    address: SocketAddr,
    terms: watch::Sender<Terms>,
}

/// What a change of the routes came to.
#[derive(Debug, Default)]
pub struct Changes {
    /// Began to listen, or lead elsewhere now.
    pub opened: Vec<(SocketAddr, Upstream)>,
    /// Are not served any more, with what was wanted there.
    pub closed: Vec<(SocketAddr, Listen)>,
}

/// An address that can not be listened on.
#[derive(Debug)]
pub struct Unbound {
    /// Which.
    pub address: Listen,
    /// Why.
    pub source: io::Error,
}

/// Listens on all of these addresses, or on none, where these threads accept.
pub fn bind(
    wanted: impl IntoIterator<Item = Wanted>,
    workers: &Workers,
) -> Result<Vec<Bound>, Unbound> {
    let _there = workers.accepting().enter();
    wanted
        .into_iter()
        .map(|Wanted { listen: asked, upstream }| {
            let tproxy =
                matches!(&upstream, Upstream::Original(to) if to.by == Transparent::Tproxy);
            let listening = match &asked {
                Listen::At(address) => listen(*address, tproxy),
                Listen::Passed(name) => adopt(name),
            };
            let listening =
                listening.map_err(|source| Unbound { address: asked.clone(), source })?;
            let upstream = upstream.at(listening.address);
            Ok(Bound { wanted: Wanted { listen: asked, upstream }, listening })
        })
        .collect()
}

/// A route that listens no more.
struct Gone {
    wanted: Wanted,
    address: SocketAddr,
}

/// The same as [`bind`] for one address, whose listener has just been told to go.
async fn bind_when_free(wanted: Wanted, workers: &Workers) -> Result<Vec<Bound>, Unbound> {
    const PAUSE: Duration = Duration::from_millis(10);
    const TRIES: u32 = 100;
    for _ in 1..TRIES {
        match bind([wanted.clone()], workers) {
            Err(unbound) if unbound.source.kind() == io::ErrorKind::AddrInUse => sleep(PAUSE).await,
            bound => return bound,
        }
    }
    bind([wanted], workers)
}

impl Routes {
    /// No route yet. `relay` makes what the sessions of a route share: of where it leads and the address that it
    /// listens on. All sessions end when `stop` becomes true.
    pub fn new(
        relay: impl Fn(Upstream, SocketAddr) -> Relay + Send + 'static,
        guard: Guard,
        workers: Workers,
        stop: watch::Receiver<bool>,
    ) -> Routes {
        Routes { relay: Box::new(relay), guard, workers, stop, open: Vec::new() }
    }

    /// Serves a route.
    pub fn serve(&mut self, bound: Bound) {
        let Bound { wanted, listening } = bound;
        let address = listening.address;
        let (terms, current) = watch::channel(self.terms(&wanted, address));
        self.workers.accepting().spawn(listening.serve_on(current, self.stop.clone()));
        self.open.push(Open { wanted, address, terms });
    }

    /// Makes these the routes, and these the networks that may connect; changes nothing where one of the new
    /// addresses can not be listened on. A route that is gone stops listening; where its port is wanted at another
    /// address, it goes first, and for a moment nobody listens there. Sessions go on as they began.
    pub async fn change(
        &mut self,
        wanted: Vec<Wanted>,
        allow: Vec<(std::net::IpAddr, u8)>,
    ) -> Result<Changes, Unbound> {
        let mut open: Vec<Option<&Open>> = self.open.iter().map(Some).collect();
        let mut kept = vec![None; self.open.len()];
        let mut new = Vec::new();
        for wanted in wanted {
            let same = |open: &Open| open.wanted.listen == wanted.listen;
            let exact = |open: &Open| same(open) && open.wanted.upstream == wanted.upstream;
            let find =
                |what: &dyn Fn(&Open) -> bool| open.iter().position(|one| one.is_some_and(what));
            match find(&exact).or_else(|| find(&same)) {
                Some(at) => {
                    open[at] = None;
                    kept[at] = Some(wanted);
                }
                None => new.push(wanted),
            }
        }
        // What needs nobody to give way comes first: where that fails, nothing has changed.
        let (late, rest): (Vec<Wanted>, Vec<Wanted>) =
            new.into_iter().partition(|new| self.gone_at(&kept, &new.listen).is_some());
        let mut bound = bind(rest, &self.workers)?;
        let mut gave_way = Vec::new();
        for wanted in late {
            match self.take_over(wanted, &mut kept, &mut gave_way).await {
                Ok(there) => bound.extend(there),
                Err(unbound) => {
                    drop(bound);
                    self.come_back(gave_way).await;
                    return Err(unbound);
                }
            }
        }
        self.guard.allow(allow);
        let mut changes = self.commit(kept, bound);
        changes.closed.extend(gave_way.into_iter().map(|open| (open.address, open.wanted.listen)));
        Ok(changes)
    }

    /// Listens where a route that is gone may have the port; it goes if it has.
    async fn take_over(
        &mut self,
        wanted: Wanted,
        kept: &mut Vec<Option<Wanted>>,
        gave_way: &mut Vec<Gone>,
    ) -> Result<Vec<Bound>, Unbound> {
        match bind([wanted.clone()], &self.workers) {
            Err(unbound) if unbound.source.kind() == io::ErrorKind::AddrInUse => {}
            bound => return bound,
        }
        while let Some(at) = self.gone_at(kept, &wanted.listen) {
            kept.remove(at);
            let Open { wanted, address, .. } = self.open.remove(at);
            gave_way.push(Gone { wanted, address });
        }
        bind_when_free(wanted, &self.workers).await
    }

    /// A route that is gone, has a socket of its own and listens on this port.
    fn gone_at(&self, kept: &[Option<Wanted>], listen: &Listen) -> Option<usize> {
        let Listen::At(wanted) = listen else { return None };
        self.open.iter().zip(kept).position(|(open, kept)| {
            let own = matches!(open.wanted.listen, Listen::At(_));
            kept.is_none() && own && open.address.port() == wanted.port()
        })
    }

    /// Listens again where it did before, wherever that is still possible.
    async fn come_back(&mut self, gone: Vec<Gone>) {
        for Gone { wanted, address } in gone {
            let there = Wanted { listen: Listen::At(address), ..wanted.clone() };
            match bind_when_free(there, &self.workers).await {
                Ok(bound) => bound
                    .into_iter()
                    .for_each(|bound| self.serve(Bound { wanted: wanted.clone(), ..bound })),
                Err(unbound) => {
                    tracing::error!("no longer listening on {address}: {}", unbound.source);
                }
            }
        }
    }

    /// `kept` says of each open route what is wanted of it, `None` that it is gone.
    fn commit(&mut self, kept: Vec<Option<Wanted>>, bound: Vec<Bound>) -> Changes {
        let mut changes = Changes::default();
        for (mut open, kept) in std::mem::take(&mut self.open).into_iter().zip(kept) {
            let Some(mut wanted) = kept else {
                changes.closed.push((open.address, open.wanted.listen));
                continue;
            };
            wanted.upstream = wanted.upstream.at(open.address);
            if open.wanted != wanted {
                changes.opened.push((open.address, wanted.upstream.clone()));
            }
            open.wanted = wanted;
            let _ = open.terms.send(self.terms(&open.wanted, open.address));
            self.open.push(open);
        }
        for bound in bound {
            changes.opened.push((bound.listening.address, bound.wanted.upstream.clone()));
            self.serve(bound);
        }
        changes
    }

    fn terms(&self, wanted: &Wanted, address: SocketAddr) -> Terms {
        let relay = (self.relay)(wanted.upstream.clone(), address);
        Terms { relay: Arc::new(relay), guard: self.guard.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::atomic::AtomicU64;

    use rdpwhy_analyzer::session::Session;
    use tokio::sync::mpsc;

    use super::*;
    use crate::clock::Clock;
    use crate::dial::{DialOptions, Target};
    use crate::relay::{Deadlines, ProxyProtocol};

    fn to(port: u16) -> Upstream {
        Upstream::Fixed(Target { host: "192.0.2.1".into(), port })
    }

    fn wanted(listen: SocketAddr, port: u16) -> Wanted {
        Wanted { listen: Listen::At(listen), upstream: to(port) }
    }

    fn anywhere() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
    }

    /// Two routes, to the ports 1 and 2 of a server, that 10.0.0.0/8 may use.
    fn two() -> (Routes, watch::Sender<bool>) {
        let (desk, _) = mpsc::channel(1);
        let relay = move |upstream, address: SocketAddr| Relay {
            source: address.to_string().into(),
            numbers: Arc::new(AtomicU64::new(1)),
            upstream,
            dial: DialOptions::default(),
            proxy_protocol: ProxyProtocol::default(),
            deadlines: Deadlines::default(),
            rst_immune: None,
            once: false,
            clock: Clock::start(),
            desk: desk.clone(),
            recorder: None,
            packets: None,
            feed: Session::feed,
            announces: true,
            measures: None,
            workers: Workers::here(),
        };
        let (stop, stopped) = watch::channel(false);
        let guard = Guard::new(vec![(IpAddr::from([10, 0, 0, 0]), 8)], 1);
        let mut routes = Routes::new(relay, guard, Workers::here(), stopped);
        for bound in bind([wanted(anywhere(), 1), wanted(anywhere(), 2)], &Workers::here()).unwrap()
        {
            routes.serve(bound);
        }
        (routes, stop)
    }

    /// Where each route leads, and whether this client may use it.
    fn state(routes: &Routes, client: [u8; 4]) -> Vec<(SocketAddr, Option<u16>, bool)> {
        let state = |open: &Open| {
            let terms = open.terms.borrow();
            (open.address, terms.relay.upstream.port(), terms.guard.admits(client.into()))
        };
        routes.open.iter().map(state).collect()
    }

    #[tokio::test]
    async fn who_may_connect_follows_a_change_on_every_route() {
        let (mut routes, _stop) = two();
        assert!(state(&routes, [10, 0, 0, 1]).iter().all(|(.., admitted)| *admitted));
        let same = vec![wanted(anywhere(), 1), wanted(anywhere(), 2), wanted(anywhere(), 3)];
        let changes = routes.change(same, vec![(IpAddr::from([192, 0, 2, 0]), 24)]).await.unwrap();
        assert_eq!((changes.opened.len(), changes.closed.len()), (1, 0));
        assert!(!state(&routes, [10, 0, 0, 1]).iter().any(|(.., admitted)| *admitted));
        let admitted = state(&routes, [192, 0, 2, 1]);
        let ports: Vec<_> = admitted.iter().map(|(_, port, admitted)| (*port, *admitted)).collect();
        assert_eq!(ports, [(Some(1), true), (Some(2), true), (Some(3), true)]);
    }

    #[tokio::test]
    async fn a_route_that_leads_elsewhere_keeps_its_socket() {
        let (mut routes, _stop) = two();
        let before = state(&routes, [10, 0, 0, 1]);
        let changes = routes.change(vec![wanted(anywhere(), 2)], Vec::new()).await.unwrap();
        assert_eq!(changes.closed, [(before[0].0, Listen::At(anywhere()))]);
        assert!(changes.opened.is_empty());
        let changes = routes.change(vec![wanted(anywhere(), 9)], Vec::new()).await.unwrap();
        assert_eq!(changes.opened, [(before[1].0, to(9))]);
        assert_eq!(state(&routes, [127, 0, 0, 1]), [(before[1].0, Some(9), true)]);
    }

    #[tokio::test]
    async fn an_address_in_use_changes_nothing() {
        let (mut routes, _stop) = two();
        let taken = std::net::TcpListener::bind(anywhere()).unwrap().local_addr().unwrap();
        let _held = std::net::TcpListener::bind(taken).unwrap();
        let before = state(&routes, [10, 0, 0, 1]);
        let unbound =
            routes.change(vec![wanted(anywhere(), 7), wanted(taken, 8)], Vec::new()).await;
        assert!(
            matches!(unbound, Err(Unbound { address: Listen::At(address), .. }) if address == taken)
        );
        assert_eq!(state(&routes, [10, 0, 0, 1]), before);
    }
    #[cfg(target_os = "linux")] // where 127.0.0.2 is this machine, too
    #[tokio::test]
    async fn a_port_moves_from_one_address_to_all_of_them() {
        let (mut routes, _stop) = two();
        let at = |ip: [u8; 4], port| SocketAddr::from((ip, port));
        let [first, second] = [0, 1].map(|route| routes.open[route].address.port());
        // Listened to by their numbers from here on.
        let named = |one, other| vec![wanted(one, 1), wanted(other, 2)];
        let [one, other] = [first, second].map(|port| at([127, 0, 0, 1], port));
        routes.change(named(one, other), Vec::new()).await.unwrap();
        let all = at([0, 0, 0, 0], first);
        let changes = routes.change(named(all, other), Vec::new()).await.unwrap();
        assert_eq!(changes.closed, [(one, Listen::At(one))]);
        assert_eq!(changes.opened, [(all, to(1))]);
        // Where another program has the port at one of them, all stays as it was.
        let _held = std::net::TcpListener::bind(at([127, 0, 0, 2], second)).unwrap();
        let both = named(all, at([0, 0, 0, 0], second));
        let unbound = routes.change(both, Vec::new()).await;
        assert!(unbound.is_err());
        let mut open: Vec<SocketAddr> = routes.open.iter().map(|open| open.address).collect();
        open.sort();
        assert_eq!(open, [all, other]);
        tokio::net::TcpStream::connect(other).await.unwrap();
    }
}
