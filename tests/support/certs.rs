//! Certificates with the defects a server's certificate can have, made by the `openssl` command.

use super::{need, text_of};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The kinds of certificate, all self-signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RSA 2048, SHA-256, valid now.
    Good,
    /// Good too, with another key.
    Other,
    /// Elliptic curve P-256.
    Ec,
    /// Elliptic curve P-384.
    #[allow(dead_code, reason = "the laboratory's alone")]
    Ec384,
    /// RSA 1024 signed with SHA-1: below what OpenSSL 3 accepts at its default level.
    Weak,
    /// RSA of so many bits, signed with this digest.
    #[allow(dead_code, reason = "the laboratory's alone")]
    Rsa(&'static str, &'static str),
    /// RSA 2048, and its signature is not what was signed.
    #[allow(dead_code, reason = "the laboratory's alone")]
    Spoilt,
    /// RSA 2048, and its first moment is no time: it does not parse, which OpenSSL finds out when it looks at it.
    #[allow(dead_code, reason = "the laboratory's alone")]
    Timeless,
    /// Its last day was in 2021.
    Expired,
    /// Its first day is in 2040.
    NotYetValid,
    /// Signed by an authority that nobody knows; the file has the authority's certificate too.
    #[allow(dead_code, reason = "the laboratory's alone")]
    Issued,
}

/// A certificate file and its key file.
pub struct Certificate {
    /// PEM file of the certificate.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}

/// Makes a certificate in `folder`.
pub fn make(folder: &Path, kind: Kind) -> Option<Certificate> {
    let openssl = need("openssl")?;
    let name = match kind {
        Kind::Rsa(bits, digest) => format!("rsa{bits}-{digest}"),
        kind => format!("{kind:?}").to_lowercase(),
    };
    let made = Certificate {
        certificate: folder.join(format!("{name}.crt")),
        key: folder.join(format!("{name}.key")),
    };
    let (certificate, key) = (text_of(&made.certificate), text_of(&made.key));
    let subject = format!("/CN={name}.rdpwhy.test");
    let mut new_key = vec!["-nodes", "-keyout", &key];
    let (size, hash) = match kind {
        Kind::Rsa(bits, digest) => (format!("rsa:{bits}"), format!("-{digest}")),
        _ => ("rsa:2048".to_owned(), "-sha256".to_owned()),
    };
    match kind {
        Kind::Weak => new_key.extend(["-newkey", "rsa:1024", "-sha1"]),
        Kind::Ec => new_key.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]),
        Kind::Ec384 => new_key.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"]),
        _ => new_key.extend(["-newkey", &size, &hash]),
    }
    match kind {
        Kind::Expired => {
            dated(
                &openssl,
                folder,
                &new_key,
                &made,
                &subject,
                ["20200101000000Z", "20210101000000Z"],
            );
        }
        Kind::NotYetValid => {
            dated(
                &openssl,
                folder,
                &new_key,
                &made,
                &subject,
                ["20400101000000Z", "20410101000000Z"],
            );
        }
        Kind::Issued => issued(&openssl, folder, &made, &subject),
        _ => {
            let mut arguments = vec!["req", "-x509", "-days", "30", "-subj", &subject];
            arguments.extend(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
            arguments.extend(new_key.iter().copied());
            run(&openssl, folder, &[&arguments[..], &["-out", &certificate]].concat());
        }
    }
    match kind {
        Kind::Spoilt => change(&openssl, folder, &certificate, |der| {
            *der.last_mut().unwrap() ^= 0x5A;
        }),
        Kind::Timeless => change(&openssl, folder, &certificate, |der| {
            // A UTCTime of 13 characters.
            let at = der.windows(2).position(|head| head == [0x17, 13]).unwrap();
            der[at + 2..at + 8].copy_from_slice(b"279939");
        }),
        _ => {}
    }
    Some(made)
}

/// A certificate of an authority made for it.
fn issued(openssl: &Path, folder: &Path, made: &Certificate, subject: &str) {
    let (certificate, key) = (text_of(&made.certificate), text_of(&made.key));
    let new = ["-newkey", "rsa:2048", "-nodes"];
    let authority = ["req", "-x509", "-days", "30", "-subj", "/CN=Private Authority"];
    let files = ["-keyout", "authority.key", "-out", "authority.crt"];
    run(openssl, folder, &[&authority[..], &new, &files].concat());
    let request = ["req", "-subj", subject, "-keyout", &key, "-out", "request.csr"];
    run(openssl, folder, &[&request[..], &new].concat());
    let sign = ["x509", "-req", "-in", "request.csr", "-days", "20", "-CAcreateserial"];
    let by = ["-CA", "authority.crt", "-CAkey", "authority.key", "-out", &certificate];
    run(openssl, folder, &[&sign[..], &by].concat());
    let chain = [&made.certificate, &folder.join("authority.crt")].map(std::fs::read);
    std::fs::write(&made.certificate, chain.map(Result::unwrap).concat()).unwrap();
}

/// Changes the DER of a certificate, whose signature is then of something else.
fn change(openssl: &Path, folder: &Path, certificate: &str, how: fn(&mut Vec<u8>)) {
    let plain = folder.join("plain.der");
    run(openssl, folder, &["x509", "-in", certificate, "-outform", "DER", "-out", "plain.der"]);
    let mut bytes = std::fs::read(&plain).unwrap();
    how(&mut bytes);
    std::fs::write(&plain, bytes).unwrap();
    run(openssl, folder, &["x509", "-inform", "DER", "-in", "plain.der", "-out", certificate]);
}

/// A certificate with given first and last moments. `openssl req` of OpenSSL 3.0 cannot set them;
/// `openssl ca` can, and wants a small database.
fn dated(
    openssl: &Path,
    folder: &Path,
    new_key: &[&str],
    made: &Certificate,
    subject: &str,
    dates: [&str; 2],
) {
    let config = "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nserial = serial\n\
                  new_certs_dir = .\ndefault_md = sha256\npolicy = policy\nunique_subject = no\n\
                  [policy]\ncommonName = supplied\n";
    for (name, text) in [("ca.cnf", config), ("index.txt", ""), ("serial", "01\n")] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let request = [&["req", "-subj", subject, "-out", "request.csr"], new_key].concat();
    run(openssl, folder, &request);
    let (certificate, key) = (text_of(&made.certificate), text_of(&made.key));
    let sign = ["ca", "-batch", "-config", "ca.cnf", "-selfsign", "-notext", "-keyfile", &key];
    let range = ["-startdate", dates[0], "-enddate", dates[1], "-in", "request.csr"];
    run(openssl, folder, &[&sign[..], &range, &["-out", &certificate]].concat());
}

/// Runs one openssl command in `folder`.
fn run(openssl: &Path, folder: &Path, arguments: &[&str]) {
    let output = Command::new(openssl).args(arguments).current_dir(folder).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {errors}");
}
