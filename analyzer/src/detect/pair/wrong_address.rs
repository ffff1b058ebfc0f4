//! `dns-wrong-address`: the name of the server led the client to another host. RFC 1035 3.4.1, RFC 3596 2.2.
//!
//! The control is what the same name means at the server's side. Addresses of one version are compared: a name
//! may have a single one of them somewhere. Any address in common is a name with several hosts.

use std::net::IpAddr;

use super::{unless_outlived, went_on};
use crate::case::{Case, Names};
use crate::detect::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::diff::Side;
use crate::facts::Resolved;

pub const WRONG_ADDRESS: Detector = Detector {
    id: "dns-wrong-address",
    kind: Kind::Cause,
    class: Class::Reachability,
    explains: &[
        "tcp-syn-drop",
        "tcp-refused-rst",
        "icmp-reject",
        "connect-error",
        "http-answer",
        "non-rdp-endpoint",
        "tls-first-endpoint",
        "lb-no-backend",
        "service-down-after-accept",
        "server-stall",
        "unanswered-turn",
        "neg-rsp-absent",
        "clean-close-no-reason",
        "rst-genuine-",
        "truncated-tls",
    ],
    remedy: "Correct the record at the DNS server that the client asks, or its hosts file; where a VPN is to bring the name, its DNS server and suffix. Then empty the client's cache: ipconfig /flushdns.",
    next: &[
        Next {
            what: "which addresses the name has for the client, hosts file and cache included, and for its DNS server alone",
            command: Some("Resolve-DnsName NAME; nslookup NAME"),
        },
        Next {
            what: "which addresses the server has itself (on the server)",
            command: Some("Get-NetIPAddress | Select IPAddress, InterfaceAlias"),
        },
    ],
    detect,
};

/// The same name means other hosts at the server's side, no usual arrangement of networks says why, and the
/// session was lost on it.
pub(super) fn is_shown(case: &Case<'_>) -> bool {
    let named = contradiction(case).is_some_and(|(_, _, band)| band >= Band::Probable);
    named && !went_on(case.this)
}

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let opinion = match contradiction(case) {
        Some((given, reference, band)) => contradicted(given, reference, band),
        None => elsewhere(case)?,
    };
    let opinion = unless_outlived(opinion.party(Party::Unknown, Band::Weak), case.this);
    // What is only suspected of a session that came up is nothing to tell.
    let told = !opinion.fact_only || opinion.band >= Band::Probable;
    told.then_some(opinion)
}

/// The name's answers at the two sides, where they have no address in common, and how sure it is that one of
/// them is wrong.
fn contradiction<'a>(case: &Case<'a>) -> Option<(&'a Resolved, &'a Resolved, Band)> {
    let (given, names) = at_client(case)?;
    let server = case.this.subject.server?.ip();
    if of_version(names.there, server).any(|known| is_given(given, names, known)) {
        return None;
    }
    let alike = |answer: &&Resolved| answer.addresses.iter().any(|a| same_version(a, &server));
    let reference = names.there.iter().rfind(alike)?;
    let inside = of_version(names.there, server).all(is_private);
    let band = match (is_private(&server), inside) {
        (true, true) | (false, false) => Band::Probable,
        // A private address of a public name: wrong outside of its own network.
        (true, false) => Band::Possible,
        // The public address from outside, the private one from inside: mostly so on purpose.
        (false, true) => Band::Weak,
    };
    Some((given, reference, band))
}

fn contradicted(given: &Resolved, reference: &Resolved, band: Band) -> Opinion {
    let says = format!(
        "DNS gave the client {} for {}, and gives {} at the server's side: the name led to another host.",
        list(&given.addresses),
        given.name,
        list(&reference.addresses)
    );
    Opinion::new(band, says)
        .supports(Evidence::at(given.at, fact(given)).side(Side::Client))
        .supports(Evidence::at(reference.at, fact(reference)).side(Side::Server))
        .unknown("whether the DNS of these networks differs on purpose (split horizon)")
        .unknown("who gave the wrong answer: a record, a cache, a VPN's DNS server or somebody on the way")
}

/// Nobody asked for the name at the server's side, and all that is served there has other addresses.
fn elsewhere(case: &Case<'_>) -> Option<Opinion> {
    let (given, names) = at_client(case)?;
    let server = case.this.subject.server?.ip();
    if of_version(names.there, server).next().is_some() {
        return None;
    }
    let hosts: Vec<IpAddr> =
        names.hosts.iter().copied().filter(|host| same_version(host, &server)).collect();
    if hosts.is_empty() || hosts.iter().any(|host| is_given(given, names, host)) {
        return None;
    }
    let says = format!(
        "DNS gave the client {} for {}, and the Remote Desktop sessions at the server's side go to {}: the name may lead to another host.",
        list(&given.addresses),
        given.name,
        list(&hosts)
    );
    let opinion = Opinion::new(Band::Weak, says)
        .supports(Evidence::at(given.at, fact(given)).side(Side::Client))
        .supports(Evidence::absent(format!(
            "every Remote Desktop session at the server's side goes to {}",
            list(&hosts)
        )))
        .unknown("whether the host of the other capture was meant, or its address is translated");
    Some(opinion)
}

/// The answer that led a session of the client's side to a server, and what is known of its name; `None` where
/// the name means too much, or another session to one of its addresses arrived.
fn at_client<'a>(case: &Case<'a>) -> Option<(&'a Resolved, Names<'a>)> {
    case.pair.filter(|pair| pair.here == Side::Client)?;
    let (given, names) = case.led_by()?;
    // A name that was left out for its many meanings means nothing.
    let leads_there = names.here.is_empty()
        || names.reached.iter().any(|address| is_given(given, names, address));
    (!leads_there).then_some((given, names))
}

/// Some answer at the client's side has this address. The one that led the session there may be forgotten among
/// all of them.
fn is_given(given: &Resolved, names: Names<'_>, address: &IpAddr) -> bool {
    let others = names.here.iter().flat_map(|answer| &answer.addresses);
    given.addresses.iter().chain(others).any(|known| known == address)
}

fn of_version(answers: &[Resolved], like: IpAddr) -> impl Iterator<Item = &IpAddr> {
    let all = answers.iter().flat_map(|answer| &answer.addresses);
    all.filter(move |address| same_version(address, &like))
}

fn same_version(one: &IpAddr, other: &IpAddr) -> bool {
    one.is_ipv4() == other.is_ipv4()
}

/// Means another host in another network. RFC 1918, 3927 and 6598; RFC 4193 and 4291.
fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let is_shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

fn fact(answer: &Resolved) -> String {
    format!(
        "the DNS answer of {} for {}: {}",
        answer.resolver,
        answer.name,
        list(&answer.addresses)
    )
}

fn list(addresses: &[IpAddr]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = addresses.iter().take(SHOWN).map(IpAddr::to_string).collect();
    match addresses.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
