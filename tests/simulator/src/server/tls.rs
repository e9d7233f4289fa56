//! Certificates: a good one, and one for each way in which a client must not accept one.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// From the maker of the certificates.
    #[error("cannot make certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// From the TLS library.
    #[error("cannot use the certificates that were made: {0}")]
    Config(#[from] rustls::Error),
}

/// One acceptor for each certificate. All are for `localhost`, `127.0.0.1` and `::1`, but one.
pub(crate) struct Certificates {
    /// The authority that signed all but the last two.
    pub(crate) ca_pem: String,
    pub(crate) good: TlsAcceptor,
    pub(crate) wrong_host: TlsAcceptor,
    pub(crate) expired: TlsAcceptor,
    pub(crate) unknown_ca: TlsAcceptor,
    pub(crate) self_signed: TlsAcceptor,
}

const HERE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const ELSEWHERE: [&str; 1] = ["clickup.invalid"];

impl Certificates {
    pub(crate) fn generate() -> Result<Self, TlsError> {
        let (ca_pem, ca) = authority("ClickUp simulator CA")?;
        let (_, stranger) = authority("A CA that nobody trusts")?;
        let mut expired = leaf(&HERE)?;
        expired.not_before = date_time_ymd(2020, 1, 1);
        expired.not_after = date_time_ymd(2021, 1, 1);
        Ok(Self {
            ca_pem,
            good: acceptor(&leaf(&HERE)?, Some(&ca))?,
            wrong_host: acceptor(&leaf(&ELSEWHERE)?, Some(&ca))?,
            expired: acceptor(&expired, Some(&ca))?,
            unknown_ca: acceptor(&leaf(&HERE)?, Some(&stranger))?,
            self_signed: acceptor(&leaf(&HERE)?, None)?,
        })
    }
}

fn authority(name: &str) -> Result<(String, Issuer<'static, KeyPair>), TlsError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}

fn leaf(names: &[&str]) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, "ClickUp simulator");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn acceptor(
    params: &CertificateParams,
    ca: Option<&Issuer<'static, KeyPair>>,
) -> Result<TlsAcceptor, TlsError> {
    let key = KeyPair::generate()?;
    let certificate = match ca {
        Some(ca) => params.signed_by(&key, ca)?,
        None => params.self_signed(&key)?,
    };
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
