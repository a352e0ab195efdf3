//! Who the endpoint is, over TLS: a certificate and its key, which may be renewed while it serves.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::settings::Identity;

/// The certificate that is shown, read anew when somebody asks for it. Handshakes that follow show the new one;
/// connections under way go on.
#[derive(Debug)]
pub struct Renewable {
    identity: Identity,
    shown: RwLock<Arc<CertifiedKey>>,
}

impl Renewable {
    fn read(identity: &Identity) -> Result<Self, String> {
        let shown = RwLock::new(Arc::new(certified(identity, &provider())?));
        Ok(Self { identity: identity.clone(), shown })
    }

    /// Reads the files again and tells whether they hold another certificate, which is shown from then on.
    ///
    /// # Errors
    /// One sentence: which file, what is wrong with it. The certificate before is still shown.
    pub fn renew(&self) -> Result<bool, String> {
        let fresh = Arc::new(certified(&self.identity, &provider())?);
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = shown.cert != fresh.cert;
        *shown = fresh;
        Ok(is_other)
    }
}

impl ResolvesServerCert for Renewable {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Returns what a TLS server is set up with, TLS 1.2 and 1.3, HTTP/1.1 (RFC 7301), and its certificate.
///
/// # Errors
/// One sentence: which file, what is wrong with it.
pub(super) fn server(identity: &Identity) -> Result<(Arc<ServerConfig>, Arc<Renewable>), String> {
    let certificate = Arc::new(Renewable::read(identity)?);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((Arc::new(config), certificate))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certified(identity: &Identity, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let certificates = certificates(&identity.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&identity.key)
        .map_err(|error| format!("key: {} {}", identity.key.display(), unusable(&error, "private key")))?;
    CertifiedKey::from_der(certificates, key, provider)
        .map_err(|error| format!("certificate and key do not fit together: {error}"))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = || -> Result<Vec<_>, Error> { CertificateDer::pem_file_iter(path)?.collect() };
    let named = |what: String| format!("certificate: {} {what}", path.display());
    match read() {
        Ok(certificates) if certificates.is_empty() => Err(named("holds no certificate".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(named(unusable(&error, "certificate"))),
    }
}

fn unusable(error: &Error, wanted: &str) -> String {
    match error {
        Error::NoItemsFound => format!("holds no {wanted}"),
        Error::Io(error) => format!("cannot be read: {error}"),
        error => format!("cannot be read as PEM: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_hold_nothing_of_use_are_refused_by_name() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        let identity = Identity { certificate: empty.path().into(), key: "/nowhere/key.pem".into() };
        let error = server(&identity).unwrap_err();
        assert!(error.starts_with("certificate: ") && error.ends_with("holds no certificate"), "{error}");
        let error = server(&Identity { certificate: "/nowhere/c.pem".into(), ..identity }).unwrap_err();
        assert!(error.starts_with("certificate: /nowhere/c.pem cannot be read: "), "{error}");
    }
}
