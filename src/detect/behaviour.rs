//! FC-1: does a surge of verified connections behave like people or like robots (DETECTION 4.2 and 0.2)?
//!
//! Method: eleven features as evidence weights in nats, positive for robots, each capped at 3. They are judged on the excess
//! against the subject's own normal: sums over sources and shapes now, less the usual ones. `J = sum / sqrt(available / 6)`:
//! at least 4 is robotic, at most -4 is a crowd. Robotic needs more than a sudden, new or foreign crowd can show: a shape
//! of its own that leads the excess, brought by systems of one kind as far as that can be told, or again and again by
//! machines of any, or sources that are even and regular. The slopes are starting values.
//!
//! Sources: Yu et al. 2012 (robots' flows resemble each other), Jung et al. 2002 (crowds look like the usual clients and
//! come from networks seen before), Chen & Heidemann 2005 (people give up on a server that does not answer).
//!
//! Blind spots: robots with human-like variety stay undetermined, by design, and so do those at home that come with the systems
//! that users have, in the same proportions, unless they are even and regular; where all users run the same system, many people
//! who all open one new page look like robots by their shape.

use crate::detect::finding::{Figure, FigureName as F};
use crate::detect::view::figure;
use crate::window::mixture::{Likeness, Mixture, Sample, comparable, likeness};
use crate::window::rise::Onset;
use crate::window::sources::SourceSums;
use crate::window::stacks::{self, OneKind};
use crate::window::stratum::{Comparison, Makers};

/// `J` from which a surge is robotic, and its negative from which it is a crowd.
pub const DECISIVE: f64 = 4.0;

/// Largest weight of one feature in nats.
const CAP: f64 = 3.0;

/// Weight of the leading shape from which the surge has a shape of its own.
const OWN_SHAPE: f64 = 1.0;

/// Part of the leading shape that systems of one kind must have brought, half a standard error aside: of a tool's shape they
/// bring all, of what people all open none.
const BY_ONE_SYSTEM: f64 = 0.75;

/// Part of the leading shape from which it is mostly opened again and again.
const MOSTLY_REPEATED: f64 = 0.5;

/// Part of the leading shape's requests that are alike to the byte, from which one program makes them.
const ONE_PROGRAM: f64 = 0.9;

/// Part of the excess from which a shape leads it (DETECTION 4.2, feature 4).
const LEADS: f64 = 0.4;

/// Part of the excess that a leading shape is taken to be at least.
const LEAST_LEADING: f64 = 0.05;

/// Sources in excess from which they are compared, and the part of the usual ones they must be.
const LEAST_SOURCES: f64 = 25.0;
const LEAST_PART: f64 = 0.2;

/// Age of a surge from which a window of ten seconds is full of it.
const FULL_WINDOW: f64 = 11.0;

/// A surge to be judged.
#[derive(Clone, Debug)]
pub struct Surge<'a> {
    /// Its window beside what is usual.
    pub comparison: &'a Comparison,
    /// The usual mixture to borrow while the stratum has none of its own.
    pub borrowed: &'a Mixture,
    /// The usual proportions of systems to borrow.
    pub borrowed_stacks: &'a stacks::Usual,
    /// The window of the other stratum, while that surges too.
    pub control: Option<&'a Sample>,
    /// Which part of its connections is usual, 0 to 1.
    pub usual_part: f64,
    /// By how much growth that is explained otherwise multiplies its usual sources, at least 1.
    pub growth: f64,
    /// How it rose.
    pub onset: Option<Onset>,
    /// Whose connections they are.
    pub whose: Whose,
    /// The server keeps up, so that the size of its responses says something.
    pub healthy: bool,
    /// First attempts now as a part of those when the server began to fail; `None` while it does not fail.
    pub reaction: Option<f64>,
    /// Served networks are known for so long that a new one says something.
    pub networks_are_known: bool,
}

/// Whose connections are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Whose {
    /// Those from home.
    Home,
    /// Those from abroad.
    Abroad,
    /// Both together.
    All {
        /// The alarm ratio of the test for foreign surges, halved: 0.5 is the alert line. `None` while home is unknown.
        foreign_score: Option<f64>,
    },
}

/// How a surge behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// Evidence in nats: positive for robots.
    pub nats: f64,
    /// Connections of the surge that were judged.
    pub connections: f64,
    /// Evidence in decades that its leading shape is no chance.
    pub decades: f64,
    /// Sources of the surge, estimated.
    pub sources: f64,
    /// Its leading shape is what clients of all kinds of systems opened, in the usual proportions, and not again and again.
    pub is_of_people: bool,
    /// The figures behind it.
    pub figures: Vec<Figure>,
    /// The weight of each feature, in nats.
    pub weights: Vec<(&'static str, f64)>,
}

impl Behaviour {
    /// Tells whether it is robots.
    #[must_use]
    pub fn is_robotic(&self) -> bool {
        self.nats >= DECISIVE && self.has_quality()
    }

    /// Tells whether it is people.
    #[must_use]
    pub fn is_human(&self) -> bool {
        self.nats <= -DECISIVE
    }

    /// A shape of its own, or sources both even and regular: what suddenness, novelty and country cannot stand for.
    fn has_quality(&self) -> bool {
        let weight = |name| self.weights.iter().find(|(of, _)| *of == name).map_or(0.0, |(_, weight)| *weight);
        (weight("weight_shape") >= OWN_SHAPE && !self.is_of_people)
            || (weight("weight_evenness") >= 1.0 && weight("weight_regularity") >= 1.0)
    }
}

/// Judges a surge. `None` while too few connections have shown their shape.
#[must_use]
pub fn judge(surge: &Surge<'_>) -> Option<Behaviour> {
    let comparison = surge.comparison;
    let likeness = likeness(&comparison.sample, &comparison.mixture, surge.borrowed, surge.control, surge.usual_part)?;
    let mut features = Features::default();
    features.shapes(&likeness);
    if let Some(usual) = &comparison.usual_sources {
        features.sources(surge, &comparison.sources, usual);
    }
    features.moment(surge, &likeness);
    let usual = comparable(&comparison.mixture, surge.borrowed);
    let makers = comparison.makers(|cell| likeness.leading.has(usual, cell));
    features.requests(surge, &makers, &likeness);
    let weights = features.weights;
    let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let nats = sum / (weights.len() as f64 / 6.0).sqrt();
    let mut figures = vec![figure(F::BehaviourNats, nats, None)];
    figures.extend(features.figures);
    let systems = systems_of_leading(surge, &likeness, &makers, usual);
    let is_of_people = systems.is_some_and(|one| one.share + 0.5 * one.error < BY_ONE_SYSTEM)
        && makers.repeated < MOSTLY_REPEATED
        && !is_one_program(surge, &makers);
    figures.extend(systems.map(|one| figure(F::OneSystemShare, one.share, None)));
    let sources = (1.0 - surge.usual_part.clamp(0.0, 1.0)) * comparison.sources.sources;
    let (connections, decades) = (likeness.connections, likeness.decades);
    Some(Behaviour { nats, connections, decades, sources, is_of_people, figures, weights })
}

/// Tells whether one program makes the requests of the leading shape. At home that program may be the app of the service
/// itself, which a class or a country opens at once.
fn is_one_program(surge: &Surge<'_>, makers: &Makers) -> bool {
    surge.whose == Whose::Abroad && makers.identical.is_some_and(|identical| identical >= ONE_PROGRAM)
}

/// Returns how much of the leading shape systems of one kind have brought: of those connections where enough of them are told,
/// else of the whole excess at most.
fn systems_of_leading(surge: &Surge<'_>, likeness: &Likeness, makers: &Makers, usual: &Mixture) -> Option<OneKind> {
    let comparison = surge.comparison;
    let expected = likeness.leading.usual_share(usual) * surge.usual_part.clamp(0.0, 1.0) * comparison.sample.total();
    let own = makers.stacks.one_kind_of_some(&comparison.usual_stacks, surge.borrowed_stacks, expected);
    let of_all = || {
        let one = comparison.stacks.one_kind(&comparison.usual_stacks, surge.borrowed_stacks, surge.growth)?;
        let part = likeness.top_share.max(LEAST_LEADING);
        Some(OneKind { share: (one.share / part).min(1.0), error: one.error / part })
    };
    own.or_else(of_all)
}

/// What speaks for robots and what for people.
#[derive(Debug, Default)]
struct Features {
    weights: Vec<(&'static str, f64)>,
    figures: Vec<Figure>,
}

impl Features {
    fn weigh(&mut self, name: &'static str, nats: f64, figure: Figure) {
        self.weights.push((name, nats.clamp(-CAP, CAP)));
        self.figures.push(figure);
    }

    /// 4, signature concentration: the leading shape must both lead the excess and be rare usually. A crowd that opens
    /// what everybody opens, and one that opens one new page among others, are neither.
    fn shapes(&mut self, likeness: &Likeness) {
        let ratio = (likeness.top_share / likeness.usual_share).max(0.05);
        let unusual = 3.0 * (ratio.log2() - 1.0);
        let leads = 3.0 * (likeness.top_share - LEADS) / 0.2;
        let figure_of_shape = figure(F::TopShapeShare, likeness.top_share, Some(likeness.usual_share));
        self.weigh("weight_shape", if unusual > 0.0 { unusual.min(leads) } else { unusual }, figure_of_shape);
        let distance = 3.0 * (likeness.divergence - 0.35) / 0.2;
        self.weigh("weight_mixture", distance, figure(F::ShapeDivergence, likeness.divergence, None));
    }

    /// 11, requests alike to the byte, where one shape leads: a program's. Those that differ say nothing: a program may vary.
    fn requests(&mut self, surge: &Surge<'_>, makers: &Makers, likeness: &Likeness) {
        self.figures.extend(makers.identical.map(|identical| figure(F::IdenticalRequestShare, identical, None)));
        if is_one_program(surge, makers) && likeness.top_share >= LEADS {
            self.weights.push(("weight_identity", CAP));
        }
    }

    /// 1, 2, 3, 5 and 10: what the sources of the excess do, each against the usual sources.
    fn sources(&mut self, surge: &Surge<'_>, now: &SourceSums, usual: &SourceSums) {
        let usual = &usual.times(surge.growth);
        let excess = now.beyond(usual);
        if surge.networks_are_known && excess.sources >= LEAST_SOURCES {
            let (new, before) = (excess.new_networks / excess.sources, usual.new_networks / usual.sources.max(1.0));
            // Where strangers are usual they say nothing for robots, and regulars always speak for people.
            let nats = 3.0 * (new - 0.4) / 0.3 * if new > 0.4 { (1.0 - before / 0.4).max(0.0) } else { 1.0 };
            self.weigh("weight_novelty", nats, figure(F::NewNetworkShare, new, Some(before)));
        }
        let full = surge.onset.is_some_and(|onset| onset.age_seconds >= FULL_WINDOW);
        let enough = excess.single >= LEAST_SOURCES.max(LEAST_PART * usual.single) && excess.mean().is_some();
        if full && enough && usual.single >= LEAST_SOURCES {
            self.rates(&excess, usual);
        }
        if let Some(spread) = excess.gap_spread() {
            // A site whose usual clients are regular, such as an app that polls, sets its own measure.
            let usual_spread = usual.gap_spread().unwrap_or(1.0).min(1.0);
            // Regular gaps are a machine's. Irregular ones are less of a proof: a tool of many threads waits for answers.
            let nats = (2.0 * (0.6 - spread / usual_spread) / 0.3).max(-2.0);
            self.weigh("weight_regularity", nats, figure(F::GapSpreadRatio, spread, usual.gap_spread()));
        }
        if full && excess.aged >= LEAST_SOURCES.max(LEAST_PART * usual.aged) && usual.aged >= LEAST_SOURCES {
            let (deep, before) = (excess.deep / excess.aged, usual.deep / usual.aged);
            if before >= 0.1 {
                let nats = 3.0 * (0.5 - deep / before) / 0.3;
                self.weigh("weight_depth", nats, figure(F::DeepShare, deep, Some(before)));
            }
        }
    }

    fn rates(&mut self, excess: &SourceSums, usual: &SourceSums) {
        if let (Some(mean), Some(before)) = (excess.mean(), usual.mean()) {
            let ratio = mean / before;
            let nats = if ratio > 1.5 { 2.0 * ratio.log2() - 1.0 } else { -1.0 };
            self.weigh("weight_rate", nats, figure(F::ConnectionsPerSource, mean, Some(before)));
        }
        // Where every source connects once there is no spread to compare.
        if let (Some(spread), Some(before)) = (excess.spread(), usual.spread().filter(|usual| *usual > 0.2)) {
            let nats = 2.0 * (0.8 - spread / before) / 0.3;
            self.weigh("weight_evenness", nats, figure(F::SourceSpreadRatio, spread, Some(before)));
        }
    }

    /// 6, 7, 8 and 9: responses, country, suddenness, and what first attempts do when the server fails.
    fn moment(&mut self, surge: &Surge<'_>, likeness: &Likeness) {
        if surge.healthy {
            let octaves = likeness.response_octaves;
            self.weigh("weight_response", octaves.abs() - 1.0, figure(F::ResponseRatio, octaves.exp2(), Some(1.0)));
        }
        if let Whose::All { foreign_score: Some(score) } = surge.whose {
            self.weights.push(("weight_foreign", (3.0 * (score - 0.35) / 0.15).clamp(-CAP, CAP)));
        }
        if let Some(onset) = surge.onset {
            let nats = match onset.rise_seconds {
                seconds if seconds < 3.0 => 1.5,
                seconds if seconds > 60.0 => -1.0,
                _ => 0.0,
            };
            self.weigh("weight_onset", nats, figure(F::OnsetSeconds, onset.rise_seconds, None));
        }
        if let Some(part) = surge.reaction {
            let nats = if part < 0.8 { -1.0 } else { 1.0 };
            self.weigh("weight_reaction", nats, figure(F::ReactionRatio, part, Some(1.0)));
        }
    }
}
