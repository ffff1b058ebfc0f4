//! xrdp, a real RDP server: TLS 1.0 to 1.3 and standard RDP security, never NLA.
//!
//! It is run up to its login screen, which is a whole RDP session with graphics; `desktop` puts a session
//! manager and an account behind it.

use super::certs::{self, Kind};
use super::place::Place;
use super::process::{Process, command_in};
use super::{need, text_of, wait_until};
use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// Which private key the server is told to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The certificate's own.
    Own,
    /// That of another certificate.
    Foreign,
    /// A file that does not exist.
    Missing,
}

/// How one server is configured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `negotiate`, `tls` or `rdp`.
    pub security_layer: &'static str,
    /// The certificate.
    pub certificate: Kind,
    /// Its key.
    pub key: Key,
    /// As in xrdp.ini, for example `TLSv1.2, TLSv1.3`.
    pub ssl_protocols: &'static str,
    /// An OpenSSL cipher list; empty for the default.
    pub tls_ciphers: &'static str,
    /// Whether OpenSSL's floor for versions and key sizes is taken away.
    pub legacy_openssl: bool,
}

/// A sound server.
pub const SOUND: Options = Options {
    security_layer: "negotiate",
    certificate: Kind::Good,
    key: Key::Own,
    ssl_protocols: "TLSv1.2, TLSv1.3",
    tls_ciphers: "",
    legacy_openssl: false,
};

/// A running xrdp.
pub struct Xrdp {
    /// The port it listens on, at 127.0.0.1 unless it was given another place.
    pub port: u16,
    /// The process.
    pub process: Process,
    scratch: tempfile::TempDir,
}

impl Xrdp {
    /// Starts a server of its own with these options.
    pub fn start(options: Options) -> Option<Self> {
        Self::start_at(options, &Place::loopback())
    }

    /// The same at a place of the test's choice.
    pub fn start_at(options: Options, place: &Place) -> Option<Self> {
        let program = need("xrdp")?;
        let scratch = super::scratch();
        let folder = scratch.path();
        let port = place.port();
        configure(folder, options, place)?;
        let mut command = command_in(place.namespace.as_deref(), &program);
        command.args(["-n", "-c", &text_of(&folder.join("xrdp.ini"))]);
        if options.legacy_openssl {
            let config = folder.join("openssl.cnf");
            std::fs::write(&config, LEGACY_OPENSSL).unwrap();
            command.env("OPENSSL_CONF", config);
        }
        let mut process = Process::start(&mut command, &folder.join("xrdp.out"));
        let up = wait_until(Duration::from_secs(20), || process.listens(port) || !process.runs());
        let mut server = Self { port, process, scratch };
        assert!(up && server.process.runs(), "xrdp did not start: {}", server.log());
        Some(server)
    }

    /// What the server wrote to its log: the label of the test comes from there, not from us.
    pub fn log(&self) -> String {
        let file = self.scratch.path().join("xrdp.log");
        let log = String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned();
        self.process.output() + &log
    }
}

/// Lowers OpenSSL's floor to TLS 1.0 and small keys.
const LEGACY_OPENSSL: &str = "openssl_conf = init\n[init]\nssl_conf = tls\n[tls]\n\
    system_default = low\n[low]\nMinProtocol = TLSv1\nCipherString = DEFAULT:@SECLEVEL=0\n";

/// Writes `xrdp.ini`, the certificate and its key to `folder`; the log will be `xrdp.log`.
pub fn configure(folder: &Path, options: Options, place: &Place) -> Option<()> {
    let own = certs::make(folder, options.certificate)?;
    let key = match options.key {
        Key::Own => own.key,
        Key::Foreign => certs::make(folder, Kind::Other)?.key,
        Key::Missing => folder.join("no-such.key"),
    };
    let log = text_of(&folder.join("xrdp.log"));
    let mut ini = settings(options, place, &log);
    for (name, file) in [("certificate", &own.certificate), ("key_file", &key)] {
        ini = ini.replace(&format!("{name}=?"), &format!("{name}={}", text_of(file)));
    }
    std::fs::write(folder.join("xrdp.ini"), ini).unwrap();
    Some(())
}

/// A whole xrdp.ini with `?` for the two files.
fn settings(options: Options, place: &Place, log: &str) -> String {
    let Options { security_layer, ssl_protocols, tls_ciphers, .. } = options;
    // Of IPv6 it takes no address but the one that stands for all.
    let port = match place.ip() {
        IpAddr::V4(address) => format!("tcp://{address}:{}", place.port()),
        IpAddr::V6(_) => format!("tcp6://:{}", place.port()),
    };
    let mut ini = format!(
        "[Globals]\nini_version=1\nfork=true\nport={port}\ntcp_nodelay=true\n\
         security_layer={security_layer}\ncrypt_level=high\ncertificate=?\nkey_file=?\n\
         ssl_protocols={ssl_protocols}\n"
    );
    if !tls_ciphers.is_empty() {
        writeln!(ini, "tls_ciphers={tls_ciphers}").unwrap();
    }
    ini + "autorun=\nallow_channels=true\nbitmap_cache=true\nbitmap_compression=true\n\
           bulk_compression=true\nmax_bpp=32\nuse_fastpath=both\n"
        + &format!("[Logging]\nLogFile={log}\nLogLevel=DEBUG\nEnableSyslog=false\n")
        + "[Xorg]\nname=Xorg\nlib=libxup.so\nusername=ask\npassword=ask\nip=127.0.0.1\n\
           port=-1\ncode=20\n"
}
