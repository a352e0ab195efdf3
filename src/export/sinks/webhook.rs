//! Any HTTP receiver: a POST with the alert's JSON, or what a template makes of it, signed as Standard Webhooks asks.
//!
//! The signature is HMAC-SHA256 over `id.timestamp.body` in `webhook-signature: v1,BASE64`, with `webhook-id` and
//! `webhook-timestamp` beside it (standardwebhooks.com, specification 1.0.0), so that receivers check it with a library.
//! The id is the same at every attempt: a receiver that sees it again has the line already.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::client::Client;
use super::clock;
use super::receiver::{Message, Receiver, Refusal};
use super::secret::Secret;
use super::settings;
use super::template::Template;

/// Before a key that is written in base64.
const ENCODED: &str = "whsec_";

/// A webhook.
pub(super) struct Webhook {
    client: Client,
    key: Option<hmac::Key>,
    template: Option<Template>,
    content_type: String,
}

impl Webhook {
    /// Prepares to send.
    ///
    /// # Errors
    /// One sentence: what is wrong with the address, the key or the template.
    pub(super) fn open(to: &settings::Webhook) -> Result<Self, String> {
        Ok(Self {
            client: Client::open(&to.http, "")?,
            key: to.secret.as_ref().map(key).transpose()?,
            template: to.template.as_deref().map(Template::read).transpose()?,
            content_type: to.content_type.clone(),
        })
    }
}

impl Receiver for Webhook {
    fn send(&mut self, message: &Message<'_>, limit: Duration) -> Result<(), Refusal> {
        let filled = self.template.as_ref().map(|template| template.fill(message.line)).transpose();
        let filled = filled.map_err(Refusal::never)?;
        let body = filled.as_deref().unwrap_or(message.line);
        let (id, seconds) = (message.told.key(), clock::since_epoch().as_secs().to_string());
        let signature = self.key.as_ref().map(|key| sign(key, &id, &seconds, body));
        let mut headers =
            vec![("content-type", self.content_type.as_str()), ("webhook-id", &id), ("webhook-timestamp", &seconds)];
        headers.extend(signature.as_deref().map(|signature| ("webhook-signature", signature)));
        self.client.post(body.as_bytes(), &headers, limit)
    }
}

/// Reads a key: base64 after `whsec_`, the bytes themselves otherwise.
fn key(secret: &Secret) -> Result<hmac::Key, String> {
    let bytes = match secret.reveal().strip_prefix(ENCODED) {
        Some(encoded) => {
            STANDARD.decode(encoded).map_err(|_| format!("secret: what follows {ENCODED} is not base64"))?
        }
        None => secret.reveal().as_bytes().to_vec(),
    };
    if bytes.is_empty() {
        return Err("secret: it is empty".to_owned());
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn sign(key: &hmac::Key, id: &str, seconds: &str, body: &str) -> String {
    format!("v1,{}", STANDARD.encode(hmac::sign(key, format!("{id}.{seconds}.{body}").as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with another program: Python's `hmac`.
    #[test]
    fn a_signature_is_what_others_compute() {
        let key = key(&Secret::new("whsec_plJ3nmyCDGBKInavdOK15jsl")).unwrap();
        let signature = sign(&key, "msg_loFOjxBNrRLzqYUf", "1731705121", r#"{"event_type":"ping"}"#);
        assert_eq!(signature, "v1,iLrWodj6H2QrNRSvdASdRo1DzSXYKqa36og0kGXkcTs=");
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_shown() {
        let error = key(&Secret::new("whsec_hunter2!")).unwrap_err();
        assert!(error.contains("not base64") && !error.contains("hunter2"), "{error}");
        assert!(key(&Secret::new("")).is_err());
        assert!(key(&Secret::new("hunter2")).is_ok());
    }
}
