//! Who may know whom: every `use crate::` line of `src/` against the table of ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The shared vocabulary, which anyone may use.
const WORDS: &[&str] =
    &["address", "capture", "country", "hash", "kind", "metrics", "packet", "policy", "sampling", "time"];

/// Module, and the modules it may know beside the vocabulary.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("country", &[]),
    ("time", &[]),
    ("kind", &[]),
    ("packet", &[]),
    ("guard", &[]),
    ("hash", &[]),
    ("policy", &[]),
    ("sampling", &[]),
    ("capture", &["decode", "source"]),
    ("source", &[]),
    ("decode", &["source"]),
    ("origin", &[]),
    ("flow", &["summary"]),
    ("summary", &["flow", "origin"]),
    ("state", &[]),
    ("window", &["summary"]),
    ("detect", &["window", "summary", "origin", "state"]),
    ("alert", &["detect"]),
    ("doctor", &["decode", "source"]),
    ("evidence", &["alert", "decode", "source"]),
    ("export", &["alert", "detect", "flow", "report", "summary"]),
    ("metrics", &["decode", "detect", "flow", "summary", "source"]),
    ("report", &["alert", "detect", "decode"]),
    ("scenario", &["decode", "source"]),
    ("eval", &["alert", "decode", "detect", "flow", "origin", "pipeline", "report", "scenario", "source", "summary"]),
    (
        "pipeline",
        &["alert", "decode", "detect", "evidence", "export", "flow", "origin", "report", "source", "state", "summary"],
    ),
    ("config", &["alert", "detect", "evidence", "export", "flow", "origin", "pipeline", "source", "summary", "window"]),
    (
        "cli",
        &[
            "alert", "config", "detect", "doctor", "eval", "evidence", "export", "flow", "guard", "origin", "pipeline",
            "report", "scenario", "source", "state", "summary",
        ],
    ),
];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// Every module named after `crate::`, braces included, up to the tests of the file.
fn known_modules(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let mut names = Vec::new();
    for (place, _) in code.match_indices("crate::") {
        let rest = &code[place + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let group = group.split(';').next().unwrap_or(group);
            names.extend(group.split(',').filter_map(|part| part.trim().split([':', '}']).next()).map(str::to_owned));
        } else {
            names.extend(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned));
        }
    }
    names
}

#[test]
fn modules_know_only_whom_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_KNOW.iter().copied().collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    let mut trespasses = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let module =
            inside.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        if module == "lib" || module == "main" || inside.ends_with("tests.rs") {
            continue;
        }
        let may = allowed.get(module.as_str()).unwrap_or_else(|| panic!("`{module}` is not in the table"));
        for known in known_modules(&std::fs::read_to_string(&file).unwrap()) {
            let fine = known == module || WORDS.contains(&known.as_str()) || may.contains(&known.as_str());
            if !fine && allowed.contains_key(known.as_str()) {
                trespasses.push(format!("{} knows `{known}`", inside.display()));
            }
        }
    }
    trespasses.sort();
    trespasses.dedup();
    assert!(trespasses.is_empty(), "{trespasses:#?}");
}
