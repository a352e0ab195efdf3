//! FC-1: does a surge of verified connections behave like people or like robots (DETECTION 4.2 and 0.2)?
//!
//! Method: evidence weights in nats, each capped at 3, judged on the excess against the subject's own normal: how much the
//! leading shape of the excess exceeds its usual share, how far the two mixtures lie apart, how evenly sources share the
//! connections compared with usual, and how suddenly it came. `J = sum / sqrt(available / 6)`: at least 4 is robotic, at
//! most -4 is a crowd. The slopes are starting values.
//!
//! Sources: Yu et al. 2012 (robots' flows resemble each other), Jung et al. 2002 (crowds look like the usual clients).
//!
//! Blind spots: robots with human-like variety stay undetermined, by design.

use crate::detect::finding::{Figure, FigureName as F};
use crate::detect::view::figure;
use crate::window::shapes::Shapes;

/// `J` from which a surge is robotic, and its negative from which it is a crowd.
pub const DECISIVE: f64 = 4.0;

/// Largest weight of one feature in nats.
const CAP: f64 = 3.0;

/// How a surge behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// Evidence in nats: positive for robots.
    pub nats: f64,
    /// Connections of the surge that were judged.
    pub connections: f64,
    /// The figures behind it.
    pub figures: Vec<Figure>,
}

/// Judges the connections in `surge`, of which `usual_part` (0 to 1) is usual; `reference` is the mixture to fall
/// back on. `None` while too few connections have shown their shape.
#[must_use]
pub fn judge(surge: &Shapes, reference: &Shapes, usual_part: f64, rise_seconds: Option<f64>) -> Option<Behaviour> {
    let likeness = surge.likeness(usual_part, reference)?;
    let ratio = likeness.top_share / likeness.usual_share;
    let mut weights = vec![3.0 * (ratio.max(0.05).log2() - 1.0), 3.0 * (likeness.divergence - 0.35) / 0.2];
    let mut figures = vec![figure(F::TopShapeShare, likeness.top_share, Some(likeness.usual_share))];
    // Where every source connects once there is no spread to compare.
    let usual = surge.usual_spread().or_else(|| reference.usual_spread()).filter(|usual| *usual > 0.2);
    if let (Some(spread), Some(usual)) = (surge.current_spread(), usual) {
        weights.push(2.0 * (0.8 - spread / usual) / 0.3);
        figures.push(figure(F::SourceSpreadRatio, spread, Some(usual)));
    }
    if let Some(seconds) = rise_seconds {
        weights.push(if seconds < 3.0 {
            1.5
        } else if seconds > 60.0 {
            -1.0
        } else {
            0.0
        });
        figures.push(figure(F::OnsetSeconds, seconds, None));
    }
    let sum: f64 = weights.iter().map(|weight| weight.clamp(-CAP, CAP)).sum();
    let nats = sum / (weights.len() as f64 / 6.0).sqrt();
    figures.insert(0, figure(F::BehaviourNats, nats, None));
    Some(Behaviour { nats, connections: likeness.connections, figures })
}
