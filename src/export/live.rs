//! The board's facts, as the live page and the terminal take them.

use std::sync::Arc;
use std::time::Duration;

use crate::alert::Alert;
use crate::export::board::{Board, Phase, Shown, Sight};
use crate::report::live::{Health, Live, Stage, Window};

/// Collects what the board shows; without a window, as much as there is.
#[must_use]
pub fn facts(board: &Board, window: Option<Window>) -> Live {
    let sight = board.see();
    let (shown, sites, health) = board.of_hour(|hour| {
        let shown = window.unwrap_or_else(|| hour.window());
        (shown, hour.sites(shown), hour.health())
    });
    let alerts = |shown: &[Shown]| shown.iter().map(|shown| Arc::clone(&shown.alert)).collect::<Vec<Arc<Alert>>>();
    let status = sight.status.as_deref();
    Live {
        stage: stage(&sight),
        until: status.and_then(|status| status.packet_time),
        window: shown,
        chosen: window.is_some(),
        sites,
        open: alerts(&sight.open),
        closed: alerts(&sight.closed),
        health: Health {
            lag: status.and_then(|status| status.lag_seconds).map(Duration::from_secs_f64),
            discarded: status.map_or_else(Vec::new, |status| {
                status.discarded.iter().map(|(reason, count)| (*reason, *count)).collect()
            }),
            ..health
        },
        protected: status.map_or_else(Vec::new, |status| {
            status.sites.iter().map(|site| (Arc::clone(&site.name), site.prefixes.clone())).collect()
        }),
        learning: status.is_some_and(|status| status.learning),
        home: status.and_then(|status| status.home.clone()),
        detectors: status.map_or_else(Vec::new, |status| status.detectors.clone()),
    }
}

fn stage(sight: &Sight) -> Stage {
    match (&sight.phase, sight.stalled) {
        (_, Some(_)) => Stage::Stalled,
        (Phase::Starting, _) => Stage::Starting,
        (Phase::Running, _) => Stage::Running,
        (Phase::Ended, _) => Stage::Ended,
        (Phase::Failed(reason), _) => Stage::Failed(reason.clone()),
    }
}
