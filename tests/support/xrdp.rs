//! xrdp, a real RDP server: TLS 1.0 to 1.3 and standard RDP security, never NLA.
//!
//! It is run up to its login screen, which is a whole RDP session with graphics; a desktop behind
//! it would need a session manager and an account on this machine.

use super::certs::{self, Kind};
use super::process::{Process, command, command_in};
use super::{free_port, listens_by, need, text_of, wait_until};
use std::fmt::Write;
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
    /// The port it listens on.
    pub port: u16,
    process: Process,
    scratch: tempfile::TempDir,
}

impl Xrdp {
    /// Starts a server of its own with these options.
    pub fn start(options: Options) -> Option<Self> {
        Self::launch(options, "127.0.0.1", free_port(), None)
    }

    /// The same in a network namespace, at an address of it.
    pub fn start_in(namespace: &str, address: &str, port: u16, options: Options) -> Option<Self> {
        Self::launch(options, address, port, Some(namespace))
    }

    fn launch(options: Options, address: &str, port: u16, namespace: Option<&str>) -> Option<Self> {
        let program = need("xrdp")?;
        let scratch = super::scratch();
        let folder = scratch.path();
        let own = certs::make(folder, options.certificate)?;
        let key = match options.key {
            Key::Own => own.key,
            Key::Foreign => certs::make(folder, Kind::Other)?.key,
            Key::Missing => folder.join("no-such.key"),
        };
        let log = text_of(&folder.join("xrdp.log"));
        let mut ini = settings(options, address, port, &log);
        let files = [("certificate", &own.certificate), ("key_file", &key)];
        for (name, file) in files {
            ini = ini.replace(&format!("{name}=?"), &format!("{name}={}", text_of(file)));
        }
        std::fs::write(folder.join("xrdp.ini"), ini).unwrap();
        let mut command = match namespace {
            Some(namespace) => command_in(namespace, &program),
            None => command(&program),
        };
        command.args(["-n", "-c", &text_of(&folder.join("xrdp.ini"))]);
        if options.legacy_openssl {
            let config = folder.join("openssl.cnf");
            std::fs::write(&config, LEGACY_OPENSSL).unwrap();
            command.env("OPENSSL_CONF", config);
        }
        let mut process = Process::start(&mut command, &folder.join("xrdp.out"));
        // Its own namespace's table: the program takes the place of what started it.
        let table = format!("/proc/{}/net/tcp", process.child().id());
        let up =
            wait_until(Duration::from_secs(20), || listens_by(&table, port) || !process.runs());
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

/// A whole xrdp.ini with `?` for the two files.
fn settings(options: Options, address: &str, port: u16, log: &str) -> String {
    let Options { security_layer, ssl_protocols, tls_ciphers, .. } = options;
    let mut ini = format!(
        "[Globals]\nini_version=1\nfork=true\nport=tcp://{address}:{port}\ntcp_nodelay=true\n\
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
