//! Rules about TLS: hellos, certificates, alerts, and what is encrypted.

use super::certificate::{has_rsa_key, is_signed_with, lifetimes, names};
use super::scene::{Scene, same_ms};
use super::tls::{
    self, ALERT, CERTIFICATE, CERTIFICATE_REQUEST, CLIENT_HELLO, DATA, Hello, SERVER_HELLO,
};
use super::transport::ends;
use super::{By, Rule};
use sha2::Digest;

pub const RULES: &[Rule] = &[
    Rule { words: ", SHA-256 ", by: By::Server, shows: this_certificate },
    Rule { words: "sent: ClientHello of", by: By::Client, shows: this_hello },
    Rule { words: "arrived: ClientHello of", by: By::Client, shows: this_hello },
    Rule { words: "offered up to TLS", by: By::Client, shows: |scene| newest(scene, "up to TLS ") },
    Rule {
        words: "was answered TLS",
        by: By::Server,
        shows: |scene| newest(scene, "answered TLS "),
    },
    Rule { words: "the server's hello: TLS", by: By::Server, shows: this_answer },
    Rule { words: "the hello that came: TLS", by: By::Server, shows: this_answer },
    Rule { words: "the ClientHello got no ServerHello", by: By::Client, shows: dropped_hello },
    Rule { words: "the client offered TLS", by: By::Client, shows: offers },
    Rule { words: "cipher suites", by: By::Client, shows: suites },
    Rule { words: "is not among the", by: By::Server, shows: foreign_suite },
    Rule { words: "hello offers TLS", by: By::Client, shows: offers_at_most },
    Rule { words: "ClientHello offers TLS", by: By::Client, shows: offers_at_most },
    Rule { words: "it carries TLS_FALLBACK_SCSV", by: By::Client, shows: fallback },
    Rule { words: "the ClientHello has", by: By::Client, shows: hello_size },
    Rule { words: "the server chose", by: By::Server, shows: chooses },
    Rule { words: "and its next answer is a large one", by: By::Client, shows: little_came },
    Rule { words: "days before this connection", by: By::Server, shows: expired },
    Rule { words: "days after this connection", by: By::Server, shows: not_yet_valid },
    Rule { words: "the certificate names", by: By::Server, shows: other_name },
    Rule { words: "issuer and subject are both", by: By::Server, shows: self_signed },
    Rule { words: "issued by", by: By::Server, shows: issued },
    Rule { words: "the RSA key has only", by: By::Server, shows: short_key },
    Rule { words: "the signature algorithm", by: By::Server, shows: weak_signature },
    Rule {
        words: "certificate was sent in clear",
        by: By::Server,
        shows: |scene| certificate(scene).is_some(),
    },
    Rule {
        words: "certificate can not be read",
        by: By::Server,
        shows: |scene| certificate(scene).is_some(),
    },
    Rule {
        words: "Certificate message can not be read",
        by: By::Server,
        shows: |scene| certificate(scene).is_some(),
    },
    Rule {
        words: "bytes follow the certificate",
        by: By::Server,
        shows: |scene| certificate(scene).is_some(),
    },
    Rule {
        words: "an empty certificate chain",
        by: By::Server,
        shows: |scene| certificate(scene).is_some_and(|body| body.len() < 8),
    },
    Rule {
        words: "does not allow a server",
        by: By::Server,
        shows: |scene| certificate(scene).is_some(),
    },
    Rule {
        words: "sent a CertificateRequest",
        by: By::Server,
        shows: |scene| scene.message(CERTIFICATE_REQUEST).is_some(),
    },
    Rule { words: "had sent a TLS alert before", by: By::Named, shows: any_alert },
    Rule { words: "answered with alert", by: By::Server, shows: alert },
    Rule { words: "then alert", by: By::Server, shows: alert },
    Rule { words: "alert ", by: By::Named, shows: alert },
    Rule { words: "without sending a TLS ClientHello", by: By::Client, shows: left_before_hello },
    Rule { words: "closed after the handshake", by: By::Client, shows: left_after_hello },
    Rule { words: "the client's AUTHENTICATE message", by: By::Either, shows: authenticate },
    Rule { words: "the client's proof of the key", by: By::Either, shows: ended_behind_proof },
    Rule { words: "the server's proof of its key", by: By::Client, shows: ended_behind_proof },
    Rule { words: "the stream ends", by: By::Either, shows: cut_off },
];

fn client_hello(scene: &Scene) -> Option<Hello> {
    tls::hello(&scene.message(CLIENT_HELLO)?, false)
}

fn server_hello(scene: &Scene) -> Option<Hello> {
    tls::hello(&scene.message(SERVER_HELLO)?, true)
}

fn certificate(scene: &Scene) -> Option<Vec<u8>> {
    scene.message(CERTIFICATE)
}

/// The hello of the packet's sender.
fn any_hello(scene: &Scene) -> Option<Hello> {
    if scene.packet.by_server { server_hello(scene) } else { client_hello(scene) }
}

fn newest(scene: &Scene, words: &str) -> bool {
    let newest = any_hello(scene).and_then(|hello| hello.versions.first().copied());
    newest.is_some_and(|version| tls::version_name(version) == scene.behind(words))
}

/// Its size with the header of the message, the begin of its random value, and what JA4 says of it in clear:
/// version, whether it asks for a name, how many suites and extensions.
fn this_hello(scene: &Scene) -> bool {
    let (Some(body), Some(hello)) = (scene.message(CLIENT_HELLO), client_hello(scene)) else {
        return false;
    };
    const SERVER_NAME: u16 = 0;
    let told = |values: &[u16]| values.iter().filter(|value| !tls::grease(**value)).count().min(99);
    let random: String = hello.random[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let version = tls::version_name(hello.versions.first().copied().unwrap_or_default());
    let name = if hello.extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
    let (suites, extensions) = (told(&hello.suites), told(&hello.extensions));
    let version = version.replace('.', "");
    scene.number("ClientHello of ") == body.len() as f64
        && scene.behind("random ").starts_with(&format!("{random}…"))
        && scene.behind("JA4 ").starts_with(&format!("t{version}{name}{suites:02}{extensions:02}"))
}

/// The version that it selects, and how many extensions it has.
fn this_answer(scene: &Scene) -> bool {
    let said = scene.behind(": TLS ").split(',').next().unwrap_or_default();
    server_hello(scene).is_some_and(|hello| {
        let newest = hello.versions.first().copied().unwrap_or_default();
        tls::version_name(newest) == said
            && scene.fact.ends_with(&format!(", {} extensions", hello.extensions.len()))
    })
}

/// The first certificate has this digest, and names in it are those that are said.
fn this_certificate(scene: &Scene) -> bool {
    let Some(body) = certificate(scene) else { return false };
    let length =
        body.get(3..6).map(|length| u32::from_be_bytes([0, length[0], length[1], length[2]]));
    let Some(der) = length.and_then(|length| body.get(6..6 + length as usize)) else {
        return false;
    };
    let digest: String =
        sha2::Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect();
    let issuer = scene.behind("issued by ").split(", SHA-256").next().unwrap_or_default();
    scene.behind(", SHA-256 ") == format!("{}…", &digest[..16]) && names(der, issuer) > 0
}

/// Its versions, all of them, as the fact lists them.
fn offers(scene: &Scene) -> bool {
    let list = scene.behind("offered TLS ");
    let names = |hello: Hello| {
        let names: Vec<String> = hello.versions.into_iter().map(tls::version_name).collect();
        names.join(", ")
    };
    client_hello(scene).is_some_and(|hello| names(hello) == list)
}

/// Its newest version; and where the fact says that nothing answered it, the server has sent no hello.
fn offers_at_most(scene: &Scene) -> bool {
    let said = scene.behind("offers TLS ");
    let fits = |hello: Hello| {
        let newest = hello.versions.first().copied().unwrap_or_default();
        let rest = said.strip_prefix(&tls::version_name(newest));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let answered = scene.message_of(true, SERVER_HELLO).is_some();
    let unanswered = scene.fact.contains("was not answered");
    client_hello(scene).is_some_and(fits) && !(unanswered && answered)
}

fn suites(scene: &Scene) -> bool {
    let said = scene.number("offered ");
    client_hello(scene).is_some_and(|hello| hello.suites.len() as f64 == said)
}

/// The server's choice is none of those that this client offered.
fn foreign_suite(scene: &Scene) -> bool {
    let client = scene.message_of(false, CLIENT_HELLO).and_then(|body| tls::hello(&body, false));
    let (Some(client), Some(server)) = (client, server_hello(scene)) else { return false };
    client.suites.len() as f64 == scene.number("is not among the ")
        && !client.suites.contains(&server.suites[0])
}

fn fallback(scene: &Scene) -> bool {
    const TLS_FALLBACK_SCSV: u16 = 0x5600;
    client_hello(scene).is_some_and(|hello| hello.suites.contains(&TLS_FALLBACK_SCSV))
}

fn hello_size(scene: &Scene) -> bool {
    let said = scene.number("ClientHello has ");
    let answered = scene.message_of(true, SERVER_HELLO).is_some();
    !answered && scene.message(CLIENT_HELLO).is_some_and(|body| body.len() as f64 == said)
}

/// The version that it selects, and the end of its random value where that is said. RFC 8446 4.1.3.
fn chooses(scene: &Scene) -> bool {
    let Some(hello) = server_hello(scene) else { return false };
    let said = scene.behind("server chose ").split(" and ").next().unwrap_or_default();
    let sentinel = hello.random[24..].starts_with(b"DOWNGRD");
    hello.versions.first().is_some_and(|version| tls::version_name(*version) == said)
        && (sentinel || !scene.fact.contains("downgrade sentinel"))
}

/// The hello, behind which the server sends nothing and ends so long afterwards.
fn dropped_hello(scene: &Scene) -> bool {
    let mut answers = scene.later().filter(|packet| packet.by_server);
    let said = scene.number("the end came ");
    let end = scene.later().find(|packet| packet.by_server && packet.ends());
    client_hello(scene).is_some()
        && answers.all(|packet| packet.payload.is_empty())
        && end.is_some_and(|end| same_ms(said, end.time - scene.packet.time))
}

/// The hello of a connection in which the server says so many bytes.
fn little_came(scene: &Scene) -> bool {
    let came = scene.all_said(true).len();
    client_hello(scene).is_some() && came as f64 == scene.number("only ")
}

/// One of its certificates ends so many days before the packet.
fn expired(scene: &Scene) -> bool {
    let days = |(_, end): &(i64, i64)| (scene.packet.time as i64 - end) / 86_400;
    lifetime(scene, "expired ", days)
}

fn not_yet_valid(scene: &Scene) -> bool {
    let days = |(begin, _): &(i64, i64)| (begin - scene.packet.time as i64) / 86_400;
    lifetime(scene, "valid ", days)
}

fn lifetime(scene: &Scene, words: &str, days: impl Fn(&(i64, i64)) -> i64) -> bool {
    let said = scene.number(words);
    let all = certificate(scene).map(|body| lifetimes(&body)).unwrap_or_default();
    all.iter().map(days).any(|days| days as f64 == said)
}

/// The certificate holds every name that is said, and not the one that the client's hello asks for.
fn other_name(scene: &Scene) -> bool {
    let Some(body) = certificate(scene) else { return false };
    let asked = scene.behind("asked for ").split(", the certificate").next().unwrap_or_default();
    let hello = scene.message_of(false, CLIENT_HELLO).unwrap_or_default();
    names(&hello, asked) > 0 && names(&body, scene.behind("names ")) > 0 && names(&body, asked) == 0
}

/// The name stands in it twice.
fn self_signed(scene: &Scene) -> bool {
    let said = scene.behind("are both ");
    certificate(scene).is_some_and(|body| names(&body, said) >= 2)
}

fn issued(scene: &Scene) -> bool {
    let said = scene.behind("issued by ").split(", in a chain").next().unwrap_or_default();
    certificate(scene).is_some_and(|body| names(&body, said) > 0)
}

fn short_key(scene: &Scene) -> bool {
    let bits = scene.number("has only ") as usize;
    certificate(scene).is_some_and(|body| has_rsa_key(&body, bits))
}

fn weak_signature(scene: &Scene) -> bool {
    let said = scene.behind("algorithm ").split(' ').next().unwrap_or_default();
    certificate(scene).is_some_and(|body| is_signed_with(&body, said))
}

/// A record in clear with this description, and fatal where that is said.
fn alert(scene: &Scene) -> bool {
    let (said, fatal) = (scene.number("alert "), scene.fact.contains("fatal"));
    let is = |body: &[u8]| match body {
        [level, description] => f64::from(*description) == said && (!fatal || *level == 2),
        _ => false,
    };
    let frames = scene.new_frames();
    // Behind a hole or another's bytes the records can not be told; the packet has them all the same.
    let mut windows = scene.packet.payload.windows(7);
    frames.iter().any(|frame| frame.kind == ALERT && is(&frame.body))
        || windows.any(|w| matches!(w, [ALERT, 3, _, 0, 2, ..]) && is(&w[5..]))
}

/// An alert, in clear or not; TLS 1.3 hides it in a record of its size.
fn any_alert(scene: &Scene) -> bool {
    const HIDDEN: usize = 19;
    let is = |frame: &tls::Frame| {
        frame.kind == ALERT || frame.kind == DATA && frame.body.len() == HIDDEN
    };
    scene.new_frames().iter().any(is)
}

fn left_before_hello(scene: &Scene) -> bool {
    ends(scene) && tls::message(&scene.said(false), CLIENT_HELLO).is_none()
}

fn left_after_hello(scene: &Scene) -> bool {
    ends(scene) && tls::message(&scene.said(false), CLIENT_HELLO).is_some()
}

/// The lengths of a side's encrypted records up to the packet.
fn encrypted(scene: &Scene, server: bool) -> Vec<usize> {
    let frames = tls::frames(&scene.said(server)).0;
    frames.into_iter().filter(|f| f.kind == DATA).map(|f| f.body.len()).collect()
}

/// The connection ends, and the last encrypted records of the client, alerts aside, have this length together;
/// so have those of the server.
fn authenticate(scene: &Scene) -> bool {
    let together = |server: bool, said: f64| {
        let mut lengths = encrypted(scene, server);
        lengths.retain(|length| *length > 32);
        let sums = lengths.iter().rev().scan(0, |sum, length| {
            *sum += length;
            Some(*sum as f64)
        });
        said == 0.0 || sums.into_iter().any(|sum| sum == said)
    };
    ends(scene)
        && together(false, scene.number("message ("))
        && together(true, scene.number("the server sent "))
}

/// The connection ends behind encrypted records of the client long enough to be the proof.
fn ended_behind_proof(scene: &Scene) -> bool {
    ends(scene) && encrypted(scene, false).iter().sum::<usize>() >= 300
}

/// The stream of the side that ends it breaks off so far into a frame.
fn cut_off(scene: &Scene) -> bool {
    let open = tls::frames(&scene.said(scene.packet.by_server)).1;
    let said = scene.behind("ends ");
    ends(scene)
        && match open {
            Some((_, 0)) => said.starts_with("a header"),
            Some((had, whole)) => said.starts_with(&format!("{had} of {whole} bytes")),
            None => false,
        }
}
