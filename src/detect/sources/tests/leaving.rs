use super::*;

const SERVER: &str = "203.0.113.10";
const OUTSIDE: &str = "198.51.100.7";
const MIB: u64 = 1 << 20;

/// A conversation at the world's present time.
fn carries(world: &World, source: &str, target: &str, stage: ContactStage, received: u64) -> Contact {
    Contact {
        at: Tick::new(world.tick + 1).start(),
        received: Volume { packets: received / 1_400 + 1, bytes: received },
        ..talk(address(source), address(target), 443, stage)
    }
}

/// Two hundred clients that fetch some megabytes each.
fn crowd(world: &mut World) {
    for n in 0..200_u64 {
        let client = format!("192.0.{}.{}", 2 + n / 100, n % 100 + 1);
        let contact = carries(world, &client, SERVER, ContactStage::Settled, 10_000 + (n * 7_919) % 3_900_000);
        world.tick(Vec::new(), vec![contact]);
    }
}

/// Bytes that had left when a warning came; one client fetches at `bits_per_second` over one conversation.
fn stolen_before_a_warning(bits_per_second: u64) -> Option<u64> {
    let mut world = World::new();
    crowd(&mut world);
    let ticks = 4 * MIB * 8 * 4 / bits_per_second;
    let began = world.tick;
    for chunk in 1..=1_200 {
        let mut findings = Vec::new();
        (1..ticks.max(1)).for_each(|_| findings.extend(world.tick(Vec::new(), Vec::new())));
        let age_ms = u32::try_from((world.tick - began) * 250).unwrap();
        let progress = Contact { age_ms, ..carries(&world, OUTSIDE, SERVER, ContactStage::Progress, 4 * MIB) };
        findings.extend(world.tick(Vec::new(), vec![progress]));
        if findings.iter().any(|f| f.kind == AlertKind::Exfiltration && f.fires() && f.severity == Severity::Warning) {
            assert_eq!(findings[0].target.prefix.unwrap().to_string(), "203.0.113.10/32");
            assert_eq!(findings[0].sources[0].address, address(OUTSIDE));
            return Some(chunk * 4 * MIB);
        }
    }
    None
}

#[test]
fn a_client_that_fetches_gigabytes_is_found_before_one_has_left() {
    for bits_per_second in [2_000_000, 20_000_000, 200_000_000] {
        let stolen = stolen_before_a_warning(bits_per_second).unwrap();
        assert!(stolen < 1_000_000_000, "{stolen} bytes at {bits_per_second} bit/s");
    }
}

/// Returns the minute at which forty conversations at once from one address of a country are a warning.
fn forty_at_once(country: &str) -> Option<u32> {
    let mut world = World::new();
    crowd(&mut world);
    for minute in 0..20 {
        for pupil in 0..40_u32 {
            // Every pupil's conversation began at a time of its own.
            let age_ms = minute * 60_000 + pupil * 1_313 + 20_000;
            let progress = carries(&world, OUTSIDE, SERVER, ContactStage::Progress, 8 * MIB);
            let progress = Contact { age_ms, country: country.parse().unwrap(), ..progress };
            if !loud(&world.tick(Vec::new(), vec![progress])).is_empty() {
                return Some(minute);
            }
        }
        (0..200).for_each(|_| _ = world.tick(Vec::new(), Vec::new()));
    }
    None
}

#[test]
fn a_class_behind_one_address_that_watches_a_film_is_no_theft() {
    assert_eq!(forty_at_once("FR"), None);
}

#[test]
fn many_conversations_at_once_with_one_address_abroad_are_one_machine() {
    assert!(forty_at_once("NL").is_some_and(|minute| minute <= 2), "{:?}", forty_at_once("NL"));
}

#[test]
fn where_all_clients_fetch_as_much_none_stands_out() {
    let mut world = World::new();
    for round in 0..100 {
        for n in 0..40 {
            let client = format!("192.0.2.{}", n + 1);
            let progress = carries(&world, &client, SERVER, ContactStage::Progress, 8 * MIB);
            assert!(loud(&world.tick(Vec::new(), vec![progress])).is_empty(), "round {round}");
        }
    }
}

#[test]
fn thousands_of_like_documents_are_found_by_their_number() {
    let mut world = World::new();
    crowd(&mut world);
    let mut found = None;
    for n in 0..6_100_u64 {
        let document = carries(&world, OUTSIDE, SERVER, ContactStage::Settled, 45_000 + n % 9_000);
        if !loud(&world.tick(Vec::new(), vec![document])).is_empty() {
            found = Some(n);
            break;
        }
    }
    assert!(found.is_some_and(|n| n <= 5_200), "{found:?}");
}

/// Connects outwards with the given pauses in ticks; returns what fired.
fn connects(world: &mut World, host: &str, pauses: impl IntoIterator<Item = u64>) -> Vec<Finding> {
    let mut fired = Vec::new();
    for pause in pauses {
        (1..pause).for_each(|_| fired.extend(world.tick(Vec::new(), Vec::new())));
        let contact = carries(world, host, OUTSIDE, ContactStage::Settled, 900);
        fired.extend(world.tick(Vec::new(), vec![contact]));
    }
    fired.retain(|finding| finding.kind == AlertKind::Beacon && finding.fires());
    fired
}

#[test]
fn connections_like_clockwork_are_a_beacon_quiet_at_first_and_loud_after_six_hours() {
    let mut world = World::new();
    let fired = connects(&mut world, "203.0.113.66", (0..100).map(|n| 240 + n % 3));
    assert!(!fired.is_empty() && loud(&fired).is_empty());
    assert_eq!(fired[0].target.prefix.unwrap().to_string(), "203.0.113.66/32");
    let fired = connects(&mut world, "203.0.113.66", (0..300).map(|n| 240 + n % 3));
    assert_eq!(loud(&fired), [(AlertKind::Beacon, "203.0.113.66/32".to_owned())]);
}

#[test]
fn people_and_common_services_are_no_beacon() {
    let mut state = 3_u64;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1 + (state >> 33) % 480
    });
    assert!(connects(&mut World::new(), "203.0.113.66", random.take(200)).is_empty());
    let mut world = World::new();
    let hosts = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5", "203.0.113.6"];
    let mut fired = Vec::new();
    for _ in 0..60 {
        for host in hosts {
            fired.extend(connects(&mut world, host, [40]));
        }
    }
    assert!(fired.is_empty(), "{}", fired.len());
}

fn fortnight(saved: Option<Saved>) -> (World, Saved) {
    let mut world = World::new();
    if let Some(saved) = saved {
        assert!(world.sources.import(saved));
    }
    for n in 0..40_u64 {
        let client = format!("192.0.2.{}", n + 1);
        let served = carries(&world, &client, SERVER, ContactStage::Verified, 900);
        world.tick(Vec::new(), vec![served]);
    }
    let saved = world.sources.export();
    world.tick += 15 * 86_400 * 4;
    (world, saved)
}

#[test]
fn a_silent_servers_first_connection_is_told_after_a_fortnight() {
    let (mut world, saved) = fortnight(None);
    let first = carries(&world, SERVER, OUTSIDE, ContactStage::Settled, 900);
    let findings = world.tick(Vec::new(), vec![first]);
    assert_eq!(loud(&findings), [(AlertKind::NewOutbound, "203.0.113.10/32".to_owned())]);
    // The same after a restart: what was saved is known.
    let mut restarted = World::new();
    assert!(restarted.sources.import(saved));
    restarted.tick += 15 * 86_400 * 4;
    let findings = restarted.tick(Vec::new(), vec![first]);
    assert_eq!(loud(&findings), [(AlertKind::NewOutbound, "203.0.113.10/32".to_owned())]);
    assert!(restarted.sources.new_outbound_armed().since.is_some());
}

#[test]
fn a_server_that_fetches_its_updates_is_not_told_of() {
    let (mut world, _) = fortnight(None);
    let mut young = World::new();
    let first = carries(&young, SERVER, OUTSIDE, ContactStage::Settled, 900);
    assert!(young.tick(Vec::new(), vec![first]).is_empty(), "watched for no time at all");
    assert!(young.sources.new_outbound_armed().since.is_none());
    let names =
        Contact { port: 53, protocol: Protocol::UDP, ..carries(&world, SERVER, OUTSIDE, ContactStage::Settled, 90) };
    assert!(world.tick(Vec::new(), vec![names]).is_empty(), "name services do not count");
}

#[test]
fn a_host_that_sends_far_more_than_its_usual_hour_is_told_of_once_that_is_known() {
    let hour = 14_400;
    let mut world = World::new();
    let send = |world: &World, target: &str, stage, bytes: u64| {
        let contact = carries(world, SERVER, target, stage, 900);
        Contact { sent: Volume { packets: bytes / 1_400 + 1, bytes }, ..contact }
    };
    for _ in 0..48 {
        let contact = send(&world, "192.0.2.1", ContactStage::Settled, 2_000_000);
        world.tick(Vec::new(), vec![contact]);
        world.tick += hour - 1;
    }
    let mut loudest = Vec::new();
    let mut sent = 0;
    while loudest.is_empty() && sent < 2_000_000_000 {
        let contact = send(&world, "8.8.4.4", ContactStage::Progress, 4 * MIB);
        sent += 4 * MIB;
        loudest.extend(loud(&world.tick(Vec::new(), vec![contact])));
    }
    assert_eq!(loudest, [(AlertKind::Exfiltration, "203.0.113.10/32".to_owned())]);
    assert!(sent < 520_000_000, "{sent}");
}

#[test]
fn many_sources_that_fail_once_each_are_credential_stuffing() {
    let settings = Settings { logins: vec![(address(SERVER), 443)], ..Settings::default() };
    let mut world = World::with(settings);
    let mut loudest = Vec::new();
    for n in 0..36_000_u32 {
        let mut contacts = Vec::new();
        if n % 12 == 0 {
            let client = Address::v4((0x5000_0000 + n).to_be_bytes()).to_string();
            let received = if n % 96 == 0 { 3_000 } else { 90_000 };
            contacts.push(carries(&world, &client, SERVER, ContactStage::Settled, received));
        }
        if n > 14_400 && n % 10 == 0 {
            let robot = Address::v4((0x2000_0000 + n * 257).to_be_bytes()).to_string();
            contacts.push(carries(&world, &robot, SERVER, ContactStage::Settled, 4_100));
        }
        let findings = world.tick(Vec::new(), contacts);
        assert!(n > 14_400 || loud(&findings).is_empty(), "at {n}");
        loudest.extend(loud(&findings));
    }
    loudest.dedup();
    assert_eq!(loudest, [(AlertKind::CredentialStuffing, "203.0.113.10/32".to_owned())]);
}
