//! The HTTP interface against its own description, with the answers of a real run.
//!
//! The part of JSON Schema that the description uses is checked by a page of code here: the library for it (jsonschema)
//! brings forty crates, two of them in another version than ours. A keyword that this page does not know fails the test.

mod http;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Keywords that say nothing about a value.
const NOTES: [&str; 2] = ["description", "format"];

/// Holds a value against a schema; fields that the schema does not describe are faults too.
fn faults(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (keyword, wanted) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$ref" => {
                let pointer = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                let named = document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is nowhere"));
                found.extend(faults(document, named, value, place));
            }
            "anyOf" => {
                let each: Vec<_> =
                    wanted.as_array().unwrap().iter().map(|one| faults(document, one, value, place)).collect();
                if each.iter().all(|faults| !faults.is_empty()) {
                    found.extend(each.into_iter().flatten());
                }
            }
            "properties" => found.extend(of_properties(document, schema, value, place)),
            "additionalProperties" if schema.get("properties").is_none() => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    found.extend(faults(document, wanted, inner, &format!("{place}/{name}")));
                }
            }
            "items" => {
                for (number, inner) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(faults(document, wanted, inner, &format!("{place}/{number}")));
                }
            }
            keyword if NOTES.contains(&keyword) => {}
            keyword if !holds(keyword, wanted, value) => {
                found.push(format!("{place}: {value} is not {keyword} {wanted}"))
            }
            _ => {}
        }
    }
    found
}

fn of_properties(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let properties = schema["properties"].as_object().unwrap();
    let mut found = Vec::new();
    for (name, inner) in value.as_object().into_iter().flatten() {
        match properties.get(name) {
            Some(schema) => found.extend(faults(document, schema, inner, &format!("{place}/{name}"))),
            None => found.push(format!("{place}/{name} is not described")),
        }
    }
    found
}

/// Keywords that look at the value itself. Those for another type of value hold (JSON Schema 2020-12, validation 6).
fn holds(keyword: &str, wanted: &Value, value: &Value) -> bool {
    let number = |test: fn(f64, f64) -> bool| value.as_f64().is_none_or(|value| test(value, wanted.as_f64().unwrap()));
    match keyword {
        "type" => match wanted {
            Value::Array(types) => types.iter().any(|one| is_a(one.as_str().unwrap(), value)),
            one => is_a(one.as_str().unwrap(), value),
        },
        "enum" => wanted.as_array().unwrap().contains(value),
        "const" => wanted == value,
        "required" => value.as_object().is_none_or(|object| {
            wanted.as_array().unwrap().iter().all(|name| object.contains_key(name.as_str().unwrap()))
        }),
        "minimum" => number(|value, least| value >= least),
        "maximum" => number(|value, most| value <= most),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= wanted.as_u64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| matches(wanted.as_str().unwrap(), text)),
        _ => panic!("this page does not know {keyword}"),
    }
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_i64().is_some() || value.as_u64().is_some(),
        _ => panic!("there is no type {kind}"),
    }
}

/// The three patterns of the description, each by what it means.
fn matches(pattern: &str, text: &str) -> bool {
    if pattern.starts_with("^\\d{4}-") {
        return text.len() == 27 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok();
    }
    if pattern.contains("/\\d{1,3}") {
        return text.parse::<vigie::address::Prefix>().is_ok();
    }
    assert!(pattern.contains("[A-Z]{2}"), "this page does not know the pattern {pattern}");
    text == "unknown" || (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// A replay under way, at a pace that leaves time to ask.
struct Run {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Run {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/syn-flood.pcap.zst");
        let child = Command::new(env!("CARGO_BIN_EXE_vigie"))
            .arg("replay")
            .arg(fixture)
            .args(["--home", "FR", "--protect", "203.0.113.0/24=ecole", "--protect", "2001:db8:113::/48=ecole"])
            .args(["--speed", "20", "--metrics", &address.to_string(), "--quiet"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let run = Self { child, address, _folder: folder };
        let ready = || http::get(address, "/readyz", "").is_ok_and(|answer| answer.code == 200);
        assert!(http::wait_until(Duration::from_secs(60), ready), "it does not start");
        run
    }

    fn json(&self, path: &str) -> Value {
        let answer = http::get(self.address, path, "").unwrap();
        serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}: {}", answer.body))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks for every path of the description and holds the answers against it.
fn assert_described(document: &Value, run: &Run) {
    for (path, operations) in document["paths"].as_object().unwrap() {
        let answer = http::get(run.address, path, "").unwrap();
        let response = &operations["get"]["responses"][answer.code.to_string()];
        assert!(response.is_object(), "{path}: {} is not described", answer.code);
        let kind = answer.head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap();
        let content = &response["content"][kind.split(';').next().unwrap()];
        assert!(content.is_object(), "{path}: {kind} is not described");
        let value = match kind {
            "application/json" => serde_json::from_str(&answer.body).unwrap(),
            _ => Value::String(answer.body),
        };
        let faults = faults(document, &content["schema"], &value, path);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

#[test]
fn every_answer_of_a_real_run_is_as_described() {
    let run = Run::start();
    let document = run.json("/api/v1/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    assert_described(&document, &run);
    // With an open alert and a judged minute the answers hold everything there is.
    let full = || {
        let status = run.json("/api/v1/status");
        status["minutes"].as_array().is_some_and(|minutes| !minutes.is_empty()) && status["open_alerts"] != 0
    };
    assert!(http::wait_until(Duration::from_secs(120), full), "no alert opened");
    assert_described(&document, &run);
}

#[test]
fn the_page_for_people_says_all_that_the_description_says() {
    let document: Value = serde_json::from_str(include_str!("../src/export/http/openapi.json")).unwrap();
    let page = vigie::report::api::page(&document);
    let mut told = BTreeSet::new();
    said(&document["paths"], &mut told);
    said(&document["components"], &mut told);
    assert!(told.len() > 100, "{}", told.len());
    for text in told {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        assert!(page.contains(&escaped), "the page does not say: {text}");
    }
    for (name, _) in document["components"]["schemas"].as_object().unwrap() {
        assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name} is not explained");
    }
    let anchors = page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
    anchors.for_each(|anchor| assert!(page.contains(&format!("id=\"{anchor}\"")), "#{anchor} is nowhere"));
    assert!(!page.contains("<script") && !page.contains("http:") && !page.contains("https:"));
}

/// Collects the names and sentences of a description that its reader needs: paths, parameters, fields, codes, values.
fn said(part: &Value, told: &mut BTreeSet<String>) {
    match part {
        Value::Object(members) => {
            for (name, value) in members {
                match name.as_str() {
                    "$ref" | "operationId" | "format" | "in" => {}
                    "required" | "minimum" | "maximum" | "maxItems" => {}
                    "properties" | "schemas" | "paths" | "responses" | "content" => {
                        told.extend(value.as_object().unwrap().keys().filter(|name| *name != "Unauthorized").cloned());
                        said(value, told);
                    }
                    name if name.starts_with('/') => {
                        told.insert(name.to_owned());
                        said(value, told);
                    }
                    _ => said(value, told),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| said(value, told)),
        Value::String(text) if text != "http" => {
            told.insert(text.clone());
        }
        _ => {}
    }
}

#[test]
fn the_description_refuses_what_is_not_as_it_says() {
    let text = include_str!("../src/export/http/openapi.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let schema = serde_json::json!({"$ref": "#/components/schemas/Alerts"});
    let faults = |value: Value| faults(&document, &schema, &value, "");
    let right = serde_json::json!({"schema": "vigie.alerts/1", "open": [], "closed": []});
    assert!(faults(right).is_empty());
    let wrong = [
        serde_json::json!({"schema": "vigie.alerts/2", "open": [], "closed": []}),
        serde_json::json!({"schema": "vigie.alerts/1", "open": []}),
        serde_json::json!({"schema": "vigie.alerts/1", "open": [], "closed": [], "more": 1}),
        serde_json::json!({"schema": "vigie.alerts/1", "open": [{}], "closed": []}),
        serde_json::json!({"schema": "vigie.alerts/1", "open": {}, "closed": []}),
    ];
    wrong.into_iter().for_each(|value| assert!(!faults(value.clone()).is_empty(), "{value}"));
}

#[test]
fn operations_have_names_of_their_own_and_references_lead_somewhere() {
    let text = include_str!("../src/export/http/openapi.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let names: BTreeSet<&str> = paths.values().map(|path| path["get"]["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), paths.len());
    for (at, _) in text.match_indices("\"$ref\": \"#") {
        let pointer = text[at + 10..].split('"').next().unwrap();
        assert!(document.pointer(&pointer.replace('#', "")).is_some(), "{pointer} is nowhere");
    }
}
