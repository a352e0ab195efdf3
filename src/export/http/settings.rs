//! What protects the endpoint: who may read it, and whether what they read can be read on the way.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::export::sinks::Secret;

/// How the endpoint is protected; by default not at all, which is enough on a loopback address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Opens the endpoint to programs that send it (`Authorization: Bearer`, RFC 6750).
    pub token: Option<Secret>,
    /// Opens the endpoint to people and programs that send it (`Authorization: Basic`, RFC 7617).
    pub login: Option<Login>,
    /// By which the endpoint shows who it is, over TLS.
    pub identity: Option<Identity>,
}

/// A name and its password.
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    /// The name, without a colon.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A certificate and its key, each a file in PEM.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The certificate, followed by those between it and one that is trusted.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Settings {
    /// Tells whether a reader has to prove who it is.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.token.is_some() || self.login.is_some()
    }

    /// Returns what somebody who serves this address should know: one sentence, or nothing.
    #[must_use]
    pub fn caution(&self, address: SocketAddr) -> Option<String> {
        if address.ip().is_loopback() {
            return None;
        }
        let all = if address.ip().is_unspecified() { ", which is every address of this machine" } else { "" };
        let (danger, remedy) = match (self.is_closed(), &self.identity) {
            (true, Some(_)) => return None,
            (true, None) => (
                "without TLS, so that whoever is on the way can read the password or token",
                "set certificate and key under [http]",
            ),
            (false, Some(_)) => ("to whoever can reach it", "set token, or user and password, under [http]"),
            (false, None) => (
                "to whoever can reach it, and without TLS",
                "set token, or user and password, and certificate and key under [http]",
            ),
        };
        Some(format!(
            "metrics, alerts and the page are served on {address}{all}, {danger}: {remedy}, or serve 127.0.0.1"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_open_address_gives_away_is_said_once_and_only_there() {
        let open = Settings::default();
        let closed = Settings { token: Some(Secret::new("t")), ..Settings::default() };
        let identity = Identity { certificate: "c".into(), key: "k".into() };
        let whole = Settings { identity: Some(identity), ..closed.clone() };
        let caution = |settings: &Settings, address: &str| settings.caution(address.parse().unwrap());
        assert_eq!(caution(&open, "127.0.0.1:9477"), None);
        assert_eq!(caution(&open, "[::1]:9477"), None);
        assert_eq!(caution(&whole, "0.0.0.0:9477"), None);
        let said = caution(&open, "0.0.0.0:9477").unwrap();
        assert!(said.contains("every address of this machine") && said.contains("whoever can reach it"), "{said}");
        let said = caution(&open, "192.0.2.7:9477").unwrap();
        assert!(!said.contains("every address") && said.contains("token"), "{said}");
        let said = caution(&closed, "192.0.2.7:9477").unwrap();
        assert!(said.contains("without TLS") && !said.contains("set token"), "{said}");
    }
}
