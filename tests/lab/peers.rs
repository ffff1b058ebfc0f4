//! The servers and clients of a plan, and which of them belong to which half.

use crate::draw::{Draw, Half};
use crate::recipe::Program;
use crate::support::certs::Kind;
use crate::support::clients::{Answer, Client};
use crate::support::place::Called;
use crate::support::shadow::{LostKey, PASSWORD, Release, USER};
use crate::support::xrdp::{Options, SOUND};
use std::time::Duration;

/// A server.
#[derive(Clone, Debug)]
pub enum Server {
    /// xrdp with these options.
    Xrdp(Options),
    /// FreeRDP's shadow server, which insists on NLA.
    Shadow(Release),
    /// That of FreeRDP 2, whose private key is lost behind its start.
    Keyless(LostKey),
    /// Any other program.
    Program(Program),
    /// Nobody listens.
    Nobody,
}

/// A client and how long it may run.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Which one.
    pub client: Client,
    /// Its arguments but the server and the size.
    pub arguments: Vec<String>,
    /// It is ended after this time, as a user would.
    pub lasts: Duration,
    /// What its user types, and when.
    pub answer: Option<Answer>,
    /// The name it calls the server by, instead of the address.
    pub called: Option<Called>,
}

/// How long a session lasts that has no reason to end.
pub const SESSION: Duration = Duration::from_millis(4000);

impl Server {
    /// A sound server of the draw's half.
    pub fn drawn(draw: &mut Draw) -> Self {
        let tls = |versions, certificate| {
            Self::Xrdp(Options { ssl_protocols: versions, certificate, ..SOUND })
        };
        let training = [
            tls("TLSv1.2, TLSv1.3", Kind::Good),
            tls("TLSv1.2", Kind::Good),
            tls("TLSv1.2, TLSv1.3", Kind::Ec),
            Self::Shadow(Release::Two),
        ];
        let held_out = [tls("TLSv1.2, TLSv1.3", Kind::Ec384), Self::Shadow(Release::Three)];
        let of_half = if draw.half() == Half::Training { &training[..] } else { &held_out[..] };
        of_half[draw.between(0, of_half.len() as u64 - 1) as usize].clone()
    }
}

impl Caller {
    /// A client of the draw's half that can talk to this server.
    pub fn for_server(draw: &mut Draw, server: &Server) -> Self {
        let client = match server {
            // FreeRDP 3 with the shadow server of FreeRDP 2 waits for its activation in vain.
            Server::Shadow(Release::Two) => Client::Xfreerdp,
            Server::Shadow(Release::Three) => Client::Xfreerdp3,
            _ => draw.of_half(&[Client::Xfreerdp, Client::Rdesktop], &[Client::Xfreerdp3]),
        };
        Self::of(client, server)
    }

    /// This client, which has a session with this server.
    pub fn of(client: Client, server: &Server) -> Self {
        let arguments = Self::good_arguments(client, server);
        // rdesktop asks whether the certificate is to be trusted.
        let answer = (client == Client::Rdesktop).then_some((Duration::ZERO, "yes\n"));
        Self { client, arguments, lasts: SESSION, answer, called: None }
    }

    /// A client that asks its user whether to trust the certificate; he says yes after this time.
    pub fn asking(client: Client, server: &Server, thinks: Duration) -> Self {
        let mut arguments = Self::good_arguments(client, server);
        arguments.retain(|word| word != "/cert:ignore");
        let yes = if client == Client::Rdesktop { "yes\n" } else { "Y\n" };
        let answer = Some((thinks, yes));
        Self { client, arguments, lasts: thinks + SESSION, answer, called: None }
    }

    /// What a client is told to have a session.
    fn good_arguments(client: Client, server: &Server) -> Vec<String> {
        let words: &[&str] = match (client, server) {
            (Client::Hello, _) => return Vec::new(),
            (Client::Rdesktop, _) => return vec!["-u".into(), "lab".into()],
            (_, Server::Shadow(_)) => {
                return vec![format!("/u:{USER}"), format!("/p:{PASSWORD}"), "/cert:ignore".into()];
            }
            // Without a password xrdp shows its login screen; FreeRDP 3 has to be told that there is
            // none, or it asks.
            (Client::Xfreerdp3, _) => &["/u:clerk-0042", "/p:", "/cert:ignore"],
            _ => &["/u:lab", "/cert:ignore"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}
