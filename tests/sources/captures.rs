//! Captures that others made: every packet and byte that Wireshark sees, and no lost frame whatever their clocks did.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::reading::{drain, open};
use crate::time::Timeline;

fn captures() -> Option<PathBuf> {
    let path = std::env::var_os("VIGIE_CAPTURES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"), PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var_os("VIGIE_REQUIRE_ALL").is_none(), "no captures at {}", path.display());
    eprintln!("skipped: no captures at {} (set VIGIE_CAPTURES)", path.display());
    None
}

/// Files of the manifests of each kind: path, packets.
fn listed(captures: &Path) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    let mut kinds: Vec<_> = fs::read_dir(captures).unwrap().map(|entry| entry.unwrap().path()).collect();
    kinds.sort();
    for kind in kinds {
        let Ok(manifest) = fs::read_to_string(kind.join("MANIFEST.md")) else { continue };
        let rows = manifest.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        files.extend(rows.filter_map(|row| {
            let path = kind.join(row.get(1)?);
            path.is_file().then_some(())?;
            Some((path, row.get(6)?.parse().ok()?))
        }));
    }
    files
}

/// Files that are refused for their header, here and by capinfos, or that are no pcap.
const REFUSED: [(&str, &str); 8] = [
    ("libpcap-pcap-invalid-version-1.pcap", "version 1.4"),
    ("libpcap-pcapng-invalid-vers-1.pcapng", "version 0.1"),
    ("libpcap-shb-option-too-long.pcapng", "ends with another length"),
    ("pcpp-solaris.snoop", "snoop"),
    ("logstash-ipfix_test_openbsd_pflow_data.dat", "IPFIX"),
    ("logstash-ipfix_test_openbsd_pflow_tpl.dat", "IPFIX"),
    ("logstash-netflow5.dat", "NetFlow 5"),
    ("logstash-netflow9_test_cisco_asa_1_data.dat", "NetFlow 9"),
];

/// Packets and bytes on the wire, as Wireshark's capinfos counts them.
fn capinfos(path: &Path) -> Option<(u64, u64)> {
    let output =
        Command::new("capinfos").args(["-T", "-r", "-c", "-d"]).arg(path).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut columns = text.trim_end().split('\t').skip(1);
    Some((columns.next()?.parse().ok()?, columns.next()?.parse().ok()?))
}

#[test]
fn packets_and_bytes_of_every_capture_are_those_of_capinfos_and_of_the_manifest() {
    let Some(captures) = captures() else { return };
    let with_capinfos = Command::new("capinfos").arg("-v").output().is_ok();
    if !with_capinfos {
        assert!(std::env::var_os("VIGIE_REQUIRE_ALL").is_none(), "capinfos is not installed");
        eprintln!("capinfos is not installed: compared with the manifests only");
    }
    let mut compared = 0;
    for (path, packets) in listed(&captures) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Ok(mut source) = open(std::slice::from_ref(&path)) {
            let (mut seen, mut wire) = (0, 0);
            let error = drain(&mut source, &mut |frame| {
                seen += 1;
                wire += u64::from(frame.wire_len);
            });
            assert!(error.is_none(), "{name}: {error:?}");
            assert_eq!(seen, packets, "{name}: packets of the manifest");
            assert_eq!(source.bytes_read(), fs::metadata(&path).unwrap().len(), "{name}");
            if with_capinfos {
                assert_eq!(capinfos(&path), Some((seen, wire)), "{name}: packets and bytes of capinfos");
            }
            compared += 1;
        } else {
            let reason = open(std::slice::from_ref(&path)).unwrap_err().to_string();
            let expected = REFUSED.iter().find(|(refused, _)| *refused == name);
            let known = expected.is_some_and(|(_, why)| reason.contains(why));
            let no_capture = ["dat", "md", "log", "labeled", "binetflow"].iter().any(|end| name.ends_with(end));
            assert!(known || no_capture, "{name}: {reason}");
        }
    }
    eprintln!("{compared} captures agree");
    assert!(compared >= 120, "{compared}");
}

#[test]
fn clocks_of_every_capture_lose_nothing_and_go_forward() {
    let Some(captures) = captures() else { return };
    for (path, packets) in listed(&captures) {
        let Ok(mut source) = open(std::slice::from_ref(&path)) else { continue };
        let line = Timeline::of(&mut source);
        assert_eq!(line.frames.iter().sum::<u64>(), packets, "{}", path.display());
        assert!(line.opened.windows(2).all(|pair| pair[0].tick < pair[1].tick), "{}", path.display());
        // The longest capture spans a day with pauses of minutes; years and absurd times must not be ticked through.
        assert!(line.opened.len() <= 400_000, "{}: {} ticks", path.display(), line.opened.len());
    }
}
