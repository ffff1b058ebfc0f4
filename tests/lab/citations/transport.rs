//! Rules about TCP and IP: ends, silence, numbers and TTLs.

use super::packet::{ACK, FIN, Packet, RST, SYN};
use super::scene::{ROUNDED, Scene, behind, has, joined, later_of, same_ms, same_s};
use super::{By, Rule};

pub const RULES: &[Rule] = &[
    Rule { words: "a RST from", by: By::Named, shows: |scene| ended(scene, RST) },
    Rule { words: "a FIN from", by: By::Named, shows: |scene| ended(scene, FIN) },
    Rule { words: "no SYN-ACK, RST or ICMP within", by: By::Client, shows: syn_without_answer },
    Rule { words: "RST in answer to the SYN", by: By::Server, shows: refused },
    Rule { words: "quoting the SYN", by: By::Either, shows: icmp },
    Rule { words: "the TCP handshake with", by: By::Either, shows: opened },
    Rule { words: "the round trip took", by: By::Either, shows: round_trip },
    Rule { words: "answered and reset before any byte", by: By::Either, shows: reset_when_opened },
    Rule { words: "the SYN-ACK had TTL", by: By::Server, shows: syn_ack_of_another },
    Rule { words: " has TTL ", by: By::Either, shows: ttl },
    Rule { words: "have different TTLs", by: By::Named, shows: several_ttls },
    Rule { words: "the RST looks like", by: By::Either, shows: usual_reset },
    Rule { words: "has IP identification", by: By::Either, shows: identification },
    Rule { words: "what was due", by: By::Either, shows: sequence },
    Rule { words: "as if it knew of none", by: By::Named, shows: went_on },
    Rule { words: "a second RST of that sender", by: By::Either, shows: second_reset },
    Rule { words: "bytes that nobody had sent", by: By::Either, shows: acknowledges_unsent },
    Rule { words: "the same RST came", by: By::Either, shows: same_reset },
    Rule { words: "after the last byte to that side", by: By::Either, shows: early },
    Rule { words: "behind the place of that FIN", by: By::Named, shows: behind_fin },
    Rule { words: "differ from what had come", by: By::Named, shows: differs },
    Rule { words: "by the server's own segments", by: By::Server, shows: unacknowledged },
    Rule { words: "SYN-ACKs of the server, and no", by: By::Server, shows: unheard_answers },
    Rule { words: "no-operation options in a row", by: By::Named, shows: blanked },
    Rule { words: "nothing from the server for", by: By::Client, shows: server_silent },
    Rule { words: "announced by the", by: By::Named, shows: zero_window },
    Rule { words: "s without a byte the", by: By::Named, shows: pause },
    Rule { words: "it was the first word after", by: By::Either, shows: after_silence },
    Rule { words: "without a single byte", by: By::Client, shows: closed_unheard },
    Rule { words: "arrived behind a hole", by: By::Either, shows: hole },
    Rule { words: "times again and got no", by: By::Either, shows: in_vain },
    Rule { words: "before any credentials were sent", by: By::Either, shows: ends },
    Rule { words: "the server side closed", by: By::Server, shows: server_closed },
    Rule { words: "may be asked something", by: By::Client, shows: ends },
    Rule { words: "the DNS answer of", by: By::Either, shows: resolved },
];

/// A resolver gives these addresses for this name, and no other.
fn resolved(scene: &Scene) -> bool {
    let Some(answer) = &scene.packet.answer else { return false };
    let (resolver, rest) = scene.behind("answer of ").split_once(" for ").unwrap_or_default();
    let (name, list) = rest.split_once(": ").unwrap_or_default();
    let (list, more) = list.split_once(" and ").unwrap_or((list, "0"));
    let said: Vec<&str> = list.split(", ").collect();
    let more = more.trim_end_matches(" more").parse().unwrap_or(usize::MAX);
    resolver == scene.packet.from
        && name == answer.name.to_lowercase()
        && said.iter().all(|one| answer.addresses.iter().any(|known| known == one))
        && said.len().saturating_add(more) == answer.addresses.len()
}

/// The connection ends here.
pub fn ends(scene: &Scene) -> bool {
    scene.packet.ends()
}

/// It ends here in this way, and what had come until then is what is said.
fn ended(scene: &Scene, flag: u16) -> bool {
    let until = scene.packet.number;
    let known = |server| count(scene.connection().filter(|p| p.number <= until), server);
    let near = |said: f64, server| known(server).contains(&said);
    scene.packet.has(flag)
        && near(scene.number("after "), false)
        && near(scene.number("to the server and "), true)
}

/// The bytes that a side had sent: those in order at least, those up to its highest number at most.
pub fn count<'p>(
    packets: impl Iterator<Item = &'p Packet> + Clone,
    server: bool,
) -> std::ops::RangeInclusive<f64> {
    let own = packets.filter(|p| p.by_server == server);
    let base = own.clone().find(|p| p.has(SYN)).map(Packet::end);
    let base = base.or_else(|| own.clone().map(|p| p.seq).next()).unwrap_or_default();
    let data = own.filter(|p| !p.payload.is_empty() && !p.has(SYN));
    let all = data.clone().map(|p| p.payload.len()).sum::<usize>() as f64;
    let top = data.map(|p| behind(p.seq, base) + p.payload.len() as i64).max();
    let top = top.unwrap_or_default() as f64;
    all.min(top)..=top
}

/// A SYN behind which nobody answers it in the time that is told from the first one.
fn syn_without_answer(scene: &Scene) -> bool {
    let Some(first) = scene.connection().find(|packet| packet.has(SYN)) else { return false };
    let until = first.time + scene.number("within ");
    let answers = |packet: &&Packet| packet.by_server || packet.icmp.is_some();
    let soon = |packet: &&Packet| packet.time > first.time && packet.time < until - ROUNDED;
    let answer = scene.views.here.iter().filter(answers).filter(soon);
    let answered = answer.clone().any(|packet| {
        packet.stream == scene.packet.stream
            || packet.icmp.is_some_and(|(kind, _)| matches!(kind, 1 | 3 | 11))
    });
    scene.packet.flags & (SYN | ACK) == SYN && !answered
}

/// It and an earlier RST of its side acknowledge so much more than the other side had sent.
fn acknowledges_unsent(scene: &Scene) -> bool {
    let by_server = scene.packet.by_server;
    let sent = scene.earlier().filter(|packet| packet.by_server != by_server).map(Packet::end);
    let Some(sent) = sent.reduce(later_of) else { return false };
    let ahead = |packet: &Packet| behind(packet.ack, sent) as f64;
    let mut before = scene.own_earlier().filter(|packet| packet.has(RST));
    scene.packet.has(RST)
        && ahead(scene.packet) == scene.number(" and ")
        && before.any(|packet| ahead(packet) == scene.number("acknowledge "))
}

/// So many RSTs with its numbers came until here, the first so long before.
fn same_reset(scene: &Scene) -> bool {
    let own = scene.packet;
    let same = |packet: &&Packet| {
        packet.has(RST) && (packet.seq, packet.ack, packet.flags) == (own.seq, own.ack, own.flags)
    };
    let before: Vec<&Packet> = scene.own_earlier().filter(same).collect();
    let first = before.first().map_or(own.time, |packet| packet.time);
    own.has(RST)
        && scene.number("came ") == (before.len() + 1) as f64
        && same_ms(scene.number("within "), own.time - first)
}

/// A RST of the server to a SYN, so long after the first.
fn refused(scene: &Scene) -> bool {
    let Some(first) = scene.earlier().find(|packet| packet.flags & (SYN | ACK) == SYN) else {
        return false;
    };
    let after = scene.packet.time - first.time;
    scene.packet.has(RST)
        && same_ms(scene.number(" after "), after)
        && !scene.own_earlier().any(|packet| packet.has(SYN))
}

fn icmp(scene: &Scene) -> bool {
    let Some((kind, code)) = scene.packet.icmp else { return false };
    let said = (scene.number("ICMP type "), scene.number(" code "));
    said == (kind.into(), code.into())
        && scene.fact.contains(&format!(" from {},", scene.packet.from))
}

/// The first segment behind a SYN-ACK, or a later one where that was not captured.
fn opened(scene: &Scene) -> bool {
    let answered = scene.earlier().any(|packet| packet.flags & (SYN | ACK) == SYN | ACK);
    let tried = scene.earlier().any(|packet| packet.flags & (SYN | ACK) == SYN);
    scene.packet.flags & (SYN | ACK | RST) == ACK && (answered || tried)
}

/// From the first SYN to the end of the handshake it takes no less than one round trip.
fn round_trip(scene: &Scene) -> bool {
    let said = scene.number("took ") / 1000.0;
    let first = scene.connection().next().map_or(f64::NAN, |packet| packet.time);
    opened(scene) && scene.packet.time - first >= said - 0.001
}

fn reset_when_opened(scene: &Scene) -> bool {
    scene.packet.has(RST) && scene.earlier().all(|packet| packet.payload.is_empty())
}

/// Its TTL, and that of those of its sender before it.
fn ttl(scene: &Scene) -> bool {
    let flag = if scene.fact.contains("FIN has") { FIN } else { RST };
    let usual = scene.number("of its sender ");
    let before = scene.own_earlier().filter(|packet| f64::from(packet.ttl) == usual).count();
    scene.packet.has(flag)
        && f64::from(scene.packet.ttl) == scene.number(" has TTL ")
        && before > 0
        && scene.own_earlier().count() as f64 >= scene.number(", the ")
}

fn several_ttls(scene: &Scene) -> bool {
    let own = scene.connection().filter(|packet| packet.by_server == scene.packet.by_server);
    own.map(|packet| packet.ttl).any(|ttl| ttl != scene.packet.ttl)
        && !scene.packet.payload.is_empty()
}

fn syn_ack_of_another(scene: &Scene) -> bool {
    let answer = scene.own_earlier().find(|packet| packet.has(SYN));
    answer.is_some_and(|packet| f64::from(packet.ttl) == scene.number("had TTL "))
        && f64::from(scene.packet.ttl) == scene.number("server's name ")
}

fn usual_reset(scene: &Scene) -> bool {
    let usual = scene.own_earlier().last().map(|packet| packet.ttl);
    scene.packet.has(RST) && usual == Some(scene.packet.ttl)
}

fn identification(scene: &Scene) -> bool {
    let mut earlier = scene.own_earlier().map(|packet| f64::from(packet.ip_id));
    ends(scene)
        && f64::from(scene.packet.ip_id) == scene.number("identification ")
        && earlier.any(|id| id == scene.number("stood at "))
}

/// How far from the end of what its sender had sent or the other had acknowledged.
fn sequence(scene: &Scene) -> bool {
    let due = scene
        .own_earlier()
        .map(Packet::end)
        .reduce(|due, end| if behind(end, due) > 0 { end } else { due });
    let Some(due) = due else { return false };
    let offset = behind(scene.packet.seq, due) as f64;
    let said = scene.number("stands ");
    let said = if scene.fact.contains("before what") { -said } else { said };
    scene.packet.has(RST) && said == offset
}

/// Something of the same side behind its RST, so long after it.
fn went_on(scene: &Scene) -> bool {
    let said = scene.number("");
    let rst = scene.own_earlier().filter(|packet| packet.has(RST));
    let length = match scene.fact.contains("an acknowledgement") {
        true => 0.0,
        false => scene.number(" sent "),
    };
    !scene.packet.has(RST)
        && scene.packet.payload.len() as f64 == length
        && rst.map(|rst| scene.packet.time - rst.time).any(|after| same_ms(said, after))
}

fn second_reset(scene: &Scene) -> bool {
    let first = scene.own_earlier().filter(|packet| packet.has(RST));
    let ahead = |first: &Packet| behind(scene.packet.seq, first.seq) as f64;
    scene.packet.has(RST) && first.map(ahead).any(|ahead| ahead == scene.number("stands "))
}

/// So long after the other side's last bytes.
fn early(scene: &Scene) -> bool {
    let other = |packet: &&Packet| packet.by_server != scene.packet.by_server;
    let words = scene.earlier().filter(other).filter(|packet| !packet.payload.is_empty());
    let said = scene.number(" came ");
    ends(scene) && words.last().is_some_and(|last| same_ms(said, scene.packet.time - last.time))
}

fn behind_fin(scene: &Scene) -> bool {
    let length = scene.packet.payload.len();
    let fin = scene.own_earlier().filter(|packet| packet.has(FIN));
    length as f64 == scene.number("")
        && fin.map(|fin| behind(scene.packet.end(), fin.end())).any(|beyond| beyond >= 0)
}

/// Another content for a place that an earlier segment of that side has filled.
fn differs(scene: &Scene) -> bool {
    scene.packet.payload.len() as f64 == scene.number("") && overwrites(scene)
}

/// An earlier segment of that side has filled the place with something else.
pub fn overwrites(scene: &Scene) -> bool {
    let this = scene.packet;
    let other = |packet: &Packet| {
        let ahead = behind(this.seq, packet.seq);
        let (mine, theirs) = match usize::try_from(ahead) {
            Ok(ahead) => (0, ahead),
            Err(_) => (ahead.unsigned_abs() as usize, 0),
        };
        let mine = this.payload.get(mine..).unwrap_or_default();
        let theirs = packet.payload.get(theirs..).unwrap_or_default();
        mine.iter().zip(theirs).any(|(one, other)| one != other)
    };
    scene.own_earlier().any(other)
}

/// What the client sent last lies beyond what the server's other segments acknowledge.
fn unacknowledged(scene: &Scene) -> bool {
    let client = scene.earlier().filter(|p| !p.by_server && !p.payload.is_empty());
    let Some(last) = client.map(Packet::end).last() else { return false };
    let genuine = scene.own_earlier().filter(|p| p.has(ACK) && !p.has(RST));
    scene.packet.has(RST) && genuine.map(|p| behind(p.ack, last)).all(|beyond| beyond < 0)
}

fn unheard_answers(scene: &Scene) -> bool {
    let until = scene.packet.number;
    let heard = scene.connection().any(|packet| !packet.by_server && !packet.has(SYN));
    let answers = syn_acks(scene.connection().take_while(|packet| packet.number <= until));
    scene.packet.flags & (SYN | ACK) == SYN | ACK
        && answers.contains(&(scene.number("") as usize))
        && !heard
}

/// How many SYN-ACKs these are: copies of one that stand together in the capture may be one packet.
pub fn syn_acks<'p>(packets: impl Iterator<Item = &'p Packet>) -> std::ops::RangeInclusive<usize> {
    const COPY: f64 = 0.001;
    let is_answer = |packet: &&Packet| packet.flags & (SYN | ACK) == SYN | ACK;
    let times: Vec<f64> = packets.filter(is_answer).map(|packet| packet.time).collect();
    let copies = times.windows(2).filter(|pair| pair[1] - pair[0] < COPY).count();
    times.len() - copies..=times.len()
}

fn blanked(scene: &Scene) -> bool {
    let count = scene.number("");
    let blanks = vec![1; count as usize];
    scene.packet.has(SYN) && has(&scene.packet.options, &blanks)
}

/// Bytes of the client's, and none of the server's for so long.
fn server_silent(scene: &Scene) -> bool {
    !scene.packet.payload.is_empty() && scene.silent(true, scene.number(" for "))
}

/// A window that stays at this value for so long.
fn zero_window(scene: &Scene) -> bool {
    let (window, seconds) = (scene.number("window "), scene.number(" for "));
    let is = |packet: &Packet| f64::from(packet.window) == window && !packet.has(SYN);
    let until = scene.packet.time + seconds - ROUNDED;
    let own = scene.later().filter(|packet| packet.by_server == scene.packet.by_server);
    is(scene.packet) && own.take_while(|packet| packet.time < until).all(is)
}

/// The first bytes of either side for so long.
fn pause(scene: &Scene) -> bool {
    let said = scene.number("after ");
    let words = |packet: &&Packet| packet.payload.len() > 1;
    let before = scene.earlier().filter(words).last();
    let first = scene.connection().next().map_or(f64::NAN, |packet| packet.time);
    words(&scene.packet)
        && before.is_some_and(|last| same_s(said, scene.packet.time - last.time))
        && same_s(scene.number("spoke again, "), scene.packet.time - first)
}

/// Words, and nobody's for about so many seconds before.
fn after_silence(scene: &Scene) -> bool {
    let before = scene.earlier().filter(|packet| packet.payload.len() > 1).last();
    let said = scene.number("after ");
    scene.packet.payload.len() > 1
        && before.is_some_and(|last| (said - (scene.packet.time - last.time)).abs() < 0.51)
}

/// The server ends the connection so long afterwards and has not said a word until then.
fn closed_unheard(scene: &Scene) -> bool {
    let said = scene.number("closed ");
    let ends = |packet: &&Packet| packet.by_server && packet.ends();
    let Some(end) = scene.later().find(ends) else { return false };
    let mut before = scene.connection().take_while(|packet| packet.number <= end.number);
    before.all(|packet| !packet.by_server || packet.payload.is_empty())
        && same_ms(said, end.time - scene.packet.time)
}

/// The sender's stream has a hole then, keeps it for so long, and so many bytes lie behind it at most.
fn hole(scene: &Scene) -> bool {
    let Some(server) = scene.named() else { return false };
    let until = scene.packet.time + scene.number(" for ") - ROUNDED;
    let in_time = scene.connection().filter(|packet| packet.time < until);
    let lacking = count(in_time.clone(), server).end() - joined(in_time, server).len() as f64;
    !scene.packet.payload.is_empty() && lacking > 0.0 && scene.number("") <= lacking
}

/// The named side repeats what it had sent for so long, and the other acknowledges no more of it.
fn in_vain(scene: &Scene) -> bool {
    let Some(server) = scene.named() else { return false };
    let until = scene.packet.time + scene.number(" for ") - ROUNDED;
    let soon = |packet: &&Packet| packet.time < until;
    let sent = scene.connection().filter(soon).filter(|packet| packet.by_server == server);
    let Some(top) = sent.filter(|p| !p.payload.is_empty()).map(Packet::end).reduce(later_of) else {
        return false;
    };
    let heard = scene.connection().filter(soon).filter(|p| p.by_server != server && p.has(ACK));
    !scene.packet.payload.is_empty() && heard.map(|p| behind(p.ack, top)).all(|b| b < 0)
}

/// It ends so long after the client's last bytes, of which there may be copies.
fn server_closed(scene: &Scene) -> bool {
    let words = scene.earlier().filter(|packet| !packet.by_server && !packet.payload.is_empty());
    let top = words.clone().map(Packet::end).reduce(later_of);
    let said = scene.number("closed ");
    let mut last = words.filter(|packet| Some(packet.end()) == top);
    ends(scene) && last.any(|last| same_ms(said, scene.packet.time - last.time))
}
