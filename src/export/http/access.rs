//! Who may read: whoever knows the token or the password, where one is set.
//!
//! What is accepted is kept as digests and compared in constant time, so that neither a dump of the memory nor the time of
//! an answer tells it. Health stays open: whatever watches over the process need not know a password, and learns only
//! whether it is well.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use super::settings::Settings;

/// Paths that everybody may read.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// Knows what opens the endpoint.
#[derive(Debug)]
pub(super) struct Access {
    /// Digests of the credentials accepted, each behind its scheme in lower case.
    accepted: Vec<Vec<u8>>,
    /// What a reader who sends none is asked for.
    challenges: Vec<&'static str>,
}

impl Access {
    /// Takes what opens the endpoint; `None` where nothing closes it.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        let mut access = Self { accepted: Vec::new(), challenges: Vec::new() };
        if let Some(login) = &settings.login {
            let pair = STANDARD.encode(format!("{}:{}", login.user, login.password.reveal()));
            access.accepted.push(fingerprint("basic", &pair));
            access.challenges.push("Basic realm=\"vigie\", charset=\"UTF-8\"");
        }
        if let Some(token) = &settings.token {
            access.accepted.push(fingerprint("bearer", token.reveal()));
            access.challenges.push("Bearer realm=\"vigie\"");
        }
        settings.is_closed().then_some(access)
    }

    fn admits(&self, authorization: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(authorization) else { return false };
        let Some((scheme, credentials)) = text.trim().split_once(' ') else { return false };
        let given = fingerprint(&scheme.to_ascii_lowercase(), credentials.trim_start());
        // Each is compared, whatever the ones before said.
        self.accepted.iter().fold(false, |found, accepted| found | bool::from(accepted.as_slice().ct_eq(&given)))
    }
}

/// Answers or refuses (401, RFC 9110 section 15.5.2).
pub(super) async fn check(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let mut given = request.headers().get_all(AUTHORIZATION).iter();
    // Two would leave open which of them counts.
    let one = given.next().filter(|_| given.next().is_none());
    if OPEN.contains(&request.uri().path()) || one.is_some_and(|value| access.admits(value.as_bytes())) {
        return next.run(request).await;
    }
    let text = "this endpoint asks for a password or token: see [http] in the configuration\n";
    let mut response = (StatusCode::UNAUTHORIZED, text).into_response();
    for challenge in &access.challenges {
        response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

fn fingerprint(scheme: &str, credentials: &str) -> Vec<u8> {
    digest(&SHA256, format!("{scheme} {credentials}").as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::settings::Login;
    use super::*;
    use crate::export::sinks::Secret;

    #[test]
    fn the_token_and_the_password_open_and_nothing_else_does() {
        let login = Login { user: "Aladdin".to_owned(), password: Secret::new("open sesame") };
        let settings = Settings { token: Some(Secret::new("s3cret")), login: Some(login), identity: None };
        let access = Access::of(&settings).unwrap();
        // The pair is the example of RFC 7617, section 2.
        for right in ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="] {
            assert!(access.admits(right.as_bytes()), "{right}");
        }
        let wrong =
            ["", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret2", "Basic s3cret", "s3cret", "Digest s3cret"];
        for wrong in wrong {
            assert!(!access.admits(wrong.as_bytes()), "{wrong}");
        }
        assert!(!access.admits(b"Bearer \xff"));
        assert_eq!(access.challenges.len(), 2);
    }

    #[test]
    fn without_token_and_password_nothing_is_asked_for() {
        assert!(Access::of(&Settings::default()).is_none());
    }
}
