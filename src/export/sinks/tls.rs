//! Whom to trust at the other end of TLS: the system's certificates, or those of a file and no others.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Returns the cryptography below TLS.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Returns the certificates to trust.
///
/// # Errors
/// One sentence, when there are none.
pub(super) fn roots(ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let Some(path) = ca else {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            return Err("the system has no certificates to trust: install ca-certificates, or name a file as ca".into());
        }
        return Ok(found.certs);
    };
    let read = || -> Result<Vec<_>, rustls::pki_types::pem::Error> { CertificateDer::pem_file_iter(path)?.collect() };
    match read() {
        Ok(certificates) if certificates.is_empty() => Err(format!("ca: {} holds no certificate", path.display())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("ca: {} cannot be read as PEM: {error}", path.display())),
    }
}

/// Returns what a TLS client is set up with.
///
/// # Errors
/// One sentence, when nobody could be trusted.
pub(super) fn client(ca: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(roots(ca)?);
    if added == 0 {
        return Err("none of the certificates to trust can be used".to_owned());
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = client(Some(file.path())).unwrap_err();
        assert!(error.contains("holds no certificate"), "{error}");
        let error = client(Some(Path::new("/nowhere/ca.pem"))).unwrap_err();
        assert!(error.contains("/nowhere/ca.pem cannot be read"), "{error}");
    }
}
