//! What the facts of a session take, for whoever keeps many of them.

use std::mem::size_of;

use super::{Lane, Session};
use crate::facts::{Facts, LegFacts, Resolved, Seen, TlsFacts};
use crate::input::{SegmentCounts, TcpSample};
use crate::wire::tls::{CertificateSummary, ClientHello};
use crate::wire::x224::Routing;

impl Session {
    /// Bytes of memory: its own, and those that its facts hold elsewhere, as far as they grow with what peers say.
    /// Not what an allocator adds.
    pub fn memory(&self) -> usize {
        let lanes: usize = self.lanes.iter().map(of_lane).sum();
        size_of::<Session>() + of_facts(&self.facts) + lanes
    }
}

fn of_lane(lane: &Lane) -> usize {
    let first = lane.first.as_ref().map_or(0, Vec::capacity);
    first + lane.frame.body.capacity() + lane.frame.handshake.capacity()
}

fn of_facts(facts: &Facts) -> usize {
    let legs: usize = facts.tcp.legs().map(|(_, leg)| of_leg(leg)).sum();
    let request = facts.x224.request.value().and_then(|request| request.routing.as_ref());
    let routing = match request {
        Some(Routing::Cookie(text) | Routing::Token(text)) => text.capacity(),
        None => 0,
    };
    let resolved = facts.resolved.as_deref().map_or(0, of_resolved);
    let lists = of(&facts.relay) + of(&facts.damage) + of(&facts.limits);
    legs + of_tls(&facts.tls) + routing + resolved + lists
}

fn of_resolved(resolved: &Resolved) -> usize {
    size_of::<Resolved>() + resolved.name.capacity() + of(&resolved.addresses)
}

fn of_leg(leg: &LegFacts) -> usize {
    let options: usize = leg.segments.iter().map(|kept| kept.value.options.capacity()).sum();
    let socket = leg.socket.as_ref().map_or(0, |_| size_of::<Seen<TcpSample>>());
    let counts = leg.counts().map_or(0, |_| size_of::<[SegmentCounts; 2]>());
    let lists = of(&leg.segments) + of(&leg.closes) + of(&leg.attempts);
    size_of::<LegFacts>() + lists + options + socket + counts
}

fn of_tls(tls: &TlsFacts) -> usize {
    let hello = tls.client_hello.value().map_or(0, of_hello);
    let answer = tls.server_hello.value().map_or(0, |hello| of(&hello.extensions));
    // Counted by each of the sessions that share it.
    let chain = tls.certificate.value().map_or(0, |chain| {
        size_of_val(&**chain) + chain.iter().flatten().map(of_certificate).sum::<usize>()
    });
    hello + answer + chain + of(&tls.dialogue) + of(&tls.alerts)
}

fn of_hello(hello: &ClientHello) -> usize {
    let name = hello.server_name.as_ref().map_or(0, String::capacity);
    let lists = of(&hello.cipher_suites) + of(&hello.compression) + of(&hello.extensions);
    let more = of(&hello.supported_versions) + of(&hello.groups) + of(&hello.signature_schemes);
    let alpn: usize = hello.alpn.iter().map(Vec::capacity).sum();
    name + lists + more + of(&hello.key_share_groups) + of(&hello.alpn) + alpn
}

fn of_certificate(certificate: &CertificateSummary) -> usize {
    let CertificateSummary { subject, issuer, serial, key, key_algorithm, sha256, .. } =
        certificate;
    let texts = [subject, issuer, serial, key, key_algorithm, sha256];
    let usages = certificate.extended_key_usage.iter().map(String::capacity).sum::<usize>();
    let name = certificate.common_name.as_ref().map_or(0, String::capacity);
    texts.map(String::capacity).iter().sum::<usize>()
        + certificate.signature_algorithm.capacity()
        + of(&certificate.names)
        + of(&certificate.extended_key_usage)
        + usages
        + name
}

fn of<T>(list: &Vec<T>) -> usize {
    list.capacity() * size_of::<T>()
}

#[cfg(test)]
mod tests {
    use crate::event::At;
    use crate::facts::Resolved;
    use crate::input::{Leg, Origin};
    use crate::session::Session;
    use crate::testing::{MSTSC, SSL, STARTED, ToServer, Trace};
    use crate::wire::tls::samples::EC_CERTIFICATE;

    #[test]
    fn what_peers_say_is_counted() {
        let bare = Trace::relay().open().session().memory();
        assert!(bare >= size_of::<Session>());
        let agreed = Trace::relay().negotiated(MSTSC, SSL);
        let tls13 = agreed.clone().tls13().session().memory();
        let tls12 = agreed.tls12(EC_CERTIFICATE).session().memory();
        assert!(bare < tls13 && tls13 + 200 < tls12, "{bare}, {tls13}, {tls12}");
        let mut named = Trace::capture().session();
        let before = named.memory();
        named.set_resolved(Resolved {
            name: "desk.example.com".repeat(10),
            addresses: vec![[192, 0, 2, 7].into(); 30],
            resolver: [192, 0, 2, 53].into(),
            asker: [10, 0, 0, 5].into(),
            at: At::new(STARTED, Origin::Packet(1), Leg::Single),
        });
        assert!(named.memory() >= before + 160 + 30 * size_of::<std::net::IpAddr>());
        // A session that is up keeps little, however long it goes on.
        let up = |records| {
            let desktop = Trace::relay().negotiated(MSTSC, SSL).tls12(EC_CERTIFICATE).desktop();
            desktop.app(ToServer, 1000, records).session().memory()
        };
        assert_eq!(up(500), up(5000));
        assert!(up(5000) < 6 << 10, "{}", up(5000));
    }
}
