//! What `rdpwhy proxy` says before the first client comes.
use super::common::RDP_PORT;
use super::proxy::Args;
use super::transparent;
use crate::output::remark;
use crate::packets::Missing;
use crate::relay::{Bound, Upstream};

/// A capture that can not be begun costs a class of evidence, not the verdict.
pub fn packets_banner(missing: Option<&Missing>) {
    let Some(missing) = missing else {
        return remark("packets of both legs are captured: their headers, in memory");
    };
    remark(&format!("packets are not captured: {missing}"));
    remark(
        "missing from the evidence: TTL and IP-ID of a RST, SYN options, what follows a RST, counts;",
    );
    remark("whether a host or a device on its leg ended a connection then stays open");
    if matches!(missing, Missing::Right) {
        let program = std::env::current_exe().unwrap_or_else(|_| "rdpwhy".into());
        remark(&format!("to have it: setcap cap_net_raw+ep {}, or run as root", program.display()));
    }
}

/// Where each route leads, what to type, and what the relay changes.
pub fn banner(args: &Args, bound: &[Bound]) {
    for route in bound {
        let address = route.listening.address;
        remark(&format!("listening on {address}"));
        if let Upstream::Fixed(target) = &route.wanted.upstream {
            remark(&format!("{address} -> {target}: TLS is passed through, never opened"));
            if address.port() == RDP_PORT && address.ip().is_loopback() {
                remark("mstsc itself refuses localhost:3389: choose another port");
            }
        }
    }
    match bound.first().map(|first| (&first.wanted.upstream, first.listening.address)) {
        Some((Upstream::Fixed(_), address)) => {
            remark(&format!("now connect:  mstsc /v:{address}    or    xfreerdp /v:{address}"));
            remark(
                "what the relay changes: another server name (Kerberos may give way to NTLM), no UDP;",
            );
            remark("a connection with RD Gateway settings does not come through here");
        }
        Some((Upstream::Original(diverted), _)) => transparent::banner(diverted),
        None => {}
    }
    if args.accept_proxy_protocol {
        remark("clients must be announced by a PROXY protocol header; others are refused");
    }
    if args.send_proxy_protocol.is_some() {
        remark(
            "each server is sent a PROXY protocol header first; one that expects none will fail",
        );
    }
    if args.rst_immune {
        remark(
            "EXPERIMENT (--rst-immune): resets from the server side are ignored; sessions may hang;",
        );
        remark("only for finding out whether a reset was forged");
    }
    if let Some(path) = &args.write {
        remark(&format!(
            "recording to {}: the user name in the X.224 cookie is in it in clear",
            path.display()
        ));
    }
}
