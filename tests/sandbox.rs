//! What `vigie watch` has given up once it runs, read from outside in `/proc`, and that it does its work all the same.

#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::Deadline;
use support::fixtures::Fixture;
use support::netns::{Network, PATIENCE, Wiring, tcpreplay};
use support::watch::Watch;

const NOBODY: &str = "65534";

/// A line of proc_pid_status(5) of each thread of a process.
fn of_each_thread(id: u32, name: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).expect("it runs").map(|task| task.unwrap().path());
    let line = |path: std::path::PathBuf| {
        let status = fs::read_to_string(path.join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    tasks.filter_map(line).collect()
}

/// A folder that anybody may enter and write in.
fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

fn flags(flags: &[(&str, &Path)]) -> Vec<String> {
    flags.iter().flat_map(|(flag, path)| [(*flag).to_owned(), path.display().to_string()]).collect()
}

#[test]
fn every_thread_runs_without_rights_and_counts_every_frame() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let folder = open_folder();
    let path = |name: &str| folder.path().join(name);
    let fixture = Fixture::read("calm");
    let start = fixture.start();
    let frames = fixture.write_stretch(start, start.plus(Duration::from_secs(2)), &path("calm.pcap"));
    let outputs = [
        ("--state", path("state")),
        ("--evidence", path("evidence")),
        ("--report", path("report.html")),
        ("--flows", path("flows.parquet")),
    ];
    let outputs: Vec<(&str, &Path)> = outputs.iter().map(|(flag, path)| (*flag, path.as_path())).collect();
    let arguments = [flags(&outputs), ["--threads", "2"].map(str::to_owned).to_vec(), fixture.arguments()].concat();
    let watch = Watch::start(&network.receiver, &["recv0"], &arguments);

    let id = watch.process.program_id();
    let zero = "0000000000000000";
    let ids = [NOBODY; 4].join(" ");
    for (name, value) in [
        ("Uid", ids.as_str()),
        ("Gid", ids.as_str()),
        ("Groups", ""),
        ("CapInh", zero),
        ("CapPrm", zero),
        ("CapEff", zero),
        ("CapBnd", zero),
        ("CapAmb", zero),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ] {
        let values = of_each_thread(id, name);
        assert!(values.len() > 4 && values.iter().all(|of_one| of_one == value), "{name}: {values:?}");
    }
    let said = watch.file("errors.txt");
    assert!(said.contains("vigie: sandbox: user nobody, no capabilities, files "), "{said}");
    let status = watch.get("/api/v1/status");
    assert!(status.contains("\"sandbox\":\"user nobody, no capabilities, files "), "{status}");

    assert_eq!(tcpreplay(&network.sender, "send0", "--topspeed", &path("calm.pcap")), frames);
    watch.wait_for(frames);
    assert!(watch.counter("vigie_memory_bytes") > 0, "the kernel's table of the process is still read");
    let outcome = watch.stop("TERM");
    assert_eq!(outcome.packets(), frames);
    for name in ["state/vigie.state", "report.html", "flows.parquet"] {
        let found = fs::metadata(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found.len() > 0, "{name}");
    }
    for name in ["state", "state/vigie.state", "evidence"] {
        assert_eq!(fs::metadata(path(name)).unwrap().uid().to_string(), NOBODY, "{name}");
    }

    // What it left is there for the next run.
    let again = Watch::start(&network.receiver, &["recv0"], &arguments).stop("INT");
    assert_eq!(again.packets(), 0);
}

#[test]
fn where_nobody_can_write_it_stays_root_in_name_only() {
    let Some(network) = Network::make(Wiring::default(), &[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let state = folder.path().join("state");
    let watch = Watch::start(&network.receiver, &["recv0"], &flags(&[("--state", &state)]));
    let id = watch.process.program_id();
    assert!(of_each_thread(id, "Uid").iter().all(|ids| ids == "0 0 0 0"));
    assert!(of_each_thread(id, "CapEff").iter().all(|set| set == "0000000000000000"));
    assert!(of_each_thread(id, "Seccomp").iter().all(|mode| mode == "2"));
    assert!(watch.file("errors.txt").contains("sandbox: user root, no capabilities"));
    watch.stop("INT");
    assert!(state.join("vigie.state").exists());
}

#[test]
fn without_a_sandbox_it_keeps_what_it_had() {
    let Some(network) = Network::make(Wiring::default(), &[]) else { return };
    let watch = Watch::start(&network.receiver, &["recv0"], &["--no-sandbox".to_owned()]);
    let id = watch.process.program_id();
    assert!(of_each_thread(id, "Seccomp").iter().all(|mode| mode == "0"));
    assert!(of_each_thread(id, "CapEff").iter().all(|set| set != "0000000000000000"));
    assert!(!watch.file("errors.txt").contains("sandbox"));
    assert!(watch.get("/api/v1/status").contains("\"sandbox\":null"));
    watch.stop("INT");
}

#[test]
fn the_helper_of_a_command_has_no_capture_and_ends_with_the_run() {
    let Some(network) = Network::make(Wiring::default(), &[]) else { return };
    let folder = open_folder();
    let config = folder.path().join("vigie.toml");
    fs::write(&config, "[[sink]]\nname = \"page\"\ntype = \"exec\"\ncommand = [\"cat\"]\n").unwrap();
    let watch = Watch::start(&network.receiver, &["recv0"], &flags(&[("--config", &config)]));
    let id = watch.process.program_id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let helper: u32 = children.trim().parse().unwrap_or_else(|_| panic!("one helper, not `{children}`"));
    assert_eq!(of_each_thread(helper, "Uid"), [[NOBODY; 4].join(" ")]);
    assert_eq!(of_each_thread(helper, "CapEff"), ["0000000000000000"]);
    let descriptors = fs::read_dir(format!("/proc/{helper}/fd")).unwrap().map(|entry| entry.unwrap().path());
    let sockets: Vec<_> = descriptors
        .filter(|path| fs::read_link(path).is_ok_and(|link| link.display().to_string().starts_with("socket:")))
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    // Standard input, and the copy of it that is read.
    assert!(sockets.len() <= 2 && sockets.iter().any(|name| name == "0"), "{sockets:?}");
    watch.stop("TERM");
    let gone = || !Path::new(&format!("/proc/{helper}")).exists();
    assert!(Deadline::after(PATIENCE).wait_until(gone), "the helper outlives the run");
}

#[test]
fn a_user_who_cannot_be_is_refused_with_a_sentence() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
        let output = command.args(["watch", "-i", "lo", "--metrics", "off"]).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(&["--user", "nobody", "--no-sandbox"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("cannot be used with"), "{said}");
    if !fs::read_to_string("/proc/self/status").unwrap().contains("Uid:\t0\t0") {
        support::skip("becoming another user needs root");
        return;
    }
    let (code, said) = run(&["--user", "no-such-user"]);
    assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("--user no-such-user: there is no such user"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.html").display().to_string();
    let (code, said) = run(&["--user", "nobody", "--report", &report]);
    assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("--report") && said.contains("the user `nobody`") && said.contains("--user"), "{said}");
}
