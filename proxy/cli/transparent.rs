//! Transparent mode of `rdpwhy proxy`: its flags, and the rules that divert connections to it.

use std::fmt::Write;

use crate::error::Error;
use crate::output::remark;
use crate::relay::{Diverted, Listen, Transparent};

/// The flags of transparent mode.
#[derive(clap::Args)]
#[command(next_help_heading = "Transparent mode (Linux, on a router between client and server)")]
pub struct Flags {
    /// Relay what this machine's packet filter diverts here to the server it was going to
    ///
    /// There is no --upstream then, clients keep calling the server by its own name. --print-rules shows the rules
    /// that divert. Who may connect is said by --allow-remote and --allow as ever; a client that was going to a port
    /// other than those of --port, or to the relay itself, is refused. The relay needs CAP_NET_ADMIN for tproxy and no
    /// right for redirect.
    #[arg(long, value_enum, value_name = "MODE")]
    pub transparent: Option<Transparent>,
    /// Print the commands that set the diversion up and those that undo it, and exit; needs no right
    ///
    /// Use it as root: rdpwhy proxy --transparent tproxy --print-rules | sh
    #[arg(long, requires = "transparent", conflicts_with = "upstream")]
    pub print_rules: bool,
    /// A server port that is relayed to; may be repeated
    #[arg(
        long = "port",
        value_name = "PORT",
        default_value = "3389",
        requires = "transparent",
        conflicts_with = "upstream",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub ports: Vec<u16>,
    /// Divert only what comes in by this interface
    #[arg(long, value_name = "IFACE", requires = "print_rules", value_parser = interface)]
    pub interface: Option<String>,
}

impl Flags {
    /// The diversion that these flags ask for, with the relay listening at this address.
    pub fn diverted(&self, listen: &Listen) -> Result<Option<Diverted>, Error> {
        match (self.transparent, listen) {
            (None, _) => Ok(None),
            (Some(by), Listen::At(listening)) => {
                Ok(Some(Diverted { by, ports: self.ports.clone(), listening: *listening }))
            }
            (Some(_), Listen::Passed(_)) => {
                Err(Error::Usage("--transparent needs an address: --listen ADDR:PORT".into()))
            }
        }
    }

    /// Refuses a listening address that no diverted connection reaches.
    pub fn check(&self, listen: &Listen) -> Result<(), Error> {
        let redirect = self.transparent == Some(Transparent::Redirect);
        if redirect && matches!(listen, Listen::At(address) if address.ip().is_loopback()) {
            let why = "a redirected connection does not reach a loopback address; choose another with --listen";
            return Err(Error::Usage(why.into()));
        }
        Ok(())
    }

    /// The commands of `--print-rules`.
    pub fn rules(&self, listen: &Listen) -> Result<String, Error> {
        let diverted = self.diverted(listen)?.filter(|to| to.listening.port() != 0);
        match diverted {
            None => {
                Err(Error::Usage("--print-rules needs a fixed port: --listen ADDR:PORT".into()))
            }
            Some(diverted) => Ok(rules(&diverted, self.interface.as_deref())),
        }
    }
}

/// What transparent mode does, and what it still needs.
pub fn banner(diverted: &Diverted) {
    let (mode, seen) = match diverted.by {
        Transparent::Tproxy => ("tproxy", "the client's own address"),
        Transparent::Redirect => ("redirect", "this machine's address"),
    };
    let (ports, listening) = (ports(diverted), diverted.listening);
    remark(&format!(
        "what is diverted here on its way to {ports} goes on to its server, which sees {seen};"
    ));
    remark("TLS is passed through, never opened; UDP is not diverted");
    remark("the rules that divert, for a root shell:");
    let flags: Vec<String> = diverted.ports.iter().map(|port| format!(" --port {port}")).collect();
    let flags = flags.concat();
    remark(&format!(
        "  rdpwhy proxy --transparent {mode} --listen {listening}{flags} --print-rules | sh"
    ));
}

/// A shell script that diverts, with the commands that undo it as comments. Everything in it is named after the
/// relay's port, so that several relays go side by side.
fn rules(diverted: &Diverted, interface: Option<&str>) -> String {
    let listening = diverted.listening;
    let v4 = listening.is_ipv4();
    let family = if v4 { "ip" } else { "ip6" };
    let table = format!("{family} rdpwhy_{}", listening.port());
    let route = match diverted.by {
        Transparent::Tproxy => Some(Routing::of(v4, listening.port())),
        Transparent::Redirect => None,
    };
    let mut text = format!(
        "# Diverts TCP connections that pass this machine to {} to the relay at {listening}.\n\
         set -e\nnft -f - <<'EOF'\ntable {table} {{\n    chain divert {{\n",
        ports(diverted),
    );
    // A string takes whatever is written.
    let _ = write!(text, "{}", chain(diverted, interface, route.as_ref()));
    text += "    }\n}\nEOF\n";
    for command in route.iter().flat_map(Routing::add) {
        let _ = writeln!(text, "{command}");
    }
    let _ = write!(text, "# To undo it:\n#   nft delete table {table}\n");
    for command in route.iter().flat_map(Routing::remove) {
        let _ = writeln!(text, "#   {command}");
    }
    text
}

/// The rules of the chain. Servers on this machine are left alone, and what this machine itself sends.
fn chain(diverted: &Diverted, interface: Option<&str>, route: Option<&Routing>) -> String {
    let port = diverted.listening.port();
    let to = match diverted.listening.ip().is_unspecified() {
        true => format!(":{port}"),
        false => diverted.listening.to_string(),
    };
    let from = match interface {
        Some(name) => format!("iifname \"{name}\""),
        None => "iifname != \"lo\"".to_owned(),
    };
    let ports: Vec<String> = diverted.ports.iter().map(u16::to_string).collect();
    let these = format!("{from} fib daddr type != local tcp dport {{ {} }}", ports.join(", "));
    match route {
        Some(Routing { mark, .. }) => format!(
            "        type filter hook prerouting priority mangle; policy accept;\n\
             \x20       # what belongs to a connection of the relay already, on either leg\n\
             \x20       meta l4proto tcp socket transparent 1 meta mark set {mark} accept\n\
             \x20       {these} tproxy to {to} meta mark set {mark} accept\n",
        ),
        None => {
            let verb = match diverted.listening.ip().is_unspecified() {
                true => "redirect",
                false => "dnat",
            };
            format!(
                "        type nat hook prerouting priority dstnat; policy accept;\n\
                 \x20       {these} {verb} to {to}\n",
            )
        }
    }
}

/// Marked packets go to this machine whatever their address.
struct Routing {
    /// Mark of the packets and number of the routing table.
    mark: u32,
    ip: &'static str,
    all: &'static str,
}

impl Routing {
    fn of(v4: bool, port: u16) -> Routing {
        // Beyond the tables that have a meaning (253 to 255) and those people number by hand.
        let mark = 100_000 + u32::from(port);
        let (ip, all) = if v4 { ("ip", "0.0.0.0/0") } else { ("ip -6", "::/0") };
        Routing { mark, ip, all }
    }

    fn add(&self) -> [String; 2] {
        self.commands("add")
    }

    fn remove(&self) -> [String; 2] {
        self.commands("del")
    }

    fn commands(&self, verb: &str) -> [String; 2] {
        let Routing { mark, ip, all } = self;
        [
            format!("{ip} rule {verb} fwmark {mark} lookup {mark}"),
            format!("{ip} route {verb} local {all} dev lo table {mark}"),
        ]
    }
}

/// The relayed ports in words.
fn ports(diverted: &Diverted) -> String {
    let numbers: Vec<String> = diverted.ports.iter().map(u16::to_string).collect();
    let noun = if numbers.len() == 1 { "port" } else { "ports" };
    format!("{noun} {}", numbers.join(", "))
}

/// The name of a network interface, as it can stand in a rule.
fn interface(text: &str) -> Result<String, String> {
    const LONGEST: usize = 15; // IFNAMSIZ without its zero
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:@".contains(c);
    match (1..=LONGEST).contains(&text.len()) && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is no name of a network interface")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(by: Transparent, listening: &str, interface: Option<&str>) -> String {
        let listening = listening.parse().unwrap();
        rules(&Diverted { by, ports: vec![3389, 3390], listening }, interface)
    }

    #[test]
    fn every_command_that_adds_has_its_undoing() {
        let text = printed(Transparent::Tproxy, "[::]:13389", Some("eth0"));
        for line in [
            "iifname \"eth0\" fib daddr type != local tcp dport { 3389, 3390 } tproxy to :13389",
            "\nip -6 rule add fwmark 113389 lookup 113389\n",
            "\nip -6 route add local ::/0 dev lo table 113389\n",
            "#   nft delete table ip6 rdpwhy_13389\n",
            "#   ip -6 rule del fwmark 113389 lookup 113389\n",
            "#   ip -6 route del local ::/0 dev lo table 113389\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_redirection_needs_no_routes_and_goes_where_the_relay_listens() {
        let any = printed(Transparent::Redirect, "0.0.0.0:13389", None);
        assert!(any.contains("redirect to :13389") && !any.contains("ip rule"), "{any}");
        let one = printed(Transparent::Redirect, "10.0.0.1:13389", None);
        assert!(one.contains("dnat to 10.0.0.1:13389"), "{one}");
    }

    #[test]
    fn names_of_interfaces_can_not_end_a_rule() {
        assert_eq!(interface("eth0.100@if2").as_deref(), Ok("eth0.100@if2"));
        for wrong in ["", "a\" accept", "a;b", "sixteen-letters-", "a\nb", "$(id)"] {
            assert!(interface(wrong).is_err(), "{wrong}");
        }
    }
}
