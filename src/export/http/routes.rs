//! One handler a path. Each reads the board and writes text.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::negotiate;
use super::page;
use crate::export::board::{Board, Phase, Shown, Sight, Status};
use crate::metrics::MemoryPart;
use crate::report::api;
use crate::report::live::SCRIPT;

const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT_TYPE: &str = "text/javascript; charset=utf-8";

/// What is served is described here, path by path.
const DESCRIPTION: &str = include_str!("openapi.json");

/// The same for people. It never changes, so it is written once.
static MANUAL: LazyLock<String> =
    LazyLock::new(|| api::page(&serde_json::from_str(DESCRIPTION).expect("a test reads it")));

/// Builds the routes. Anything but GET and HEAD is refused by them.
pub(super) fn router(board: Arc<Board>) -> Router {
    routes().into_iter().fold(Router::new(), |router, (path, handler)| router.route(path, handler)).with_state(board)
}

fn routes() -> [(&'static str, MethodRouter<Arc<Board>>); 9] {
    [
        ("/", get(show_page)),
        ("/live.js", get(script)),
        ("/metrics", get(metrics)),
        ("/healthz", get(healthz)),
        ("/readyz", get(readyz)),
        ("/api/v1/alerts", get(alerts)),
        ("/api/v1/status", get(status)),
        ("/api/v1/openapi.json", get(description)),
        ("/api", get(manual)),
    ]
}

fn reply(code: StatusCode, content_type: &'static str, body: String) -> Response {
    (code, [(CONTENT_TYPE, content_type)], body).into_response()
}

async fn metrics(State(board): State<Arc<Board>>, headers: HeaderMap) -> Response {
    if let Some(bytes) = resident_bytes() {
        board.metrics().set_memory(MemoryPart::Resident, bytes);
    }
    let format = negotiate::choose(headers.get(ACCEPT).and_then(|value| value.to_str().ok()));
    let body = match format {
        negotiate::Format::Text => board.metrics().text(),
        negotiate::Format::OpenMetrics => board.metrics().openmetrics(),
    };
    reply(StatusCode::OK, format.content_type(), body)
}

/// Alive: the run goes on, or has ended as it should.
async fn healthz(State(board): State<Arc<Board>>) -> Response {
    verdict(unhealthy(&board.see()))
}

/// Ready: at least one tick has been judged, and the run goes on.
async fn readyz(State(board): State<Arc<Board>>) -> Response {
    let sight = board.see();
    let unready = match sight.phase {
        Phase::Starting => Some("starting: no tick has been judged yet".to_owned()),
        _ => unhealthy(&sight),
    };
    verdict(unready)
}

fn unhealthy(sight: &Sight) -> Option<String> {
    match (&sight.phase, sight.stalled) {
        (Phase::Failed(reason), _) => Some(format!("failed: {reason}")),
        (_, Some(idle)) => Some(format!("stalled: no tick has been judged for {} s", idle.as_secs())),
        _ => None,
    }
}

fn verdict(fault: Option<String>) -> Response {
    match fault {
        None => reply(StatusCode::OK, PLAIN, "ok\n".to_owned()),
        Some(reason) => reply(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{reason}\n")),
    }
}

/// The latest line of each open alert, and the last lines of those that closed lately, as they were written.
async fn alerts(State(board): State<Arc<Board>>) -> Response {
    let sight = board.see();
    let joined = |shown: &[Shown]| shown.iter().map(|shown| &*shown.line).collect::<Vec<_>>().join(",");
    let (open, closed) = (joined(&sight.open), joined(&sight.closed));
    let body = format!(r#"{{"schema":"vigie.alerts/1","open":[{open}],"closed":[{closed}]}}"#);
    reply(StatusCode::OK, JSON, body + "\n")
}

/// What the status adds to the run's own.
#[derive(serde::Serialize)]
struct StatusBody<'a> {
    schema: &'static str,
    version: &'static str,
    phase: &'static str,
    reason: Option<&'a str>,
    open_alerts: usize,
    #[serde(flatten)]
    status: Option<&'a Status>,
}

async fn status(State(board): State<Arc<Board>>) -> Response {
    let sight = board.see();
    let reason = match &sight.phase {
        Phase::Failed(reason) => Some(reason.as_str()),
        _ => None,
    };
    let body = StatusBody {
        schema: "vigie.status/1",
        version: env!("CARGO_PKG_VERSION"),
        phase: phase_name(&sight),
        reason,
        open_alerts: sight.open.len(),
        status: sight.status.as_deref(),
    };
    match serde_json::to_string(&body) {
        Ok(text) => reply(StatusCode::OK, JSON, text + "\n"),
        Err(error) => reply(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{error}\n")),
    }
}

async fn description() -> Response {
    reply(StatusCode::OK, JSON, DESCRIPTION.to_owned())
}

async fn manual() -> Response {
    reply(StatusCode::OK, HTML, MANUAL.clone())
}

async fn show_page(State(board): State<Arc<Board>>, uri: Uri) -> Response {
    reply(StatusCode::OK, HTML, page::write(&board, uri.query().unwrap_or_default()))
}

async fn script() -> Response {
    reply(StatusCode::OK, SCRIPT_TYPE, SCRIPT.to_owned())
}

fn phase_name(sight: &Sight) -> &'static str {
    match (&sight.phase, sight.stalled) {
        (_, Some(_)) => "stalled",
        (Phase::Starting, _) => "starting",
        (Phase::Running, _) => "running",
        (Phase::Ended, _) => "ended",
        (Phase::Failed(_), _) => "failed",
    }
}

/// Memory of the process as Linux counts it (proc(5), VmRSS); elsewhere unknown.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described_and_every_description_is_a_route() {
        let document: serde_json::Value = serde_json::from_str(DESCRIPTION).unwrap();
        let described: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(routes().iter().map(|(path, _)| *path).collect::<BTreeSet<&str>>(), described);
    }
}
