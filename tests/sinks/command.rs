//! `vigie alert test`, `check` and `config print` with sinks, and what the README shows of them.

use std::path::Path;

use super::server::{Server, nobody};
use super::{Place, http};

#[test]
fn a_test_alert_goes_to_each_sink_and_says_how_it_went() {
    let server = Server::start(|_| 200);
    let place = Place::with("");
    let got = place.path("got.jsonl");
    place.configure(&format!(
        "[[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"http://{}/\"\n\
         [[sink]]\nname = \"dead\"\ntype = \"slack\"\nurl = \"http://{}/\"\n\
         [[sink]]\nname = \"page\"\ntype = \"exec\"\ncommand = [\"/bin/sh\", \"-c\", \"cat >> {}\"]\n\
         [[sink]]\nname = \"stuck\"\ntype = \"exec\"\ncommand = [\"/bin/sleep\", \"600\"]\ntimeout_seconds = 0.2\n",
        server.address,
        nobody(),
        got.display()
    ));
    let run = place.run(&mut place.vigie(&["alert", "test"]));
    assert_eq!(run.code, 2);
    let said: Vec<&str> = run.said.lines().collect();
    assert_eq!((said[0], said[2]), ("hook: delivered", "page: delivered"));
    assert!(said[1].starts_with("dead: not delivered: ") && said[1].contains("refused"), "{}", said[1]);
    assert_eq!(said[3], "stuck: not delivered: it was killed after 0.2 s");
    let events = |text: &str| -> Vec<String> {
        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        text.lines().map(|line| format!("{} {}", read(line)["event"], read(line)["why"])).collect()
    };
    let bodies: Vec<String> = server.rest().into_iter().map(|request| request.body).collect();
    let written = events(&std::fs::read_to_string(got).unwrap());
    assert_eq!(events(&bodies.join("\n")), written);
    assert!(written[0].starts_with("\"open\" \"This is a test"), "{written:?}");
    assert!(written[1].starts_with("\"close\""), "{written:?}");
}

#[test]
fn without_sinks_there_is_nothing_to_test() {
    let place = Place::with("");
    let run = place.run(&mut place.vigie(&["alert", "test"]));
    assert_eq!((run.code, run.said.as_str()), (2, ""));
    assert!(run.complained.contains("write a [[sink]]"), "{}", run.complained);
}

#[test]
fn mistakes_are_told_all_at_once_with_their_lines() {
    let place = Place::with(
        "[[sink]]\nname = \"a\"\ntype = \"webhok\"\n\n\
         [[sink]]\nname = \"a b\"\ntype = \"exec\"\nurl = \"x\"\n\n\
         [[sink]]\nname = \"c\"\ntype = \"syslog\"\naddress = \"http://x\"\n\n\
         [[mute]]\nkind = \"portscan\"\n\n\
         [[mute]]\nreason = \"all\"\n",
    );
    let run = place.run(&mut place.vigie(&["check"]));
    assert_eq!(run.code, 2);
    for (line, part) in [
        (3, "`webhok` is not known: write `alertmanager` or `webhook`"),
        (6, "`a b` is no name for a sink"),
        (8, "unknown key `url`"),
        (13, "write udp://, tcp:// or tls://"),
        (16, "did you mean port_scan?"),
        (18, "would silence everything"),
    ] {
        let told = run.complained.lines().find(|told| told.contains(part));
        let told = told.unwrap_or_else(|| panic!("`{part}` is not in {}", run.complained));
        assert!(told.contains(&format!("vigie.toml:{line}: ")), "{told}");
    }
}

#[test]
fn what_cannot_work_is_told_with_the_line_of_its_sink() {
    let place = Place::with(
        "[[sink]]\nname = \"a\"\ntype = \"webhook\"\nurl = \"http://x/\"\nsecret = { file = \"/nowhere/key\" }\n\n\
         [[sink]]\nname = \"b\"\ntype = \"webhook\"\nurl = \"http://x/\"\ntemplate = \"{{ wy }}\"\n\n\
         [[sink]]\nname = \"c\"\ntype = \"webhook\"\nurl = \"ftp://x/\"\n",
    );
    let run = place.run(&mut place.vigie(&["check"]));
    assert_eq!(run.code, 2);
    for part in [
        "vigie.toml:1: sink `a`: secret: /nowhere/key cannot be read",
        "vigie.toml:7: sink `b`: template: ",
        "vigie.toml:13: sink `c`: url begins neither with http:// nor with https://",
    ] {
        assert!(run.complained.contains(part), "`{part}` is not in {}", run.complained);
    }
}

#[test]
fn secrets_are_never_printed() {
    let config = "[[sink]]\nname = \"a\"\ntype = \"webhook\"\nurl = \"https://example.org/hunter2\"\n\
        secret = \"hunter2\"\nheaders = { Authorization = \"Bearer hunter2\", X-Key = { env = \"HOOK_KEY\" } }\n\n\
        [[mute]]\nkind = [\"port_scan\"]\nhours = \"22:00-04:00\"\ndays = \"sunday\"\n";
    let place = Place::with(config);
    let run = place.run(place.vigie(&["config", "print"]).env("HOOK_KEY", "hunter2"));
    assert_eq!(run.code, 0, "{}", run.complained);
    assert!(!run.said.contains("hunter2"), "{}", run.said);
    let hidden = "url = \"set, not shown\"";
    assert!(run.said.contains(hidden) && run.said.contains("X-Key\" = { env = \"HOOK_KEY\" }"), "{}", run.said);
    assert!(run.said.contains("mute = [{ kind = [\"port_scan\"]") && run.said.contains("22:00-04:00"), "{}", run.said);
    place.configure(&run.said);
    let again = place.run(&mut place.vigie(&["check"]));
    assert_eq!(again.code, 2);
    assert!(again.complained.contains("`config print` does not show"), "{}", again.complained);
}

/// The TOML examples of a section of the README.
fn examples(section: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = text.split("\n## ").find(|part| part.starts_with(section)).expect("the section is there");
    let blocks = section.split("```toml\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_examples_in_the_readme_are_right() {
    let examples = examples("Alerts where people are");
    let place = Place::with("");
    std::fs::write(place.path("key"), "c2VjcmV0").unwrap();
    std::fs::write(place.path("url"), "https://chat.example/services/x").unwrap();
    std::fs::write(place.path("page"), "#!/bin/sh\n").unwrap();
    let here = |text: &str, name: &str, file: &str| text.replace(file, &place.path(name).display().to_string());
    let mut types = Vec::new();
    for example in &examples {
        let files = [("key", "/etc/vigie/hook-key"), ("url", "/etc/vigie/chat-url"), ("page", "/usr/local/bin/page")];
        let text = files.iter().fold(example.clone(), |text, (name, file)| here(&text, name, file));
        place.configure(&text);
        let run = place.run(place.vigie(&["check"]).env("HOOK_TOKEN", "x"));
        assert_eq!(run.code, 0, "{}\nin\n{text}", run.complained);
        types.extend(example.lines().filter_map(|line| line.strip_prefix("type = ").map(str::to_owned)));
    }
    types.sort();
    assert_eq!(types, ["\"alertmanager\"", "\"exec\"", "\"slack\"", "\"syslog\"", "\"webhook\""]);
    assert!(examples.iter().any(|example| example.contains("[[mute]]")));
}

#[test]
fn deliveries_are_in_the_metrics() {
    let server = Server::start(|_| 200);
    let metrics = nobody();
    let place = Place::with(&format!(
        "[[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"http://{}/\"\n[[mute]]\nkind = \"rush\"\n",
        server.address
    ));
    let mut replay = place.replay("syn-flood");
    replay.args(["--speed", "20", "--metrics", &metrics.to_string()]);
    let mut child = replay.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut seen = String::new();
    let delivered = http::wait_until(super::PATIENCE, || {
        seen = http::get(metrics, "/metrics", "").map(|answer| answer.body).unwrap_or_default();
        let sample = "vigie_sink_deliveries_total{outcome=\"delivered\",sink=\"hook\"} ";
        seen.lines().any(|line| line.strip_prefix(sample).is_some_and(|count| count != "0"))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(delivered, "{seen}");
    for sample in ["deliveries_total{outcome=\"dropped\",sink=\"hook\"} 0", "backlog_lines{sink=\"hook\"} "] {
        assert!(seen.contains(&format!("vigie_sink_{sample}")), "{sample}");
    }
}
