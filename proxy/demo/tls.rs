//! TLS of the demonstration: an authority that lives as long as the run, the certificates it issues,
//! and what each host and client allows. Everything is done by rustls, nothing is scripted.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::scenes::{Client, HostTls};

/// The name that clients ask for and certificates hold.
pub const NAME: &str = "host.rdpwhy.test";

/// Who signs the hosts' certificates; every client trusts it.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority with a key of its own.
    pub fn new() -> io::Result<Authority> {
        let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        Ok(Authority { issuer })
    }

    /// A host's TLS with a certificate of its own.
    pub fn host(&self, tls: HostTls) -> io::Result<Arc<ServerConfig>> {
        let (certificate, key) = self.certificate(tls == HostTls::Expired)?;
        let suite = (tls == HostTls::OnlyAes)
            .then_some(ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
        let versions: &[&SupportedProtocolVersion] = match tls {
            HostTls::Usual => &[&TLS13, &TLS12],
            HostTls::Only13 => &[&TLS13],
            HostTls::Expired | HostTls::OnlyAes => &[&TLS12],
        };
        ServerConfig::builder_with_provider(provider(suite))
            .with_protocol_versions(versions)
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .map(Arc::new)
            .map_err(io::Error::other)
    }

    /// A client's TLS: it trusts the authority and checks what it is shown.
    pub fn client(&self, client: Client) -> io::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).map_err(io::Error::other)?;
        let suite = (client == Client::OnlyChaCha)
            .then_some(ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
        let versions: &[&SupportedProtocolVersion] = match client {
            Client::UpToTls12 | Client::OnlyChaCha => &[&TLS12],
            Client::Usual | Client::WithoutNla | Client::OnlyNla => &[&TLS13, &TLS12],
        };
        let config = ClientConfig::builder_with_provider(provider(suite))
            .with_protocol_versions(versions)
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    fn certificate(
        &self,
        expired: bool,
    ) -> io::Result<(rustls::pki_types::CertificateDer<'static>, PrivateKeyDer<'static>)> {
        let mut params = CertificateParams::new(vec![NAME.to_owned()]).map_err(io::Error::other)?;
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        Ok((certificate.der().clone(), key))
    }
}

/// All suites, or a single one.
fn provider(suite: Option<rustls::SupportedCipherSuite>) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    if let Some(suite) = suite {
        provider.cipher_suites = vec![suite];
    }
    Arc::new(provider)
}
