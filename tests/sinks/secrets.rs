//! Every secret that a configuration can hold, looked for in everything that a run says, writes, serves and shows to `ps`.

use std::path::Path;
use std::process::Stdio;

use super::server::{Server, nobody};
use super::{PATIENCE, Place, http};

/// One for each way in, so that a leak names its way out.
const SECRETS: [&str; 8] = [
    "s3cret-in-url",
    "s3cret-in-header",
    "s3cret-in-file",
    "s3cret-in-variable",
    "s3cret-that-signs",
    "s3cret-http-token",
    "s3cret-http-password",
    "s3cret-chat-url",
];

fn leaks(place: &str, text: &str) -> Vec<String> {
    // Basic credentials travel as base64.
    let encoded = "bm9jOnMzY3JldC1odHRwLXBhc3N3b3Jk";
    let found = SECRETS.iter().chain([&encoded]).filter(|secret| text.contains(**secret));
    found.map(|secret| format!("{secret} in {place}")).collect()
}

/// Everything below a folder, as text.
fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

/// Receivers that refuse, one that is dead, and an endpoint that asks for credentials.
fn configure(place: &Place, refusing: &Server) {
    std::fs::write(place.path("header.key"), "s3cret-in-file\n").unwrap();
    place.configure(&format!(
        "spool = {spool:?}\n\
         [[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"http://{refusing}/s3cret-in-url\"\n\
         secret = \"s3cret-that-signs\"\n\
         headers = {{ Authorization = \"Bearer s3cret-in-header\", X-File = {{ file = {file:?} }}, \
         X-Variable = {{ env = \"HOOK_KEY\" }} }}\n\
         [[sink]]\nname = \"chat\"\ntype = \"slack\"\nurl = \"http://{dead}/s3cret-chat-url\"\n\
         [[sink]]\nname = \"page\"\ntype = \"exec\"\ncommand = [\"/bin/sh\", \"-c\", \"exit 75\"]\n\
         [http]\ntoken = \"s3cret-http-token\"\nuser = \"noc\"\npassword = \"s3cret-http-password\"\n",
        spool = place.path("spool"),
        refusing = refusing.address,
        file = place.path("header.key"),
        dead = nobody(),
    ));
}

#[test]
fn no_secret_is_said_written_served_or_shown_to_ps() {
    let refusing = Server::start(|_| 500);
    let place = Place::with("");
    configure(&place, &refusing);
    let mut leaked = Vec::new();
    for arguments in [["config", "print"].as_slice(), &["check"], &["alert", "test"]] {
        let run = place.run(place.vigie(arguments).env("HOOK_KEY", "s3cret-in-variable"));
        leaked.extend(leaks(&format!("{arguments:?}"), &format!("{}{}", run.said, run.complained)));
    }

    let metrics = nobody();
    let mut replay = place.replay("syn-flood");
    replay.env("HOOK_KEY", "s3cret-in-variable").env("VIGIE_LOG", "trace");
    replay.args(["--speed", "20", "--metrics", &metrics.to_string()]);
    replay.arg("--state").arg(place.path("state")).arg("--evidence").arg(place.path("evidence"));
    replay.arg("--report").arg(place.path("report.html")).arg("--flows").arg(place.path("flows.csv"));
    let output = |name: &str| Stdio::from(std::fs::File::create(place.path(name)).unwrap());
    let mut child = replay.stdout(output("said.txt")).stderr(output("complained.txt")).spawn().unwrap();
    let token = "Authorization: Bearer s3cret-http-token\r\n";
    let failed = "vigie_sink_deliveries_total{outcome=\"failed\",sink=\"hook\"} ";
    let mut seen = String::new();
    let tried = http::wait_until(PATIENCE, || {
        seen = http::get(metrics, "/metrics", token).map(|answer| answer.body).unwrap_or_default();
        seen.lines().any(|line| line.strip_prefix(failed).is_some_and(|count| count != "0"))
    });
    assert!(tried, "the receiver was never tried: {seen}");
    leaked.extend(leaks("/metrics", &seen));
    for path in ["/", "/api/v1/alerts", "/api/v1/status", "/healthz"] {
        let answer = http::get(metrics, path, token).unwrap();
        leaked.extend(leaks(path, &format!("{}{}", answer.head, answer.body)));
    }
    let refused = http::get(metrics, "/", "Authorization: Bearer s3cret-in-header\r\n").unwrap();
    assert_eq!(refused.code, 401);
    leaked.extend(leaks("a refusal", &format!("{}{}", refused.head, refused.body)));
    // What ps(1) shows to everybody.
    let shown = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    leaked.extend(leaks("ps", &String::from_utf8_lossy(&shown)));
    assert!(
        std::process::Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap().success()
    );
    child.wait().unwrap();

    let mut written = Vec::new();
    files(place.path("vigie.toml").parent().unwrap(), &mut written);
    let ours = |(name, _): &&(String, String)| !name.ends_with("vigie.toml") && !name.ends_with("header.key");
    let names: Vec<&str> = written.iter().filter(ours).map(|(name, _)| name.as_str()).collect();
    for expected in ["said.txt", "complained.txt", "alerts.jsonl", "report.html", "vigie.state", "/spool/hook/"] {
        assert!(names.iter().any(|name| name.contains(expected)), "no {expected} in {names:?}");
    }
    leaked.extend(written.iter().filter(ours).flat_map(|(name, text)| leaks(name, text)));
    assert!(leaked.is_empty(), "{leaked:#?}");
}
