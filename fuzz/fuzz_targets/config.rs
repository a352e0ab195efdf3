//! Any text is a configuration or a list of mistakes, each with its line; one that is accepted can be put to use.
#![no_main]

#[path = "../scratch.rs"]
mod scratch;

use libfuzzer_sys::fuzz_target;
use vigie::config::Config;
use vigie::hash::Seed;

fuzz_target!(|text: &str| {
    let path = scratch::file(text.as_bytes());
    match Config::load(Some(path), std::iter::empty(), &[]) {
        Ok(config) => {
            assert!(!config.print().is_empty());
            let sites = config.sites().len();
            assert!(config.policy().sites().len() >= sites);
            let shard = config.shard(Seed::default(), false);
            assert!(shard.flow_capacity > 0);
            let _ = (config.engine(), config.ring_bytes(), config.evidence(), config.mutes());
        }
        Err(mistakes) => {
            let lines = text.lines().count().max(1) + 1;
            for mistake in &mistakes.0 {
                assert!(mistake.place.line().is_some_and(|line| (1..=lines).contains(&line)), "{mistake}");
            }
        }
    }
});
