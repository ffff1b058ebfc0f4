//! The routes that the flags of `rdpwhy proxy` ask for, and the safety rules that hold for each.

use std::net::{IpAddr, SocketAddr};

use super::common::target;
use super::proxy::Args;
use crate::dial::Target;
use crate::error::Error;
use crate::os;
use crate::relay::{Listen, Upstream, Wanted};

/// The settings that a relay can change while it runs.
pub const KEYS: [&str; 7] =
    ["upstream", "listen", "route", "port", "allow-remote", "allow", "drain"];

/// The value of `--route`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Where to listen.
    pub listen: Listen,
    /// Where to.
    pub upstream: Target,
}

/// `LISTEN=HOST[:PORT]`.
pub fn pair(text: &str) -> Result<Pair, String> {
    let (listen, upstream) =
        text.split_once('=').ok_or_else(|| format!("`{text}` is no LISTEN=HOST[:PORT]"))?;
    Ok(Pair { listen: listen.parse()?, upstream: target(upstream)? })
}

/// Every route: that of `--listen` and those of `--route`.
pub fn wanted(args: &Args) -> Result<Vec<Wanted>, Error> {
    let diverted = args.transparency.diverted(&args.listen)?.map(Upstream::Original);
    let first = diverted.or_else(|| args.upstream.clone().map(Upstream::Fixed));
    let first = first.map(|upstream| Wanted { listen: args.listen.clone(), upstream });
    let more = args.route.iter().map(|Pair { listen, upstream }| Wanted {
        listen: listen.clone(),
        upstream: Upstream::Fixed(upstream.clone()),
    });
    let wanted: Vec<Wanted> = first.into_iter().chain(more).collect();
    if wanted.is_empty() {
        return Err(Error::Usage("no server is named: say --upstream or --route".into()));
    }
    for (at, route) in wanted.iter().enumerate() {
        let listen = &route.listen;
        let fixed = !matches!(listen, Listen::At(address) if address.port() == 0);
        if fixed && wanted[..at].iter().any(|earlier| earlier.listen == *listen) {
            return Err(Error::Usage(format!(
                "two routes listen on {listen}; choose another port"
            )));
        }
    }
    Ok(wanted)
}

/// Refuses what would open the relay to others unasked, and a relay to itself.
pub fn check(args: &Args, wanted: &[Wanted]) -> Result<(), Error> {
    let allowed = args.allow_remote && !args.allow.is_empty();
    let addresses = wanted.iter().map(|route| {
        let unbound = |source| Error::Listen { address: route.listen.clone(), source };
        route.listen.address().map_err(unbound)
    });
    let addresses: Vec<SocketAddr> = addresses.collect::<Result<_, _>>()?;
    for (Wanted { upstream, .. }, listen) in wanted.iter().zip(&addresses) {
        let diverted = matches!(upstream, Upstream::Original(_));
        if (diverted || !listen.ip().is_loopback()) && !allowed {
            let who = if diverted { "--transparent".to_owned() } else { listen.to_string() };
            return Err(Error::Unsafe(format!(
                "{who} can be reached by others; say --allow-remote with --allow CIDR to open it"
            )));
        }
        if let Upstream::Fixed(server) = upstream
            && addresses.iter().any(|other| is_here(server, *other))
        {
            return Err(Error::Unsafe(format!(
                "{server} is where this relay listens itself; choose another port with --listen"
            )));
        }
    }
    Ok(())
}

fn is_here(server: &Target, listen: SocketAddr) -> bool {
    let (ip, every) = (listen.ip(), listen.ip().is_unspecified());
    let same = match server.host.parse::<IpAddr>() {
        Ok(server) => server == ip || every && os::is_own_address(server),
        Err(_) => server.host == "localhost" && (ip.is_loopback() || every),
    };
    same && listen.port() == server.port
}

/// `10.0.0.0/8`, or one address.
pub fn cidr(text: &str) -> Result<(IpAddr, u8), String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr =
        address.parse().map_err(|_| format!("`{text}` is no network such as 10.0.0.0/8"))?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => most,
        Some(digits) => digits
            .parse()
            .ok()
            .filter(|prefix| *prefix <= most)
            .ok_or_else(|| format!("`{digits}` is no prefix length"))?,
    };
    Ok((address, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_with_every_kind_of_address() {
        for (text, listen, upstream) in [
            ("127.0.0.1:1=srv07", "127.0.0.1:1", "srv07:3389"),
            ("[::1]:13389=[2001:db8::9]:3390", "[::1]:13389", "[2001:db8::9]:3390"),
            ("fd:rdp=srv07:1", "fd:rdp", "srv07:1"),
        ] {
            let Pair { listen: to, upstream: server } = pair(text).unwrap();
            assert_eq!((to.to_string(), server.to_string()), (listen.into(), upstream.into()));
        }
        for wrong in
            ["", "srv07", "=srv07", "127.0.0.1=srv07", "127.0.0.1:1=", "localhost:1=h", "fd:=h"]
        {
            assert!(pair(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_relay_to_itself_is_known_by_every_name() {
        for (server, listen, itself) in [
            ("127.0.0.1:7", "127.0.0.1:7", true),
            ("localhost:7", "[::1]:7", true),
            ("localhost:7", "0.0.0.0:7", true),
            ("127.0.0.1:7", "0.0.0.0:7", true),
            ("127.0.0.1:7", "0.0.0.0:8", false),
            ("127.0.0.2:7", "127.0.0.1:7", false),
            ("192.0.2.1:7", "0.0.0.0:7", false),
        ] {
            let known = is_here(&target(server).unwrap(), listen.parse().unwrap());
            assert_eq!(known, itself, "{server} from {listen}");
        }
    }
}
