//! The private certificate authority, and every way a server's TLS can be good or bad.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;

/// The certificate that the simulator shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Certificate {
    /// For `localhost`, `127.0.0.1` and `::1`, valid, signed by the authority of `ca_pem`.
    #[default]
    Good,
    /// As the good one, but it ran out in 2020.
    Expired,
    /// As the good one, but it begins in 2045. A client whose clock stands at 1970 finds every
    /// real certificate like this.
    NotYetValid,
    /// As the good one, but for `sms.example.com`.
    WrongHost,
    /// As the good one, but signed by another authority of the same name.
    OtherAuthority,
}

/// The versions of TLS that the simulator speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tls {
    /// 1.3 and 1.2.
    #[default]
    Modern,
    /// 1.2 only, as the real service in 2018.
    Only12,
    /// 1.3 only.
    Only13,
    /// Answers every hello with a server hello of TLS 1.0 and waits.
    Old,
    /// Answers every hello with the alert `protocol_version`, as a server of TLS 1.0 does that sees
    /// no version it knows.
    OldAlert,
}

impl Tls {
    /// The bytes that stand for a server too old to talk to.
    pub(crate) const fn old_bytes(self) -> Option<&'static [u8]> {
        match self {
            Self::Old => Some(&OLD_SERVER_HELLO),
            Self::OldAlert => Some(&OLD_ALERT),
            _ => None,
        }
    }
}

/// RFC 2246, section 7.4.1.3: version 3.1, a random, no session, RSA with AES-128-CBC and SHA.
const OLD_SERVER_HELLO: [u8; 47] = {
    let mut bytes = [0xa5; 47];
    let head = [0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    let mut i = 0;
    while i < head.len() {
        bytes[i] = head[i];
        i += 1;
    }
    bytes[43] = 0;
    bytes[44] = 0;
    bytes[45] = 0x2f;
    bytes[46] = 0;
    bytes
};

/// RFC 2246, section 7.2: a fatal alert, protocol_version.
const OLD_ALERT: [u8; 7] = [0x15, 3, 1, 0, 2, 2, 70];

/// An authority made for one simulator, and its namesake that nobody trusts.
pub(crate) struct Authority {
    trusted: CertifiedIssuer<'static, KeyPair>,
    stranger: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Result<Self, rcgen::Error> {
        Ok(Self { trusted: issuer()?, stranger: issuer()? })
    }

    pub(crate) fn pem(&self) -> String {
        self.trusted.pem()
    }

    pub(crate) fn server(&self, kind: Certificate, tls: Tls) -> Result<Arc<ServerConfig>, String> {
        let (key, certificate) = self.leaf(kind).map_err(|error| error.to_string())?;
        let versions = match tls {
            Tls::Only12 => &[&TLS12][..],
            Tls::Only13 => &[&TLS13][..],
            _ => &[&TLS13, &TLS12][..],
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)
            })
            .map_err(|error| error.to_string())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn leaf(&self, kind: Certificate) -> Result<(KeyPair, rcgen::Certificate), rcgen::Error> {
        let names = match kind {
            Certificate::WrongHost => vec!["sms.example.com".to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
        };
        let mut params = CertificateParams::new(names)?;
        let (from, to) = match kind {
            Certificate::Expired => (2019, 2020),
            Certificate::NotYetValid => (2045, 2049),
            _ => (2020, 2049),
        };
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        params.distinguished_name.push(DnType::CommonName, "annunciator-simulator");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let issuer = match kind {
            Certificate::OtherAuthority => &self.stranger,
            _ => &self.trusted,
        };
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        Ok((key, certificate))
    }
}

fn issuer() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.not_before = date_time_ymd(2015, 1, 1);
    params.not_after = date_time_ymd(2049, 1, 1);
    params.distinguished_name.push(DnType::CommonName, "annunciator-simulator test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}
