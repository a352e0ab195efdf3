//! One HTTP receiver: a request, an answer, and what the answer means for the line (RFC 9110, 15).

use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue, Response, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::receiver::{Again, Refusal};
use super::secret::Secret;
use super::settings::Http;
use super::tls;

/// The most of an answer that is read.
const ANSWER_BYTES: u64 = 64 * 1_024;

/// The most of an answer that is repeated in the log.
const ANSWER_CHARS: usize = 200;

/// No receiver may ask for more patience than this.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A client of one address.
pub(super) struct Client {
    agent: Agent,
    url: Secret,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Client {
    /// Prepares to send to the address, with `path` added to it.
    ///
    /// # Errors
    /// One sentence: what is wrong with the address, a header or a certificate.
    pub(super) fn open(http: &Http, path: &str) -> Result<Self, String> {
        let base = http.url.reveal().trim_end_matches('/');
        let url = if path.is_empty() || base.ends_with(path) {
            http.url.reveal().to_owned()
        } else {
            format!("{base}{path}")
        };
        let secure = check_url(&url)?;
        let mut builder = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("vigie/", env!("CARGO_PKG_VERSION")));
        if secure {
            let roots = tls::roots(http.ca.as_deref())?;
            let roots = RootCerts::from(roots.iter().map(|root| Certificate::from_der(root).to_owned()));
            let config = TlsConfig::builder().unversioned_rustls_crypto_provider(tls::provider()).root_certs(roots);
            builder = builder.tls_config(config.build());
        }
        let headers = http.headers.iter().map(header).collect::<Result<_, _>>()?;
        Ok(Self { agent: builder.build().new_agent(), url: Secret::new(url), headers })
    }

    /// Posts a body; header lines in `more` are this request's own.
    ///
    /// # Errors
    /// When it was not taken.
    pub(super) fn post(&self, body: &[u8], more: &[(&str, &str)], limit: Duration) -> Result<(), Refusal> {
        let mut request = self.agent.post(self.url.reveal()).config().timeout_global(Some(limit)).build();
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match request.send(body) {
            Ok(answer) => judge(answer),
            Err(ureq::Error::BadUri(_)) => Err(Refusal::never("the address is not one")),
            Err(error) => Err(Refusal::later(error.to_string())),
        }
    }
}

/// Says what an answer means: taken, later, or never.
fn judge(mut answer: Response<ureq::Body>) -> Result<(), Refusal> {
    let status = answer.status();
    let said =
        answer.body_mut().with_config().limit(ANSWER_BYTES).lossy_utf8(true).read_to_string().unwrap_or_default();
    if status.is_success() {
        return Ok(());
    }
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(ANSWER_CHARS).collect();
    let why = format!("HTTP {status}: {}", said.trim()).trim_end_matches([':', ' ']).to_owned();
    match status.as_u16() {
        408 | 425 | 429 | 500.. => {
            let seconds = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            let after = seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
            Err(Refusal { why, again: Again::Later(after) })
        }
        300..400 => Err(Refusal::never(format!("{why}: write the address that it redirects to"))),
        _ => Err(Refusal::never(why)),
    }
}

/// Tells whether an address wants TLS.
fn check_url(url: &str) -> Result<bool, String> {
    let uri: Uri =
        url.parse().map_err(|_| "url is no address: write one such as https://example.org/hook".to_owned())?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("url holds a password: write it as headers = { Authorization = \"Basic ...\" }".to_owned());
    }
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(true),
        (Some("http"), Some(_)) => Ok(false),
        _ => Err("url begins neither with http:// nor with https://".to_owned()),
    }
}

fn header((name, value): &(String, Secret)) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = |what: &str| format!("headers: {what} of `{name}` cannot stand in a request");
    let read = HeaderName::try_from(name.as_str()).map_err(|_| wrong("the name"))?;
    let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| wrong("the value"))?;
    value.set_sensitive(true);
    Ok((read, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_before_anything_is_sent() {
        assert_eq!(check_url("https://example.org/hook"), Ok(true));
        assert_eq!(check_url("http://127.0.0.1:9093"), Ok(false));
        for wrong in ["", "example.org", "ftp://example.org/", "http://", "https://u:p@example.org/"] {
            assert!(check_url(wrong).is_err(), "{wrong}");
        }
        assert!(!check_url("https://u:hunter2@example.org/").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn a_header_that_would_break_the_request_is_refused() {
        assert!(header(&("X-Team".into(), Secret::new("net"))).is_ok());
        assert!(header(&("X Team".into(), Secret::new("net"))).unwrap_err().contains("the name"));
        let error = header(&("X-Team".into(), Secret::new("net\r\nHost: other"))).unwrap_err();
        assert!(error.contains("the value") && !error.contains("other"), "{error}");
    }

    fn answer(status: u16, retry_after: Option<&str>) -> Result<(), Again> {
        let mut builder = ureq::http::Response::builder().status(status);
        if let Some(value) = retry_after {
            builder = builder.header("Retry-After", value);
        }
        judge(builder.body(ureq::Body::builder().data("busy\r\n")).unwrap()).map_err(|refusal| refusal.again)
    }

    #[test]
    fn answers_mean_taken_later_or_never() {
        assert_eq!(answer(204, None), Ok(()));
        assert_eq!(answer(503, None), Err(Again::Later(None)));
        assert_eq!(answer(429, Some("7")), Err(Again::Later(Some(Duration::from_secs(7)))));
        assert_eq!(answer(429, Some("99999")), Err(Again::Later(Some(LONGEST_WAIT))));
        assert_eq!(answer(400, None), Err(Again::Never));
        assert_eq!(answer(302, None), Err(Again::Never));
    }
}
