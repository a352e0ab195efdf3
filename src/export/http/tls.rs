//! Who the endpoint is, over TLS: a certificate and its key.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::settings::Identity;

/// Returns what a TLS server is set up with: TLS 1.2 and 1.3, HTTP/1.1 (RFC 7301).
///
/// # Errors
/// One sentence: which file, what is wrong with it.
pub(super) fn server(identity: &Identity) -> Result<Arc<ServerConfig>, String> {
    let certificates = certificates(&identity.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&identity.key)
        .map_err(|error| format!("key: {} {}", identity.key.display(), unusable(&error, "private key")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| format!("certificate and key do not fit together: {error}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
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
