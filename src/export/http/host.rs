//! Keeps web pages from reading a loopback endpoint through the browser of whoever sits at this machine.
//!
//! A page whose name is made to resolve to 127.0.0.1 (DNS rebinding) may read the answers, since browser and server hold
//! them for the page's own. Its requests still carry its name in `Host`. So an endpoint on a loopback address answers
//! only requests for `localhost` or for an address; programs without a `Host` are no browsers.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Answers or refuses (421, Misdirected Request, RFC 9110 section 15.5.20).
pub(super) async fn check(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).map(|value| value.to_str().unwrap_or("?"));
    match host {
        Some(name) if !is_local(name) => {
            let text = "this endpoint listens on a loopback address: ask for localhost or 127.0.0.1\n";
            (StatusCode::MISDIRECTED_REQUEST, text).into_response()
        }
        _ => next.run(request).await,
    }
}

fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok()
        || host.parse::<SocketAddr>().is_ok()
        || name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .is_some_and(|name| name.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn addresses_and_localhost_are_local_and_names_are_not() {
        for host in ["localhost", "LOCALHOST:9477", "127.0.0.1:9477", "127.0.0.1", "[::1]:9477", "[::1]", "10.0.0.7:80"]
        {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example", "evil.example:9477", "127.0.0.1.evil.example", "localhost.evil.example:1", "?", ""]
        {
            assert!(!is_local(host), "{host}");
        }
    }
}
