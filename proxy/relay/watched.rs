//! What the relay knows of one session while it lasts: its observer, its clock, its packets.

use std::time::Duration;

use rdpwhy_analyzer::facts::{InputEnd, Subject, Vantage};
use rdpwhy_analyzer::input::{
    Close, Direction, Input, Leg, RelayNote, Segment, SegmentKind, Timestamp,
};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Relay;
use super::lull::{LULL, Lull};
use super::observer::{Observer, syn_segment};
use super::origin::Origin;
use super::pump::{Deaths, Pump};
use super::upstream::Route;
use super::waiting::{is_stalled, without_answer};
use crate::clock::Clock;
use crate::desk::Message;
use crate::os;
use crate::os::syn::SynFacts;
use crate::packets::{Ends, LOST, Watch};

/// How long the packets of a session that is over are still listened to: for what acknowledges its last bytes.
const AFTER_FIN: Duration = Duration::from_millis(100);
/// The same behind a RST: a sender that goes on has not sent it.
const AFTER_RST: Duration = Duration::from_millis(300);

/// A session's observer with its clock.
pub struct Watched {
    /// Tells engine and recorder.
    pub observer: Observer,
    /// The only clock.
    pub clock: Clock,
    /// The session is up, and the desk knows.
    pub active: bool,
    index: u64,
    warned: bool,
    lull: Lull,
    packets: Option<Watch>,
    /// Bytes of its facts, as told to the measures.
    counted: usize,
    /// The client's SYN as its socket kept it, where the capture should show it.
    saved_syn: Option<Box<(Timestamp, Segment)>>,
}

impl Watched {
    /// Of a client that was accepted.
    pub fn begin(
        relay: &Relay,
        client: &TcpStream,
        origin: &Origin,
        index: u64,
        route: &Route,
    ) -> Watched {
        let clock = relay.clock;
        let now = origin.accepted;
        let sample = os::tcp_sample(client);
        let rtt =
            sample.and_then(|sample| sample.rtt_us).map(|us| Duration::from_micros(us.into()));
        // The relay learns of the client when its handshake is over.
        let started = Clock::before(now, rtt.unwrap_or_default());
        let (server, server_name) = route.server();
        let subject = Subject {
            client: origin.client,
            server,
            server_name,
            relay: [origin.own, None],
            vantage: Vantage::Relay,
            starts_in_the_middle: false,
            started,
        };
        let tape = relay.recorder.as_ref().map(|recorder| recorder.tape(index, &subject));
        let mut observer = Observer::new(subject, tape, relay.feed);
        let syn = os::saved_syn(client).and_then(|bytes| SynFacts::parse(&bytes).ok());
        let mut saved_syn = syn.map(|syn| Box::new((started, syn_segment(&syn))));
        let packets = relay.packets.as_ref().map(|packets| packets.watch());
        if packets.is_none()
            && let Some((time, syn)) = saved_syn.take().map(|saved| *saved)
        {
            observer.note(time, Input::Segment(syn));
        }
        observer.note(now, Input::Opened { leg: Leg::Client, took: rtt });
        if origin.client != origin.peer {
            observer.note(now, Input::Relay(RelayNote::ClientVia(origin.peer)));
        }
        let watched = Watched {
            observer,
            clock,
            active: false,
            index,
            warned: false,
            lull: Lull::default(),
            packets,
            counted: 0,
            saved_syn,
        };
        if let Some(server) = origin.own {
            watched.claim(Leg::Client, Ends { client: origin.peer, server }, true);
        }
        watched
    }

    /// The ends of a TCP connection of the session: its packets are looked for.
    pub fn claim(&self, leg: Leg, ends: Ends, connected: bool) {
        if let Some(packets) = &self.packets {
            packets.claim(leg, ends, connected);
        }
    }

    /// Anything but bytes, now.
    pub fn note(&mut self, input: Input<'_>) {
        self.observer.note(self.clock.now(), input);
    }

    fn sample(&mut self, time: Timestamp, leg: Leg, socket: &TcpStream) {
        if let Some(sample) = os::tcp_sample(socket) {
            self.observer.note(time, Input::Socket { leg, sample });
        }
    }

    /// From here on a RST from the server's side is not seen, and reports say so.
    pub fn ignore_resets(&mut self, server: &TcpStream) {
        match os::ignore_resets(server) {
            Ok(()) => self.note(Input::Relay(RelayNote::RstImmune)),
            Err(error) => tracing::warn!("this session does not ignore resets: {error}"),
        }
    }

    /// Hands the session over for its verdict. Its sockets should be closed by then, or be served elsewhere:
    /// with a capture it takes a moment.
    pub async fn end(
        mut self: Box<Self>,
        relay: &Relay,
        why: Option<InputEnd>,
        stop: &mut watch::Receiver<bool>,
    ) {
        let (now, index) = (self.clock.now(), self.index);
        self.hear_out(stop).await;
        relay.measures.as_ref().inspect(|measures| measures.facts_take(self.counted, 0));
        let (session, tape) = self.observer.finish(now, why.unwrap_or(InputEnd::Open));
        let _ = relay
            .desk
            .send(Message::Ended {
                index,
                source: relay.source.clone(),
                session: Box::new(session),
                tape,
            })
            .await;
    }

    /// The last of the packets.
    async fn hear_out(&mut self, stop: &mut watch::Receiver<bool>) {
        let Some(packets) = &self.packets else { return };
        let ending = self.observer.session().facts().ending();
        let reset = ending.is_some_and(|ending| ending.how == Close::Rst);
        if !*stop.borrow() {
            let wait = if reset { AFTER_RST } else { AFTER_FIN };
            let _ = timeout(wait, stop.changed()).await;
        }
        let whole = packets.finish().await;
        self.hear();
        if let Some(saved) = self.saved_syn.take().filter(|_| !self.has_client_syn()) {
            let (time, syn) = *saved;
            self.observer.note(time, Input::Segment(syn));
        }
        if !whole {
            self.observer.session_mut().limit(LOST);
        }
    }

    /// What packets told since it was asked last.
    fn hear(&mut self) {
        for heard in self.packets.as_ref().map(Watch::heard).unwrap_or_default() {
            self.observer.heard(heard);
        }
    }

    fn has_client_syn(&self) -> bool {
        let leg = self.observer.session().facts().tcp.leg(Leg::Client);
        leg.kept(SegmentKind::Syn).next().is_some()
    }

    /// Tells the desk about a stall once, and about the session being up once. Closes nothing.
    pub fn look(&mut self, relay: &Relay, pump: Option<&Pump>) {
        let now = self.clock.now();
        self.hear();
        if let Some(measures) = &relay.measures {
            let counted = self.observer.session().memory();
            measures.facts_take(std::mem::replace(&mut self.counted, counted), counted);
        }
        let facts = self.observer.session().facts();
        if facts.is_active() && !self.active {
            self.active = true;
            relay.tell(Message::Active {
                index: self.index,
                session: Box::new(self.observer.session().clone()),
            });
        }
        if let Some(pump) = pump {
            self.look_at_sockets(now, pump);
        }
        let facts = self.observer.session().facts();
        if self.warned || self.active || !is_stalled(facts, now) {
            return;
        }
        self.warned = true;
        if let Some(pump) = pump {
            let windows = self.lull.verify(now, |leg| os::tcp_sample(socket_of(pump, leg)));
            self.note_windows(windows);
            self.sample_both(now, pump);
        }
        let mut session = self.observer.session().clone();
        session.finish(now, InputEnd::Open);
        relay.tell(Message::Stalled {
            index: self.index,
            source: relay.source.clone(),
            session: Box::new(session),
        });
    }

    /// The session is looked at from time to time: until it is up, and until its sockets were looked at in a silence.
    pub fn is_looked_at(&self) -> bool {
        !self.active || (self.packets.is_none() && !self.lull.was_looked_at())
    }

    /// The next byte ends a silence in which the sockets were looked at.
    pub fn is_in_lull(&self) -> bool {
        self.lull.was_looked_at()
    }

    fn look_at_sockets(&mut self, now: Timestamp, pump: &Pump) {
        // Packets show every window there was.
        if self.packets.is_some() || self.lull.was_looked_at() {
            return;
        }
        if !self.is_quiet(LULL) {
            return self.lull.interrupt();
        }
        let sample = |leg| (leg, os::tcp_sample(socket_of(pump, leg)));
        let windows = self.lull.look(now, [Leg::Client, Leg::Server].map(sample));
        self.note_windows(windows);
    }

    /// Bytes pass again, or the session ends.
    pub fn end_lull(&mut self, pump: &Pump) {
        let now = self.clock.now();
        let windows = self.lull.end(now, |leg| os::tcp_sample(socket_of(pump, leg)));
        self.note_windows(windows);
    }

    fn note_windows(&mut self, windows: Vec<(Timestamp, Segment)>) {
        for (time, window) in windows {
            self.observer.note(time, Input::Segment(window));
        }
    }

    /// Nothing passed for this long.
    pub fn is_quiet(&self, while_: Duration) -> bool {
        let facts = self.observer.session().facts();
        let last = Direction::BOTH
            .into_iter()
            .filter_map(|dir| facts.stream(dir).last)
            .map(|at| at.time)
            .max();
        last.is_none_or(|last| self.clock.now().since(last) >= while_)
    }

    /// The client has waited for the server for this long.
    pub fn waits(&self, limit: Duration) -> bool {
        let facts = self.observer.session().facts();
        without_answer(facts, self.clock.now()).is_some_and(|waited| waited >= limit)
    }

    /// Notes the ends that the pump has found and passes them on; true when nothing is left to move. First-death
    /// rule: both sockets are sampled before anything is sent.
    pub fn pass_on(&mut self, pump: &mut Pump, deaths: Deaths) -> bool {
        let now = self.clock.now();
        self.end_lull(pump);
        self.sample_both(now, pump);
        for dir in Direction::BOTH {
            if let Some(how) = deaths.0[dir.index()] {
                let leg = if dir == Direction::ToServer { Leg::Client } else { Leg::Server };
                self.observer.note(now, Input::Closed { leg, dir, how });
            }
        }
        let passed_on = pump.propagate();
        for (dir, how) in passed_on.sent {
            let leg = if dir == Direction::ToServer { Leg::Server } else { Leg::Client };
            self.note(Input::Closed { leg, dir, how });
        }
        passed_on.over
    }

    /// The state of both sockets.
    pub fn sample_both(&mut self, now: Timestamp, pump: &Pump) {
        for leg in [Leg::Client, Leg::Server] {
            self.sample(now, leg, socket_of(pump, leg));
        }
    }
}

fn socket_of(pump: &Pump, leg: Leg) -> &TcpStream {
    pump.source(if leg == Leg::Client { Direction::ToServer } else { Direction::ToClient })
}
