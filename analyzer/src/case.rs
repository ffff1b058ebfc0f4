//! What a detector is given: the facts of one session and summaries of its siblings, the other
//! connections of one client to one server that belong to the same attempt of a user.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::casebook::Around;
use crate::diff::{Diff, Side};
use crate::facts::{Facts, Reached, Resolved};
use crate::input::{Direction, Timestamp};
use crate::wire::tls::ProtocolVersion;
use crate::wire::x224::{FailureCode, Protocols, Routing};

/// Everything an opinion may rest on.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The session in question.
    pub this: &'a Facts,
    /// Its siblings, in order of their start.
    pub siblings: &'a [&'a Summary],
    /// How many other sessions of the same server, whoever's, its side ended in the same second.
    pub together: usize,
    /// The session of the same client, with any server, from which a token may have led here.
    pub sent_by: Option<&'a Summary>,
    /// The session of the same client, with any server, to which a token may have led from here.
    pub sent_to: Option<&'a Summary>,
    /// What another capture of the same traffic holds of it, where there is one.
    pub pair: Option<Pair<'a>>,
}

/// A session beside another capture, taken nearer to the other end.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// Where [`Case::this`] was captured.
    pub here: Side,
    /// What the other capture holds.
    pub there: There<'a>,
    /// The other capture's file, for evidence.
    pub file: &'a str,
    /// The names of the two captures between which it happens, the client's first.
    pub between: [&'a str; 2],
}

/// What the other capture holds of a session.
#[derive(Clone, Copy, Debug)]
pub enum There<'a> {
    /// The same session.
    Seen(&'a Facts, &'a Diff),
    /// No such session, although it was running before and after.
    Absent {
        /// It holds other sessions of the same server's address.
        same_host: bool,
        /// It holds connections of that time that a server accepted and that are nobody's here: one of them may be it.
        unclaimed: bool,
        /// What both captures tell of the name that led the session to its server.
        names: Names<'a>,
    },
    /// No such session, and it may not have been running.
    NotRunning,
}

/// What two captures tell of a name. Empty where no DNS answer led the session to its server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// The different DNS answers for it in the session's own capture, in order; empty where they are too many.
    pub here: &'a [Resolved],
    /// Those in the other capture.
    pub there: &'a [Resolved],
    /// The servers of the other capture's Remote Desktop sessions, whatever they are called.
    pub hosts: &'a [IpAddr],
    /// The servers in the session's own capture of whose sessions the other one holds some: these addresses lead
    /// there, translated or not.
    pub reached: &'a [IpAddr],
}

/// A session in few words, kept for its siblings' sake.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The client's address without the port.
    pub client: IpAddr,
    /// The server, where one was reached.
    pub server: Option<SocketAddr>,
    /// The cookie's id, as sent.
    pub cookie: Option<Vec<u8>>,
    /// It brought a token by which a load balancer knows its server (`msts=`). MS-RDPBCGR 2.2.13.1.
    pub token: bool,
    /// First and latest observation.
    pub started: Timestamp,
    /// Latest observation.
    pub ended: Timestamp,
    /// How far it got; `None` where the input does not tell.
    pub reached: Option<Reached>,
    /// What was asked for.
    pub requested: Option<Protocols>,
    /// What was selected.
    pub selected: Option<Protocols>,
    /// What was refused.
    pub failure: Option<FailureCode>,
    /// The highest TLS version its ClientHello offered.
    pub max_version: Option<ProtocolVersion>,
    /// Its ClientHello carried TLS_FALLBACK_SCSV.
    pub fallback_scsv: bool,
    /// The side that closed first, and when.
    pub closed: Option<(Direction, Timestamp)>,
}

/// A rehearsal can be followed for this long by the real attempt: a user reads a prompt and types.
pub const REHEARSAL: Duration = Duration::from_secs(120);

impl Summary {
    /// The summary of a session as it stands.
    pub fn of(facts: &Facts) -> Summary {
        let request = facts.x224.request.value();
        let hello = facts.tls.client_hello.value();
        Summary {
            client: facts.subject.client.ip(),
            server: facts.subject.server,
            cookie: request.and_then(|request| match &request.routing {
                Some(Routing::Cookie(id)) => Some(id.clone()),
                _ => None,
            }),
            token: request
                .and_then(|request| request.routing.as_ref())
                .is_some_and(Routing::is_balanced),
            started: facts.subject.started,
            ended: facts.now,
            reached: facts.reached().map(|(reached, _)| reached),
            requested: facts.x224.requested(),
            selected: facts.x224.selected(),
            failure: facts.x224.confirm.value().and_then(|confirm| confirm.failure()),
            max_version: hello.map(|hello| hello.max_version()),
            fallback_scsv: hello.is_some_and(|hello| hello.has_fallback_scsv()),
            closed: facts.ending().map(|ending| (ending.dir, ending.at.time)),
        }
    }

    /// True when both can be attempts of one user: same client and server, and no two different users.
    pub fn is_sibling_of(&self, other: &Summary) -> bool {
        let same_user = match (&self.cookie, &other.cookie) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        // A relay has one server by any of its addresses, and may have reached none.
        let same_server = match (self.server, other.server) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        self.client == other.client && same_server && same_user
    }

    /// True when the server's side ended both within a second although they had begun at different times, whoever's
    /// they are. What begins together and meets the same refusal ends together, too.
    pub fn ended_with(&self, other: &Summary) -> bool {
        const AT_ONCE: Duration = Duration::from_secs(1);
        const APART: Duration = Duration::from_secs(2);
        let at = |summary: &Summary| {
            summary.closed.filter(|(dir, _)| *dir == Direction::ToClient).map(|(_, at)| at)
        };
        let between = |a: Timestamp, b: Timestamp| Duration::from_nanos(a.0.abs_diff(b.0));
        // What tells most apart comes first: a busy relay asks this of many.
        between(self.started, other.started) >= APART
            && at(self).zip(at(other)).is_some_and(|(a, b)| between(a, b) <= AT_ONCE)
            && self.server.is_some()
            && self.server == other.server
    }

    /// True when this one's server may have sent the client to `next`: a session behind its TLS handshake was left
    /// for one that brings a token. MS-RDPBCGR 2.2.13.1, 3.2.5.3.1.
    pub fn may_have_sent(&self, next: &Summary) -> bool {
        const AT_ONCE: Duration = Duration::from_secs(5);
        const CROSSING: Duration = Duration::from_secs(1);
        let Some((_, left)) = self.closed else { return false };
        let may_know = self.reached.is_some_and(|reached| reached >= Reached::TlsFinished);
        may_know
            && next.token
            && self.client == next.client
            && self.started < next.started
            && left.since(next.started) <= CROSSING
            && next.started.since(left) <= AT_ONCE
    }

    /// True when this began after `earlier` was over for the side that closed it, within the time a rehearsal can
    /// be followed. Two connections side by side are two attempts; the last segments of an end may cross the next
    /// SYN.
    pub fn follows(&self, earlier: &Summary) -> bool {
        const CROSSING: Duration = Duration::from_secs(1);
        // What the other side still tries, or a relay for it, is no part of the attempt.
        let over = earlier.closed.map_or(earlier.ended, |(_, at)| at);
        self.started > earlier.started
            && over.since(self.started) <= CROSSING
            && self.started.since(over) <= REHEARSAL
            && self.is_sibling_of(earlier)
    }
}

impl<'a> Case<'a> {
    /// A session and its siblings, seen from one place.
    pub fn new(this: &'a Facts, siblings: &'a [&'a Summary]) -> Case<'a> {
        Case { this, siblings, together: 0, sent_by: None, sent_to: None, pair: None }
    }

    /// A session and those around it, seen from one place.
    pub fn among(this: &'a Facts, around: &'a Around<'a>) -> Case<'a> {
        let Around { together, sent_by, sent_to, .. } = *around;
        Case { together, sent_by, sent_to, ..Case::new(this, &around.siblings) }
    }

    /// The same session as captured at the server's side, and what differs; `None` without it.
    pub fn at_server(&self) -> Option<(&'a Facts, &'a Diff)> {
        match self.pair.as_ref()?.there {
            There::Seen(facts, diff) => Some((facts, diff)),
            _ => None,
        }
    }

    /// The DNS answer that led to a server where the other capture holds no such session, and what both
    /// captures tell of the name; `None` without one.
    pub fn led_by(&self) -> Option<(&'a Resolved, Names<'a>)> {
        match self.pair.as_ref()?.there {
            There::Absent { names, .. } => Some((self.this.resolved.as_deref()?, names)),
            _ => None,
        }
    }

    /// Siblings that began after this one, within the time a rehearsal can be followed.
    pub fn later(&self) -> impl Iterator<Item = &'a Summary> {
        let this = Summary::of(self.this);
        self.siblings.iter().copied().filter(move |sibling| sibling.follows(&this))
    }

    /// Siblings that began before this one and had ended by then, within the same time.
    pub fn earlier(&self) -> impl Iterator<Item = &'a Summary> {
        let this = Summary::of(self.this);
        self.siblings.iter().copied().filter(move |sibling| this.follows(sibling))
    }
}
