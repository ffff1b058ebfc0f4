//! The routes of a relay: the addresses it listens on, where each leads, and how that changes while it runs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

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
    /// addresses can not be listened on. A route that is gone stops listening. Sessions go on as they began.
    pub fn change(
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
        let bound = bind(new, &self.workers)?;
        self.guard.allow(allow);
        Ok(self.commit(kept, bound))
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
        let changes = routes.change(same, vec![(IpAddr::from([192, 0, 2, 0]), 24)]).unwrap();
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
        let changes = routes.change(vec![wanted(anywhere(), 2)], Vec::new()).unwrap();
        assert_eq!(changes.closed, [(before[0].0, Listen::At(anywhere()))]);
        assert!(changes.opened.is_empty());
        let changes = routes.change(vec![wanted(anywhere(), 9)], Vec::new()).unwrap();
        assert_eq!(changes.opened, [(before[1].0, to(9))]);
        assert_eq!(state(&routes, [127, 0, 0, 1]), [(before[1].0, Some(9), true)]);
    }

    #[tokio::test]
    async fn an_address_in_use_changes_nothing() {
        let (mut routes, _stop) = two();
        let taken = std::net::TcpListener::bind(anywhere()).unwrap().local_addr().unwrap();
        let _held = std::net::TcpListener::bind(taken).unwrap();
        let before = state(&routes, [10, 0, 0, 1]);
        let unbound = routes.change(vec![wanted(anywhere(), 7), wanted(taken, 8)], Vec::new());
        assert!(
            matches!(unbound, Err(Unbound { address: Listen::At(address), .. }) if address == taken)
        );
        assert_eq!(state(&routes, [10, 0, 0, 1]), before);
    }
}
