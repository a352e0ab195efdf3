//! A real Alertmanager: it receives, groups, follows a change of severity, resolves, and tells its own receivers.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use vigie::alert::{Alert, sample};
use vigie::export::sinks::filter::Updates;
use vigie::export::sinks::settings::{self, Http};
use vigie::export::sinks::{Secret, Settings, Sinks, To};
use vigie::kind::{AlertKind, Severity, Verdict};
use vigie::time::Timestamp;

use super::server::{Server, nobody};
use super::{PATIENCE, http, installed};

const PROGRAM: &str = "prometheus-alertmanager";

/// An Alertmanager that tells a server of this test.
struct Alertmanager {
    address: SocketAddr,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Alertmanager {
    fn start(tells: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "route:\n  receiver: test\n  group_by: [incident]\n  group_wait: 100ms\n  group_interval: 1s\n\
             receivers:\n  - name: test\n    webhook_configs:\n      - url: http://{tells}/told\n"
        );
        let path = folder.path().join("alertmanager.yml");
        std::fs::write(&path, config).unwrap();
        let address = nobody();
        let process = Command::new(PROGRAM)
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let log = folder.path().join("log");
        let manager = Self { address, process, _folder: folder };
        let ready = || http::get(address, "/-/ready", "").is_ok_and(|answer| answer.code == 200);
        assert!(http::wait_until(PATIENCE, ready), "{}", std::fs::read_to_string(log).unwrap_or_default());
        manager
    }

    fn ask(&self, path: &str) -> Value {
        serde_json::from_str(&http::get(self.address, path, "").unwrap().body).unwrap()
    }

    /// Waits until the alerts that are active have just these severities.
    #[track_caller]
    fn wait_for_active(&self, severities: &[&str]) -> Value {
        let mut seen = Value::Null;
        let came = http::wait_until(PATIENCE, || {
            seen = self.ask("/api/v2/alerts?active=true");
            let mut active: Vec<&str> =
                seen.as_array().unwrap().iter().map(|alert| alert["labels"]["severity"].as_str().unwrap()).collect();
            active.sort_unstable();
            active == severities
        });
        assert!(came, "not {severities:?}: {seen:#}");
        seen
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn sink(address: SocketAddr) -> Settings {
    Settings {
        name: "oncall".to_owned(),
        severity: Severity::Info,
        updates: Updates::All,
        timeout: Duration::from_secs(10),
        queue: 100,
        to: To::Alertmanager(settings::Alertmanager {
            http: Http { url: Secret::new(format!("http://{address}/")), headers: Vec::new(), ca: None },
            link: Some("https://vigie.example/".to_owned()),
        }),
    }
}

/// The lines of two alerts of one incident, opening and closing.
fn incident() -> [Vec<Alert>; 2] {
    let at = Timestamp::from_secs(1_617_699_600);
    let flood = sample(AlertKind::SynFlood, Verdict::Attack, "example", at);
    let mut overload = sample(AlertKind::Overload, Verdict::Mixed, "example", at);
    overload.iter_mut().for_each(|alert| alert.incident.clone_from(&flood[0].incident));
    [flood, overload]
}

#[test]
fn alertmanager_receives_groups_and_resolves() {
    if !installed(PROGRAM, "prometheus-alertmanager") {
        return;
    }
    let told = Server::start(|_| 200);
    let manager = Alertmanager::start(told.address);
    let mut sinks = Sinks::start(&[sink(manager.address)], Vec::new(), None, None).unwrap();
    let [flood, overload] = incident();
    let mut tell = |alert: &Alert| sinks.tell(&alert.to_json().unwrap());

    tell(&flood[0]);
    tell(&overload[0]);
    let active = manager.wait_for_active(&["warning", "warning"]);
    let alert = active.as_array().unwrap().iter().find(|alert| alert["labels"]["kind"] == "syn_flood").unwrap();
    assert_eq!(alert["startsAt"], "2021-04-06T09:00:00.000Z");
    assert_eq!(alert["generatorURL"], "https://vigie.example/");
    assert_eq!(alert["labels"]["site"], "example");
    assert_eq!(alert["labels"]["target"], "192.0.2.10/32");
    assert_eq!(alert["annotations"]["description"], flood[0].why.as_str());
    let groups = manager.ask("/api/v2/alerts/groups");
    assert_eq!(groups.as_array().unwrap().len(), 1, "one incident, one group: {groups:#}");
    assert_eq!(groups[0]["labels"]["incident"], flood[0].incident.as_str());
    assert_eq!(groups[0]["alerts"].as_array().unwrap().len(), 2);

    // Severity is a label, so the critical alert is another one for Alertmanager; the one before must not stay.
    let worse = Alert { event: vigie::alert::Event::Update, severity: Severity::Critical, ..flood[0].clone() };
    tell(&worse);
    manager.wait_for_active(&["critical", "warning"]);

    tell(&Alert { severity: Severity::Critical, ..flood[1].clone() });
    tell(&overload[1]);
    manager.wait_for_active(&[]);
    assert!(sinks.finish(PATIENCE).is_empty());

    // It told its own receiver: firing first, and all resolved in the end.
    let mut last = Value::Null;
    let resolved = http::wait_until(PATIENCE, || {
        for request in told.rest() {
            last = serde_json::from_str(&request.body).unwrap();
        }
        last["status"] == "resolved"
    });
    assert!(resolved, "{last:#}");
    assert_eq!(last["groupLabels"]["incident"], flood[0].incident.as_str());
}
