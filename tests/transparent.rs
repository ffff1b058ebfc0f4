//! Transparent mode and the RST-immune leg, on a router of the test's own between a client and a server. The rules
//! that divert are those that the program prints.

mod network;

use crate::support::json::{at, lines, text as field};
use crate::support::process::Process;
use crate::support::running::{FAILURE, LONG, REQUEST};
use crate::support::{contract, need, rdpwhy, text_of, wait_until};
use network::{Host, Network};
use serde_json::Value;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Output, Stdio};

const PORT: u16 = 13_389;
/// Answers a request for TLS with a failure; says who called whom.
const FAILS: &str =
    "echo \"$SOCAT_PEERADDR $SOCAT_SOCKADDR\" >&2\nhead -c 19 >/dev/null\ncat failure.bin\n";

/// A family's listening address, client, and two servers.
const FAMILIES: [(&str, &str, [&str; 2]); 2] = [
    ("0.0.0.0:13389", "10.77.1.2", ["10.77.2.2", "10.77.2.3"]),
    ("[::]:13389", "fd77:1::2", ["fd77:2::2", "fd77:2::3"]),
];

/// A relay on the router.
struct Relay {
    process: Process,
    results: PathBuf,
}

impl Relay {
    fn start(network: &mut Network, flags: &[&str]) -> Relay {
        let results = network.folder.path().join("results.jsonl");
        let log = network.folder.path().join("relay.log");
        let mut proxy = network.on(Host::Relay, env!("CARGO_BIN_EXE_rdpwhy"));
        proxy.args(["proxy", "--format", "jsonl", "-o", &text_of(&results)]).args(flags);
        proxy.args(["--allow-remote", "--allow", "10.77.0.0/16", "--allow", "fd77::/16"]);
        let mut process = Process::start(&mut proxy, &log);
        let up = wait_until(LONG, || process.output().contains("listening on") || !process.runs());
        assert!(up && process.runs(), "{}", process.output());
        Relay { process, results }
    }

    /// The final objects, once there are so many.
    fn objects(&self, count: usize) -> Vec<Value> {
        let read = || -> Vec<Value> {
            let objects = lines(&network::text(&self.results));
            objects.into_iter().filter(|object| at(object, "/final") == true).collect()
        };
        let came = wait_until(LONG, || read().len() >= count);
        let objects = read();
        assert!(came && objects.len() == count, "{objects:#?}\n{}", self.process.output());
        objects
    }
}

/// The commands that the program prints, and those that undo them.
fn rules(network: &mut Network, flags: &str) -> (String, String) {
    let program = env!("CARGO_BIN_EXE_rdpwhy");
    let printed = network.told(Host::Client, &format!("{program} proxy --print-rules {flags}"));
    let (_, undo) = printed.split_once("# To undo it:\n").unwrap();
    let undo = undo.replace("#   ", "");
    (printed, format!("set -e\n{undo}"))
}

/// What the router's kernel has of rules. Link-local routes come when the kernel is ready for them.
fn kernel_rules(network: &mut Network) -> String {
    let routes = "ip $family rule; ip $family route show table all | grep -v fe80";
    let script = format!("nft list ruleset; for family in -4 -6; do {routes}; done");
    network.told(Host::Relay, &script)
}

/// A client that asks this server and waits for what it answers.
fn ask(network: &mut Network, server: &str, port: u16) -> Output {
    std::fs::write(network.folder.path().join("request.bin"), REQUEST).unwrap();
    let folder = text_of(network.folder.path());
    let server = SocketAddr::new(server.parse().unwrap(), port);
    let script = format!("timeout 60 socat -,ignoreeof TCP:{server} <{folder}/request.bin");
    network.run(Host::Client, &script)
}

fn start_server(network: &mut Network, port: u16) -> Process {
    std::fs::write(network.folder.path().join("failure.bin"), FAILURE).unwrap();
    let folder = text_of(network.folder.path());
    network.serve(port, &FAILS.replace("failure.bin", &format!("{folder}/failure.bin")))
}

/// Who called whom, as the server saw it.
fn calls(server: &Process) -> Vec<[IpAddr; 2]> {
    let address = |word: &str| -> Option<IpAddr> {
        let address: IpAddr = word.trim_matches(['[', ']']).parse().ok()?;
        Some(address.to_canonical())
    };
    let output = server.output();
    let pairs = output.lines().filter_map(|line| line.split_once(' '));
    pairs.filter_map(|(from, to)| Some([address(from)?, address(to)?])).collect()
}

/// The address of a leg's end without its port.
fn end(object: &Value, path: &str) -> IpAddr {
    let address: SocketAddr = field(object, path).parse().unwrap_or_else(|_| panic!("{object:#}"));
    address.ip()
}

#[test]
fn tproxy_keeps_the_clients_address_and_its_rules_can_be_undone() {
    let Some(mut network) = Network::start() else { return };
    let server = start_server(&mut network, 3389);
    for (listen, client, [upstream, _]) in FAMILIES {
        let before = kernel_rules(&mut network);
        let flags = format!("--transparent tproxy --listen {listen} --interface pc");
        let (set_up, undo) = rules(&mut network, &flags);
        network.told(Host::Relay, &set_up);
        let recording = text_of(&network.folder.path().join("case.pcapng"));
        let mode = ["--transparent", "tproxy", "--listen", listen, "-w", &recording];
        let mut relay = Relay::start(&mut network, &mode);
        let answer = ask(&mut network, upstream, 3389);
        assert_eq!(answer.stdout, FAILURE, "{answer:?}\n{}", relay.process.output());
        let [client, upstream]: [IpAddr; 2] = [client, upstream].map(|ip| ip.parse().unwrap());
        assert_eq!(calls(&server).last(), Some(&[client, upstream]), "{}", server.output());
        let object = &relay.objects(1)[0];
        let called = SocketAddr::new(upstream, 3389).to_string();
        assert_eq!(field(object, "/server"), called, "{object:#}");
        assert_eq!(field(object, "/legs/client/local"), called, "{object:#}");
        assert_eq!(field(object, "/legs/server/peer"), called, "{object:#}");
        assert_eq!(end(object, "/legs/client/peer"), client);
        assert_eq!(end(object, "/legs/server/local"), client);
        assert_eq!(field(object, "/rdp/failure"), "SSL_CERT_NOT_ON_SERVER", "{object:#}");
        network.told(Host::Relay, &undo);
        assert_eq!(kernel_rules(&mut network), before);
        // The two legs of the recording have the same addresses, and are still told apart.
        relay.process.stop();
        let offline = rdpwhy::analyze(&PathBuf::from(recording), network.folder.path());
        assert_eq!(offline.objects.len(), 1, "{:#?}", offline.objects);
        assert_eq!(contract::same_verdict(object, &offline.objects[0]), [] as [String; 0]);
        assert_eq!(field(&offline.objects[0], "/server"), called);
    }
}

#[test]
fn a_redirected_client_reaches_the_server_it_called() {
    let Some(mut network) = Network::start() else { return };
    let server = start_server(&mut network, 3389);
    for (listen, client, servers) in FAMILIES {
        let flags = ["--transparent", "redirect", "--listen", listen];
        let (set_up, undo) = rules(&mut network, &flags.join(" "));
        network.told(Host::Relay, &set_up);
        let relay = Relay::start(&mut network, &flags);
        for (place, upstream) in servers.into_iter().enumerate() {
            let answer = ask(&mut network, upstream, 3389);
            assert_eq!(answer.stdout, FAILURE, "{answer:?}\n{}", relay.process.output());
            let object = &relay.objects(place + 1)[place];
            let [from, to] = *calls(&server).last().unwrap();
            assert_eq!(to.to_string(), upstream);
            // The server sees the router.
            assert_eq!(from, end(object, "/legs/server/local"));
            assert_ne!(from.to_string(), client);
            assert_eq!(end(object, "/server").to_string(), upstream);
            assert_eq!(end(object, "/legs/client/peer").to_string(), client);
        }
        network.told(Host::Relay, &undo);
    }
}

#[test]
fn whoever_was_going_elsewhere_or_to_the_relay_itself_is_refused() {
    let Some(mut network) = Network::start() else { return };
    let _relayed = start_server(&mut network, 3389);
    let other = start_server(&mut network, 9000);
    for mode in ["tproxy", "redirect"] {
        // More is diverted than the relay was told to relay.
        let flags = format!("--transparent {mode} --port 3389 --port 9000");
        let (set_up, undo) = rules(&mut network, &flags);
        network.told(Host::Relay, &set_up);
        let relay = Relay::start(&mut network, &["--transparent", mode]);
        for (count, (server, port, words)) in
            [("10.77.2.2", 9000, "--port"), ("10.77.1.1", PORT, "this relay itself")]
                .into_iter()
                .enumerate()
        {
            let answer = ask(&mut network, server, port);
            assert!(answer.stdout.is_empty(), "{answer:?}");
            let object = &relay.objects(count + 1)[count];
            assert_eq!(field(object, "/verdict/what"), "relay-induced", "{object:#}");
            let sentence = field(object, "/verdict/sentence");
            assert!(sentence.contains(words), "{mode}: {sentence}");
            let called = SocketAddr::new(server.parse().unwrap(), port).to_string();
            assert_eq!(field(object, "/server"), called);
        }
        assert_eq!(ask(&mut network, "10.77.2.2", 3389).stdout, FAILURE);
        network.told(Host::Relay, &undo);
    }
    assert_eq!(calls(&other), [] as [[IpAddr; 2]; 0]);
}

#[test]
fn a_missing_right_is_named() {
    let Some(mut network) = Network::start() else { return };
    if need("setpriv").is_none() {
        return;
    }
    for flags in ["--transparent tproxy", "--upstream 10.77.2.2 --rst-immune"] {
        let program = env!("CARGO_BIN_EXE_rdpwhy");
        let proxy = format!("{program} proxy --allow-remote --allow 10.77.0.0/16 {flags}");
        let script = format!("timeout 60 setpriv --bounding-set -net_admin,-net_raw {proxy}");
        let output = network.run(Host::Relay, &script);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("CAP_NET_ADMIN") && said.contains("setcap cap_net_admin"), "{said}");
    }
}

#[test]
fn a_forged_reset_ends_a_session_but_not_one_that_ignores_resets() {
    for immune in [false, true] {
        let Some(mut network) = Network::start() else { return };
        let _echo = network.serve(3389, "exec cat");
        let flags = ["--upstream", "10.77.2.2", "--listen", "10.77.1.1:13389", "--rst-immune"];
        let relay = Relay::start(&mut network, &flags[..if immune { 5 } else { 4 }]);
        let log = network.folder.path().join("forger.log");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/forge_rst.py");
        let mut forger = network.on(Host::Server, "python3");
        let mut forger = Process::start(forger.args([script, "s", "3389"]), &log);
        assert!(wait_until(LONG, || forger.output().contains("ready") || !forger.runs()));
        assert!(forger.runs(), "{}", forger.output());

        let log = network.folder.path().join("client.log");
        let mut client = network.on(Host::Client, "socat");
        client.args(["-", "TCP:10.77.1.1:13389"]).stdin(Stdio::piped());
        let output = std::fs::File::create(&log).unwrap();
        client.stdout(output.try_clone().unwrap()).stderr(output);
        let mut client = Process::spawn(&mut client, &log);
        let mut to_server = client.child().stdin.take().unwrap();
        to_server.write_all(b"one\n").unwrap();
        assert!(wait_until(LONG, || forger.output().contains("forged")), "{}", forger.output());
        if immune {
            assert!(wait_until(LONG, || client.output().contains("one")), "{}", client.output());
            to_server.write_all(b"two\n").unwrap();
            assert!(wait_until(LONG, || client.output().contains("two")), "{}", client.output());
        } else {
            assert!(client.wait(LONG).is_some(), "{}", client.output());
        }
        drop(to_server);
        let object = &relay.objects(1)[0];
        let ended = (field(object, "/ended/from"), field(object, "/ended/how"));
        let wanted = if immune { ("client", "fin") } else { ("server", "rst") };
        assert_eq!(ended, (wanted.0.to_owned(), wanted.1.to_owned()), "{object:#}");
        let findings = at(object, "/findings").to_string();
        assert_eq!(findings.contains("\"rst-immune\""), immune, "{object:#}");
        assert_eq!(relay.process.output().contains("EXPERIMENT"), immune);
    }
}
