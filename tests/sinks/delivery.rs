//! What arrives, in which order, and what a receiver in trouble costs.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::mpsc::channel;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;

use super::server::{Identity, Request, Server, nobody};
use super::{PATIENCE, Place, http, installed};

const FIXTURE: &str = "syn-flood";

fn bodies(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| request.body.clone()).collect()
}

fn field(line: &str, name: &str) -> Value {
    serde_json::from_str::<Value>(line).unwrap()[name].clone()
}

#[test]
fn a_webhook_gets_every_line_once_in_order_and_signed() {
    let server = Server::start(|_| 204);
    let place = Place::with(&format!(
        "[[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"http://{}/in?x=1\"\n\
         secret = {{ env = \"HOOK_SECRET\" }}\nheaders = {{ X-Team = \"net\" }}\n",
        server.address
    ));
    let run = place.run(place.replay(FIXTURE).env("HOOK_SECRET", "whsec_c2VjcmV0IGtleQ=="));
    assert_eq!((run.code, run.complained.as_str()), (0, ""));
    let requests = server.rest();
    assert!(run.lines.len() > 3);
    assert_eq!(bodies(&requests), run.lines);
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret key");
    for request in &requests {
        let header = |name: &str| request.headers[name].as_str();
        assert_eq!((request.path.as_str(), header("x-team")), ("/in?x=1", "net"));
        let signed = format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), request.body);
        let signature = STANDARD.decode(header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
        hmac::verify(&key, signed.as_bytes(), &signature).expect("the signature is right");
    }
    let ids: BTreeSet<&str> = requests.iter().map(|request| request.headers["webhook-id"].as_str()).collect();
    assert_eq!(ids.len(), requests.len(), "every line has an id of its own");
}

#[test]
fn what_a_dead_receiver_missed_comes_after_a_restart_in_order_and_once() {
    let address = nobody();
    let place = Place::with(&format!("[[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"http://{address}/\"\n"));
    let state = ["--state".to_owned(), place.path("state").display().to_string()];
    let dead = place.run(place.replay(FIXTURE).args(&state));
    assert_eq!(dead.code, 0, "what is kept is not lost: {}", dead.complained);
    let kept = format!("{} alert lines for the sink `hook` wait in its spool", dead.lines.len());
    assert!(dead.complained.contains(&kept), "{}", dead.complained);
    assert_eq!(dead.complained.matches("the sink fails").count(), 1, "{}", dead.complained);

    // Alive again, with a bad moment in between: the third request is answered with an error, and tried again.
    let server = Server::at(address, |number| if number == 2 { 503 } else { 200 });
    let alive = place.run(place.replay("calm").args(&state));
    assert_eq!((alive.code, alive.lines.len()), (0, 0), "{}", alive.complained);
    let mut expected = dead.lines.clone();
    expected.insert(2, dead.lines[2].clone());
    assert_eq!(bodies(&server.rest()), expected);
    assert_eq!(alive.complained.matches("the sink fails").count(), 1, "{}", alive.complained);
    assert_eq!(alive.complained.matches("the sink is well again").count(), 1, "{}", alive.complained);

    let after = place.run(place.replay("calm").args(&state));
    assert_eq!((after.code, after.complained.as_str()), (0, ""));
    assert!(server.rest().is_empty(), "nothing comes twice");
}

#[test]
fn a_receiver_that_takes_its_time_holds_up_nothing() {
    let (go, wait) = channel::<()>();
    let server = Server::start(move |number| {
        if number == 0 {
            wait.recv_timeout(PATIENCE).unwrap();
        }
        200
    });
    let config = format!(
        "[[sink]]\nname = \"slow\"\ntype = \"webhook\"\nurl = \"http://{}/\"\ntimeout_seconds = 60\n",
        server.address
    );
    let place = Place::with("");
    let expected = place.run(&mut place.replay(FIXTURE)).lines;
    place.configure(&config);
    let mut child = place.replay(FIXTURE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let first = server.next();
    let all = http::wait_until(PATIENCE, || place.lines() == expected);
    assert!(all, "every line is in the file while the first is held up, byte for byte what it is without sinks");
    assert!(server.rest().is_empty(), "the others wait for the first");
    go.send(()).unwrap();
    assert!(child.wait().unwrap().success());
    let arrived: Vec<String> = std::iter::once(first.body).chain(bodies(&server.rest())).collect();
    assert_eq!(arrived, expected);
}

#[test]
fn lines_that_nobody_takes_are_lost_aloud_where_there_is_no_spool() {
    let server = Server::start(|_| 400);
    let place = Place::with(&format!(
        "[[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"http://{}/\"\nheaders = {{ Authorization = \"hunter2\" }}\n",
        server.address
    ));
    let run = place.run(&mut place.replay(FIXTURE));
    assert_eq!(run.code, 2);
    let lost = format!("{} alert lines could not be delivered to the sink `hook` and are lost", run.lines.len());
    assert!(run.complained.contains(&lost), "{}", run.complained);
    assert!(run.complained.contains("HTTP 400") && !run.complained.contains("hunter2"), "{}", run.complained);
    assert_eq!(server.rest().len(), run.lines.len(), "what was refused for good is not tried again");
}

#[test]
fn a_mute_silences_the_sink_and_not_the_file() {
    let server = Server::start(|_| 200);
    let sink = format!("[[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"http://{}/\"\n", server.address);
    let place = Place::with(&sink);
    let loud = place.run(&mut place.replay(FIXTURE));
    assert_eq!(server.rest().len(), loud.lines.len());
    place.configure(&format!("{sink}[[mute]]\nkind = \"syn_flood\"\nreason = \"we know\"\n"));
    let silent = place.run(&mut place.replay(FIXTURE));
    assert_eq!(silent.lines, loud.lines);
    assert!(silent.complained.contains("sinks are not told of: kind syn_flood (we know)"), "{}", silent.complained);
    let others: Vec<String> = loud.lines.into_iter().filter(|line| field(line, "kind") != "syn_flood").collect();
    assert_eq!(bodies(&server.rest()), others);
}

#[test]
fn chats_are_told_of_changes_only() {
    let server = Server::start(|_| 200);
    let place = Place::with(&format!(
        "[[sink]]\nname = \"chat\"\ntype = \"slack\"\nseverity = \"warning\"\nurl = \"http://{}/\"\n\
         link = \"https://vigie.example/\"\n",
        server.address
    ));
    let run = place.run(&mut place.replay(FIXTURE));
    let loud = run.lines.iter().filter(|line| field(line, "event") != "update" && field(line, "severity") != "info");
    let texts: Vec<String> =
        server.rest().iter().map(|request| field(&request.body, "text").as_str().unwrap().to_owned()).collect();
    assert!(texts.len() < run.lines.len() && texts.len() >= loud.count(), "{texts:#?}");
    assert!(texts[0].contains("syn_flood at ecole (") && texts[0].contains("<https://vigie.example/|"), "{}", texts[0]);
    assert!(texts.last().unwrap().contains("is over"));
}

#[test]
fn a_certificate_is_trusted_when_it_is_named_and_only_then() {
    if !installed("openssl", "openssl") {
        return;
    }
    let identity = Identity::make();
    let server = Server::secure(&identity, |_| 200);
    let config = format!("[[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"https://{}/\"\n", server.address);
    let place = Place::with(&format!("{config}ca = \"{}\"\n", identity.certificate()));
    let trusted = place.run(&mut place.vigie(&["alert", "test"]));
    assert_eq!((trusted.code, trusted.said.as_str()), (0, "hook: delivered\n"), "{}", trusted.complained);
    assert_eq!(server.rest().len(), 2);
    let other = Identity::make();
    place.configure(&format!("{config}ca = \"{}\"\n", other.certificate()));
    let refused = place.run(&mut place.vigie(&["alert", "test"]));
    assert_eq!(refused.code, 2);
    assert!(
        refused.said.starts_with("hook: not delivered: ") && refused.said.contains("certificate"),
        "{}",
        refused.said
    );
    assert!(server.rest().is_empty());
}
