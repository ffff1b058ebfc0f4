//! What the relay knows of one session while it lasts: its observer, its clock, its packets.

use std::time::{Duration, Instant};

use rdpwhy_analyzer::facts::{InputEnd, Subject, Vantage};
use rdpwhy_analyzer::input::{
    ConnectFailure, ConnectFailureKind, Direction, Input, Leg, Origin, RelayNote, Segment,
    SegmentKind, Timestamp,
};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::observer::{Observer, syn_segment};
use super::origin::Origin as Client;
use super::pump::{Deaths, Pump};
use super::upstream::Route;
use super::waiting::{DIALING, is_stalled, without_answer};
use super::zero_window::{LULL, Stretch, ZeroWindows};
use super::{Lent, Relay};
use crate::clock::Clock;
use crate::desk::Message;
use crate::os;
use crate::os::syn::SynFacts;
use crate::packets::{Ends, LOST, Watch};

/// How long the packets of a session that is over are still listened to, besides two round trips: for what acknowledges
/// its last bytes, and for a sender that goes on behind its FIN or RST, which it then has not sent.
const AFTERWARDS: Duration = Duration::from_millis(300);
/// And no longer than this, however slow the way.
const AFTERWARDS_AT_MOST: Duration = Duration::from_secs(1);

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
    kept_alive: bool,
    windows: ZeroWindows,
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
        origin: &Client,
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
            kept_alive: false,
            windows: ZeroWindows::default(),
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
                session: Lent::new(session),
                tape,
            })
            .await;
    }

    /// The last of the packets.
    async fn hear_out(&mut self, stop: &mut watch::Receiver<bool>) {
        let Some(packets) = &self.packets else { return };
        if !*stop.borrow() {
            let legs = self.observer.session().facts().tcp.legs();
            let turns = legs.filter_map(|(_, leg)| leg.socket.as_ref()?.value.rtt_us).max();
            let turn = Duration::from_micros(turns.unwrap_or(0).into());
            let wait = (AFTERWARDS + 2 * turn).min(AFTERWARDS_AT_MOST);
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
            self.keep_alive(pump);
            self.look_at_sockets(now, pump);
        }
        if self.warned || self.active || !is_stalled(self.observer.session().facts(), now) {
            return;
        }
        if let Some(pump) = pump {
            self.sample_both(now, pump);
        }
        self.foretell(relay);
    }

    /// Tells the desk, once, what it would be told if the session ended now.
    pub fn foretell(&mut self, relay: &Relay) {
        if !self.warned {
            let shut = self.windows.so_far().into_iter().flatten();
            let shut = shut.map(|(time, window)| (time, Input::Segment(window)));
            self.warn(relay, self.clock.now(), shut);
        }
    }

    /// Tells the desk how it stands, with what would be told if it ended now.
    fn warn(
        &mut self,
        relay: &Relay,
        now: Timestamp,
        besides: impl Iterator<Item = (Timestamp, Input<'static>)>,
    ) {
        self.warned = true;
        let mut session = Box::new(self.observer.session().clone());
        for (time, input) in besides {
            session.feed(time, Origin::Socket, input);
        }
        session.finish(now, InputEnd::Open);
        relay.tell(Message::Stalled { index: self.index, source: relay.source.clone(), session });
    }

    /// Tells the desk, once, that the server's name is looked up and no answer comes.
    pub fn look_up(&mut self, relay: &Relay, since: Instant) {
        self.look(relay, None);
        let now = self.clock.now();
        if let Some(failure) = unresolved(since).filter(|failure| failure.after >= DIALING)
            && !self.warned
        {
            let failed = Input::ConnectFailed { leg: Leg::Server, failure };
            self.warn(relay, now, std::iter::once((now, failed)));
        }
    }

    /// Nobody waits any longer for the answer.
    pub fn give_up_name(&mut self, since: Instant) {
        if let Some(failure) = unresolved(since) {
            self.note(Input::ConnectFailed { leg: Leg::Server, failure });
        }
    }

    /// The session is looked at from time to time: until it is up, and while its sockets may tell of a window.
    pub fn is_looked_at(&self) -> bool {
        let windows = &self.windows;
        let wanted = !windows.were_looked_at() || windows.is_any_shut();
        !self.active || (self.packets.is_none() && wanted)
    }

    /// The next byte ends a silence in which the sockets were looked at.
    pub fn is_in_lull(&self) -> bool {
        self.windows.were_looked_at()
    }

    /// Bytes pass again.
    pub fn end_lull(&mut self) {
        self.windows.resume();
    }

    /// Asks a server that says nothing for hours whether it is there; of most sessions nobody has to.
    fn keep_alive(&mut self, pump: &Pump) {
        if !std::mem::replace(&mut self.kept_alive, true) {
            let _ = SockRef::from(socket_of(pump, Leg::Server)).set_keepalive(true);
        }
    }

    fn look_at_sockets(&mut self, now: Timestamp, pump: &Pump) {
        // Packets show every window there was.
        if self.packets.is_some() {
            return;
        }
        let opened = self.windows.watch(now, |leg| os::tcp_sample(socket_of(pump, leg)));
        self.note_windows(opened);
        if self.windows.were_looked_at() {
            return;
        }
        if !self.is_quiet(LULL) {
            return self.windows.resume();
        }
        let sample = |leg| (leg, os::tcp_sample(socket_of(pump, leg)));
        self.windows.look(now, [Leg::Client, Leg::Server].map(sample));
    }

    /// The observation ends: what is known of windows that are still shut is told.
    pub fn end_windows(&mut self, pump: &Pump) {
        let now = self.clock.now();
        let over = self.windows.end(now, |leg| os::tcp_sample(socket_of(pump, leg)));
        self.note_windows(over);
    }

    fn note_windows(&mut self, stretch: Option<Stretch>) {
        for (time, window) in stretch.into_iter().flatten() {
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
        self.end_windows(pump);
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

/// The lookup of the server's name has had no answer, for longer than a moment.
fn unresolved(since: Instant) -> Option<ConnectFailure> {
    const MOMENT: Duration = Duration::from_secs(5);
    let (kind, after) = (ConnectFailureKind::NameUnanswered, since.elapsed());
    (after >= MOMENT).then_some(ConnectFailure { to: None, kind, after, syns: None })
}

fn socket_of(pump: &Pump, leg: Leg) -> &TcpStream {
    pump.source(if leg == Leg::Client { Direction::ToServer } else { Direction::ToClient })
}
