//! Benign surges, faults and oddities: none of them is an attack, whatever it looks like.

use super::script::Script;
use super::{Attack, Crowd, Fault, FaultKind, Plan};
use crate::scenario::Scenario;
use crate::scenario::technique::{Login, Probe, Sweep, Technique};

/// Share of connections over QUIC at a site that prefers it.
const QUIC_SITE: f64 = 0.5;

/// Machines that a content network's new region fetches with.
const REGION: u32 = 16;

impl Script<'_> {
    /// Returns what a benign scenario does; ordinary traffic for all others.
    pub(super) fn benign(&self, scenario: Scenario) -> Plan {
        let rate = self.p.rate;
        let calm = Plan { capacity: 10.0 * rate, ..Plan::default() };
        let crowd = |crowd| Plan { crowds: vec![crowd], capacity: 1.8 * rate * self.p.rush_factor, ..Plan::default() };
        match scenario {
            Scenario::FlashCrowd => crowd(self.flash_crowd(120.0, None)),
            Scenario::ExamResults => crowd(self.flash_crowd(5.0, Some(90.0))),
            Scenario::TvMention => crowd(self.flash_crowd(15.0, Some(45.0))),
            Scenario::HolidayReturn => crowd(self.flash_crowd(0.5 * self.active, None)),
            Scenario::SchoolMorning | Scenario::MobileMorning => crowd(self.flash_crowd(60.0, None)),
            Scenario::Http3Rush => Plan { quic_share: Some(QUIC_SITE), ..crowd(self.flash_crowd(60.0, None)) },
            Scenario::NewCdnRegion => crowd(Crowd { fetchers: REGION, ..self.flash_crowd(10.0, None) }),
            Scenario::SlowDatabase => Plan { fault: Some(self.fault(FaultKind::Slow(3.0))), ..calm },
            Scenario::LostDatacentre => Plan { fault: Some(self.fault(FaultKind::Silent)), ..calm },
            Scenario::BackupWindow => Plan { backup: Some((self.at(0.0), self.at(0.8))), browsing: 0.1 * rate, ..calm },
            Scenario::PeerToPeer => Plan { peers: 12.0, browsing: 0.1 * rate, ..calm },
            Scenario::Monitoring => Plan { checkers: 40, ..calm },
            Scenario::RtpStream => Plan { stream: 400.0, ..calm },
            Scenario::PenTest => Plan { attacks: self.pen_test(), ..calm },
            _ => calm,
        }
    }

    fn fault(&self, kind: FaultKind) -> Fault {
        Fault { kind, from: self.at(0.0), to: self.at(0.5) }
    }

    /// A crowd that comes within `ramp` seconds unless told otherwise; it stays until the last fifth, or is halved every
    /// `half_life` seconds.
    fn flash_crowd(&self, ramp: f64, half_life: Option<f64>) -> Crowd {
        let ramp = self.p.rush_ramp.map_or(ramp, |ramp| ramp.as_secs_f64()).max(0.1);
        let extra = self.p.rate * (self.p.rush_factor - 1.0);
        let (begin, last) = (self.at(0.0), self.at(0.999));
        let top = (begin + ramp).min(last - 0.1);
        let mut curve = vec![(begin, 0.0), (top, extra)];
        match half_life {
            Some(half_life) => {
                let (mut height, mut at) = (extra / 2.0, top + half_life);
                while at < last {
                    curve.push((at, height));
                    height /= 2.0;
                    at += half_life;
                }
                curve.push((last, height));
            }
            None => {
                curve.push((self.at(0.8).max(top), extra));
                curve.push((last, 0.0));
            }
        }
        Crowd { curve, ..Crowd::default() }
    }

    /// Testers from one hosting provider, announced: a sweep, a scan, and some log-ins.
    fn pen_test(&self) -> Vec<Attack> {
        let part = |from, to, technique: Technique| {
            let rate = technique.usual_rate(self.p.rate);
            Attack { declared: true, ..self.between(from, to, technique, rate, "an announced penetration test") }
        };
        vec![
            part(0.0, 0.25, Technique::HostSweep(Sweep::Tcp)),
            part(0.3, 0.55, Technique::PortScan(Probe::Syn)),
            part(0.6, 0.85, Technique::BruteForce(Login::Ssh)),
        ]
    }
}
