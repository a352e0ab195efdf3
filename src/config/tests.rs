use std::io::Write as _;

use super::*;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load(text: &str, flags: &[(&'static str, &str)]) -> Result<Config, Mistakes> {
    let given = |(key, value): &(&'static str, &str)| Given { key, flag: "--flag", values: vec![(*value).to_owned()] };
    let flags: Vec<Given> = flags.iter().map(given).collect();
    Config::load(Some(file(text).path()), [], &flags)
}

fn sites(config: &Config) -> Vec<String> {
    let written = |site: &Site| {
        let prefixes: Vec<String> = site.prefixes.iter().map(ToString::to_string).collect();
        format!("{}: {}", site.name, prefixes.join(" "))
    };
    config.sites().iter().map(written).collect()
}

const SITES: &str = "protect = [\"198.51.100.0/24\", \"192.0.2.0/25=school\"]\n\
    [[site]]\nname = \"school\"\nprefixes = [\"2001:db8::/48\"]\ncapacity = 200\nlogins = [\"203.0.113.10:443\", \"[2001:db8::1]:8443\"]\n";

#[test]
fn sites_are_made_of_protect_and_of_their_own_tables() {
    let config = load(SITES, &[]).unwrap();
    assert_eq!(sites(&config), ["school: 192.0.2.0/25 2001:db8::/48", "198.51.100.0/24: 198.51.100.0/24"]);
    assert_eq!(config.engine().capacity, [("school".to_owned(), 200.0)]);
    let logins = [("203.0.113.10".parse().unwrap(), 443), ("2001:db8::1".parse().unwrap(), 8443)];
    assert_eq!(config.engine().logins, logins);
    assert!(!config.policy().is_learning());
}

#[test]
fn a_flag_replaces_the_prefixes_of_the_file_and_keeps_what_is_known_of_a_site() {
    let config = load(SITES, &[("protect", "203.0.113.0/24=school")]).unwrap();
    assert_eq!(sites(&config), ["school: 203.0.113.0/24"]);
    assert_eq!(config.engine().capacity, [("school".to_owned(), 200.0)]);
}

#[test]
fn one_prefix_belongs_to_one_site() {
    let twice = load("protect = [\"192.0.2.0/24=a\", \"192.0.2.0/24=b\"]", &[]).unwrap_err();
    assert!(twice.to_string().ends_with("192.0.2.0/24 belongs to both `a` and `b`: write it once"), "{twice}");
}

#[test]
fn live_runs_touch_their_memory_and_others_when_they_are_told_to() {
    let touches = |text: &str, live| load(text, &[]).unwrap().shard(crate::hash::Seed::default(), live).pretouch;
    assert_eq!([touches("", true), touches("", false)], [true, false]);
    assert_eq!([touches("touch_memory = true", false), touches("touch_memory = false", true)], [true, false]);
}

#[test]
fn nothing_configured_means_that_traffic_decides() {
    let config = load("", &[]).unwrap();
    assert!(config.policy().is_learning());
    assert_eq!(config, Config::load(None, [], &[]).unwrap());
}

#[test]
fn overseas_codes_belong_to_home_as_configured() {
    let home = |text: &str| {
        let countries = load(text, &[]).unwrap().engine().home;
        countries.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(home("home = \"MA\""), "MA EH");
    assert_eq!(home("home = [\"MA\"]\noverseas = false"), "MA");
    assert_eq!(home("home = [\"FR\"]\noverseas = [\"RE\", \"GP\"]"), "FR RE GP");
    assert_eq!(home("overseas = [\"RE\"]"), "", "without a home nothing is overseas");
}

#[test]
fn what_is_printed_is_read_again() {
    let text = format!("{SITES}[origin]\n\"10.1.0.0/16\" = \"FR\"\n");
    let config = load(&format!("speed = 2.5\nmetrics = \"off\"\nalerts = \"a \\\"b\\\".jsonl\"\n{text}"), &[]).unwrap();
    let again = load(&config.print(), &[]).unwrap();
    assert_eq!(again.values(), config.values());
}

#[test]
fn the_addresses_of_a_proxy_are_of_no_country() {
    let country = |text: &str| {
        let origins = crate::origin::Origins::load(&load(text, &[]).unwrap().origins()).unwrap();
        origins.country("8.8.8.8".parse().unwrap()).to_string()
    };
    assert_eq!(country(""), "US");
    assert_eq!(country("proxies = [\"8.8.8.0/24\"]"), "unknown");
    assert_eq!(country("proxies = [\"8.8.8.0/24\"]\n[origin]\n\"8.8.8.0/24\" = \"FR\""), "FR");
}

const SCHEDULE: &str = "timezone = \"Europe/Paris\"\nholidays = [\"2026-11-11\", \"2026-12-19..2027-01-03\"]\n\
    short_days = [\"wednesday\"]\nenvelope_width = 3.5\n\
    [[site]]\nname = \"school\"\nprefixes = [\"192.0.2.0/24\"]\nexpected_peak = 900\n\
    [[event]]\nsite = \"school\"\nstart = 2026-09-01T09:00:00\nend = \"2026-09-01T12:00+02:00\"\ntimes = 25\n";

#[test]
fn a_schedule_is_read_in_the_time_zone_of_its_users() {
    let config = load(SCHEDULE, &[]).unwrap();
    let engine = config.engine();
    let event = &engine.events[0];
    assert_eq!(event.start.to_string(), "2026-09-01T07:00:00.000000Z");
    assert_eq!(event.end.to_string(), "2026-09-01T10:00:00.000000Z");
    assert_eq!((event.site.as_deref(), event.times), (Some("school"), 25.0));
    assert_eq!((engine.envelope_width, engine.calendar.holidays.len()), (3.5, 2));
    assert_eq!(engine.expected_peak, [("school".to_owned(), 900.0)]);
}

#[test]
fn a_schedule_that_is_printed_is_read_again() {
    let config = load(SCHEDULE, &[]).unwrap();
    let again = load(&config.print(), &[]).unwrap();
    assert_eq!(again.engine().events, config.engine().events);
    assert_eq!((again.timezone, again.holidays, again.site), (config.timezone, config.holidays, config.site));
}

#[test]
fn mistakes_in_a_schedule_say_what_to_write() {
    let complained = |text: &str, part: &str| {
        let told = load(text, &[]).unwrap_err().to_string();
        assert!(told.contains(part), "`{part}` is not in {told}");
    };
    complained("timezone = \"Paris\"", "write a name such as Europe/Paris");
    complained("holidays = [\"Christmas\"]", "write a day such as 2026-11-11");
    complained("weekend = [\"sonntag\"]", "no day of the week");
    complained("[[event]]\nstart = \"2026-09-01T09:00\"", "an [[event]] needs start, end and times");
    complained("[[event]]\nstart = \"nine\"\nend = \"ten\"\ntimes = 2", "`nine` is no moment");
    complained("[[event]]\nstart = 2026-09-01T09:00:00\nend = 2026-09-01T08:00:00\ntimes = 2", "not after its start");
    complained(
        "[[event]]\nsite = \"scool\"\nstart = 2026-09-01T09:00:00\nend = 2026-09-01T10:00:00\ntimes = 2",
        "`scool` is not protected",
    );
    complained("[[event]]\nstart = 2026-09-01T09:00:00\nend = 2026-09-01T10:00:00\ntimes = 0.5", "from 1 to 10000");
}

const SINKS: &str = "timezone = \"Europe/Paris\"\nstate = \"/var/lib/vigie\"\n\
    [[sink]]\nname = \"siem\"\ntype = \"syslog\"\naddress = \"tls://[2001:db8::1]\"\nupdates = \"none\"\n\
    [[sink]]\nname = \"page\"\ntype = \"exec\"\ncommand = [\"page\", \"a, b\"]\nseverity = \"critical\"\ntimeout_seconds = 2.5\n\
    [[mute]]\nkind = \"port_scan, host_sweep\"\nfrom = 2026-12-05T20:00:00\ndays = [\"sunday\"]\nhours = \"22:00-04:00\"\n";

#[test]
fn sinks_that_are_printed_are_read_again() {
    let config = load(SINKS, &[]).unwrap();
    let again = load(&config.print(), &[]).unwrap();
    assert_eq!(again.print().lines().filter(|line| line.contains("sink =")).count(), 1);
    assert_eq!((again.mutes(), again.spool_folder()), (config.mutes(), config.spool_folder()));
    assert!(config.print().contains("command = [\"page\", \"a, b\"]"), "{}", config.print());
    assert!(config.print().contains("address = \"tls://[2001:db8::1]:6514\""), "{}", config.print());
    assert!(config.values().iter().all(|(name, _)| name != "sink"), "a report is passed around");
}

#[test]
fn a_mute_is_on_the_clocks_of_the_time_zone() {
    let mute = &load(SINKS, &[]).unwrap().mutes()[0];
    assert_eq!(mute.from.unwrap().to_string(), "2026-12-05T19:00:00Z");
    let text = "kind port_scan or host_sweep, since 2026-12-05T19:00:00Z, at sunday 22:00-04:00";
    assert_eq!(mute.to_string(), text);
}

#[test]
fn the_spool_lies_in_the_state_unless_it_is_named() {
    let folder = |text: &str| load(text, &[]).unwrap().spool_folder().map(|path| path.display().to_string());
    assert_eq!(folder(""), None);
    assert_eq!(folder("state = \"/a\"").as_deref(), Some("/a/spool"));
    assert_eq!(folder("state = \"/a\"\nspool = \"/b\"").as_deref(), Some("/b"));
}

#[test]
fn mistakes_in_sinks_say_what_to_write() {
    let complained = |text: &str, part: &str| {
        let told = load(text, &[]).unwrap_err().to_string();
        assert!(told.contains(part), "`{part}` is not in {told}");
    };
    complained("[[sink]]\nname = \"a\"", "a [[sink]] needs a type");
    complained("[[sink]]\ntype = \"slack\"\nurl = \"http://x\"", "needs a name");
    complained("[[sink]]\nname = \"a\"\ntype = \"slack\"", "slack needs url");
    complained("[[sink]]\nname = \"jsonl\"\ntype = \"slack\"\nurl = \"http://x\"", "write another name");
    complained("[[sink]]\nname = \"a\"\ntype = \"exec\"\ncommand = \"page\"", "not a list of a program");
    complained("[[sink]]\nname = \"a\"\ntype = \"slack\"\nurl = { fil = \"x\" }", "did you mean `file`?");
    complained("[[sink]]\nname = \"a\"\ntype = \"slack\"\nurl = \"http://x\"\nsecret = \"x\"", "unknown key `secret`");
    let sink = "[[sink]]\nname = \"a\"\ntype = \"exec\"\ncommand = [\"x\"]\n";
    complained(&format!("{sink}{sink}"), "two sinks are called `a`");
    complained(&sink.repeat(16), "16 sinks are more than 15");
    complained("[[mute]]\nkind = \"zzz\"", "write one of syn_flood");
    complained("[[mute]]\nhours = \"9-10\"", "two times of the day");
    complained("[[mute]]\nfrom = 2026-12-05T20:00:00\nuntil = 2026-12-05T19:00:00", "ends before it begins");
    complained("[[mute]]\nseverity_below = \"info\"", "write `warning` or `critical`");
}

const PROTECTED: &str = "[http]\ntoken = { file = \"/run/token\" }\nuser = \"noc\"\npassword = \"hunter2\"\n";

#[test]
fn what_protects_the_endpoint_is_printed_without_its_secrets() {
    let printed = load(PROTECTED, &[]).unwrap().print();
    let line = printed.lines().find(|line| line.starts_with("http = ")).unwrap();
    let expected = "http = { token = { file = \"/run/token\" }, user = \"noc\", password = \"set, not shown\" }";
    assert!(line.starts_with(expected), "{line}");
    assert!(!load(PROTECTED, &[]).unwrap().values().iter().any(|(name, _)| name == "http"));
}

#[test]
fn what_protects_the_endpoint_only_in_pairs_is_asked_for_in_pairs() {
    let said = |text: &str| load(text, &[]).unwrap_err().to_string();
    assert!(said("[http]\nuser = \"noc\"\n").contains("has a user and no password: write both"));
    assert!(said("[http]\nkey = \"key.pem\"\n").contains("has a key and no certificate: write both"));
    assert!(said("[http]\nuser = \"a:b\"\npassword = \"x\"\n").contains("without a colon"));
    assert!(said("[http]\ntokn = \"x\"\n").contains("did you mean `token`?"));
    let missing = load("[http]\ntoken = { env = \"VIGIE_TEST_NOT_SET\" }\n", &[]).unwrap().http().unwrap_err();
    assert!(missing.to_string().contains("[http] token: the variable VIGIE_TEST_NOT_SET is not set"), "{missing}");
}

#[test]
fn variables_that_others_read_are_no_mistakes() {
    let set = |name: &str| Config::load(None, [(name.to_owned(), "debug".to_owned())], &[]);
    for name in [CONFIG_VARIABLE, LOG_VARIABLE] {
        assert!(set(name).is_ok(), "{name}");
    }
    assert!(set("VIGIE_LANGE").unwrap_err().to_string().contains("did you mean VIGIE_LANG?"));
}

#[test]
fn each_core_counts_beside_one_thread_that_captures() {
    let threads = |cores| Config::threads_for(NonZeroUsize::new(cores).unwrap()).get();
    assert_eq!([threads(1), threads(2), threads(8), threads(64), threads(usize::MAX)], [1, 3, 9, 64, 64]);
}
