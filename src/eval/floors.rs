//! What must not be lost again: floors under the figures of a run, for the test command. They lie below what was measured
//! by the chance of a small run, and are raised when the figures rise; targets are in [`crate::eval::sheet::targets`].

use crate::eval::sheet::Sheet;
use crate::eval::world::Group;
use crate::kind::AlertKind;

/// Cases below which a floor says nothing.
const LEAST_CASES: usize = 3;

/// Attacks at the ordinary rate and above that flow data proves by themselves.
const PROVEN: [AlertKind; 2] = [AlertKind::SynFlood, AlertKind::ForeignSurge];

/// Returns a sentence for each floor that is not held.
#[must_use]
pub fn broken(sheet: &Sheet) -> Vec<String> {
    let mut broken = Vec::new();
    for kind in PROVEN {
        let rows = sheet.recall.iter().filter(|row| row.group == Group::Attack && row.kind == kind);
        let (events, found) = rows
            .filter(|row| row.rate.is_some_and(|rate| rate >= 1.0))
            .fold((0, 0), |sum, row| (sum.0 + row.events, sum.1 + row.found));
        hold(&mut broken, &format!("{kind} found at 1x and above"), found, events, 0.9);
    }
    let (rushes, silent, spared) = sheet
        .surges
        .iter()
        .fold((0, 0, 0), |sum, row| (sum.0 + row.rushes, sum.1 + row.silent, sum.2 + row.not_blamed));
    hold(&mut broken, "rushes without a false alarm", silent, rushes, 0.95);
    hold(&mut broken, "rushes never called an attack", spared, rushes, 0.95);
    let precision = &sheet.precision;
    hold(&mut broken, "alerts about something that happened", precision.right, precision.alerts, 0.95);
    let (found, right) = sheet.verdicts.iter().fold((0, 0), |sum, row| (sum.0 + row.count, sum.1 + row.right));
    hold(&mut broken, "verdicts right", right, found, 0.9);
    hold(
        &mut broken,
        "forged sources without a country",
        sheet.origins.forged - sheet.origins.forged_but_named,
        sheet.origins.forged,
        1.0,
    );
    broken
}

fn hold(broken: &mut Vec<String>, what: &str, part: usize, of: usize, least: f64) {
    if of >= LEAST_CASES && (part as f64) < least * of as f64 {
        broken.push(format!("{what}: {part} of {of}, and at least {:.0} % is the floor", 100.0 * least));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_held_by_its_share_and_not_asked_of_few() {
        let told = |part, of| {
            let mut broken = Vec::new();
            hold(&mut broken, "things", part, of, 0.9);
            broken
        };
        assert!(told(9, 10).is_empty() && told(0, 2).is_empty());
        assert_eq!(told(8, 10), ["things: 8 of 10, and at least 90 % is the floor"]);
    }
}
