//! The judgement on a port and the sentences that go with it.

use std::fmt;
use std::time::Duration;

use super::duplicates::Duplicates;
use super::observer::{Counts, Stamps};
use super::sidedness::Conversations;
use super::{loss, share};
use crate::source::CaptureDrops;
use crate::source::live::LinkFacts;

/// Above this loss the port is unusable (the line at which `sensor_blind` alerts, DETECTION 0.2).
const MOST_LOSS: f64 = 0.05;
/// Below this share of conversations seen both ways, the port shows one direction.
const ONE_SIDED: f64 = 0.05;
/// Below this share, a part of the traffic takes another way.
const LOPSIDED: f64 = 0.8;
/// From this share of copies on, a mirror session is wrong; a few may be genuine.
const MANY_COPIES: f64 = 0.01;

/// How good a thing is. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Good,
    /// Worth knowing; nothing is wrong.
    Note,
    /// Usable, and worse than it could be.
    Mend,
    /// No verdict can be trusted until this is mended.
    Unusable,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Mend => "mend",
            Self::Unusable => "UNUSABLE",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// How good it is.
    pub grade: Grade,
    /// One sentence: what was seen, and what to do about it.
    pub sentence: String,
}

/// What a look at a port found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The interface.
    pub interface: String,
    /// How long it was looked at.
    pub looked: Duration,
    /// What the interface says of itself.
    pub facts: LinkFacts,
    /// What came.
    pub counts: Counts,
    /// What was lost.
    pub dropped: CaptureDrops,
    /// Wrong time stamps.
    pub stamps: Stamps,
    /// Conversations by the directions seen.
    pub conversations: Conversations,
    /// Frames that came twice.
    pub duplicates: Duplicates,
}

impl Diagnosis {
    /// Tells whether verdicts from this port can be trusted.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.advice().iter().all(|advice| advice.grade < Grade::Unusable)
    }

    /// Judges everything that was looked at, one sentence each.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        let judged = [
            Some(self.on_presence()),
            self.on_sides(),
            self.on_duplicates(),
            Some(self.on_loss()),
            self.on_merging(),
            self.on_cut_headers(),
            self.on_cut_by_mirror(),
            self.on_undecoded(),
            self.on_tags(),
            self.on_tunnels(),
            self.on_time(),
        ];
        let advice = |(grade, sentence)| Advice { grade, sentence };
        judged.into_iter().flatten().map(advice).collect()
    }

    fn on_presence(&self) -> (Grade, String) {
        let Counts { frames, unicast, ipv4, ipv6, .. } = self.counts;
        if frames == 0 {
            return (
                Grade::Unusable,
                "Nothing was seen: check the cable and that the switch's mirror session is on and ends at this port."
                    .to_owned(),
            );
        }
        if ipv4 + ipv6 == 0 {
            let sentence = format!(
                "{} came and none holds a readable IP packet: check what the mirror session copies to this port.",
                frames_text(frames)
            );
            return (Grade::Unusable, sentence);
        }
        if unicast == 0 {
            return (
                Grade::Unusable,
                "Only broadcasts and multicasts were seen, which every port gets: the switch's mirror session is not on."
                    .to_owned(),
            );
        }
        let sentence =
            format!("Traffic is seen: IPv4 {}, IPv6 {}.", percent(ipv4, ipv4 + ipv6), percent(ipv6, ipv4 + ipv6));
        (Grade::Good, sentence)
    }

    fn on_sides(&self) -> Option<(Grade, String)> {
        if self.counts.unicast == 0 {
            return None;
        }
        let Conversations { both_ways, one_way } = self.conversations;
        let all = both_ways + one_way;
        Some(match self.conversations.both_ways_share() {
            None => (
                Grade::Note,
                format!(
                    "Only {all} TCP conversations went on during the look, too few to tell whether both directions are \
                     seen: look again for longer or at a busier time."
                ),
            ),
            Some(share) if share < ONE_SIDED => (
                Grade::Unusable,
                format!(
                    "Only one direction is seen in {one_way} of {all} conversations: mirror both directions (rx and tx) \
                     of the uplink, or bring the other half on a second interface and give both with -i."
                ),
            ),
            Some(share) if share < LOPSIDED => (
                Grade::Mend,
                format!(
                    "{one_way} of {all} conversations are seen one way only: a part of the traffic takes another way; \
                     mirror every uplink in both directions."
                ),
            ),
            Some(_) => (Grade::Good, format!("Both directions are seen in {both_ways} of {all} conversations.")),
        })
    }

    fn on_duplicates(&self) -> Option<(Grade, String)> {
        let Duplicates { compared, repeated, other_ttl, other_vlan } = self.duplicates;
        if compared == 0 {
            return None;
        }
        if self.duplicates.ratio() < MANY_COPIES {
            return Some((Grade::Good, format!("{repeated} of {compared} packets with payload came twice.")));
        }
        let cause = if other_ttl * 2 > repeated {
            "the copy has another time to live, so both sides of a router are mirrored: mirror one side only"
        } else if other_vlan * 2 > repeated {
            "the copy has another VLAN tag, so a packet is mirrored before and after it is tagged: mirror the trunk or \
             the VLAN, not both"
        } else {
            "the copies are alike, so packets are mirrored where they enter and again where they leave: mirror ports of \
             one side only, or a VLAN in one direction only"
        };
        let share = percent(repeated, compared);
        Some((Grade::Mend, format!("{share} of the packets with payload come twice; {cause}.")))
    }

    fn on_loss(&self) -> (Grade, String) {
        let CaptureDrops { kernel, interface } = self.dropped;
        let loss = loss(self.counts.frames, self.dropped);
        if kernel + interface == 0 {
            return (Grade::Good, "Nothing was lost.".to_owned());
        }
        let mend = if kernel >= interface {
            format!(
                "{kernel} found the capture ring full: give a larger --ring-size, more --threads or a faster machine"
            )
        } else {
            format!(
                "{interface} were lost by the interface: give it longer receive rings (`sudo ethtool -G {} rx 4096`) or a \
                 link as fast as what is mirrored",
                self.interface
            )
        };
        let grade = if loss > MOST_LOSS { Grade::Unusable } else { Grade::Mend };
        (grade, format!("{:.2} % of the frames were lost; {mend}.", 100.0 * loss))
    }

    fn on_merging(&self) -> Option<(Grade, String)> {
        let Counts { oversized, longest, frames, .. } = self.counts;
        let turn_off = |features: &[&str]| {
            let features: Vec<_> = features.iter().map(|feature| format!("{feature} off")).collect();
            format!("`sudo ethtool -K {} {}`", self.interface, features.join(" "))
        };
        if oversized > 0 {
            let mtu = self.facts.mtu.unwrap_or_default();
            let sentence = format!(
                "{} of the frames are longer than the MTU of {mtu} bytes allows (up to {longest}): an offload merges \
                 packets before they are counted; run {}.",
                percent(oversized, frames),
                turn_off(&["gro", "lro", "tso", "gso"])
            );
            return Some((Grade::Mend, sentence));
        }
        if self.facts.merging.is_empty() {
            return None;
        }
        let sentence = format!(
            "Receive offload ({}) is on, though no merged packet was seen; to be sure, run {}.",
            self.facts.merging.join(", "),
            turn_off(&self.facts.merging)
        );
        Some((Grade::Note, sentence))
    }

    fn on_cut_headers(&self) -> Option<(Grade, String)> {
        let cut = self.counts.cut_headers;
        let sentence = format!("The headers of {} are cut by the snap length: give a larger one.", frames_text(cut));
        (cut > 0).then_some((Grade::Mend, sentence))
    }

    fn on_cut_by_mirror(&self) -> Option<(Grade, String)> {
        let cut = self.counts.cut_by_mirror;
        let sentence = format!(
            "{} are shorter than their own headers say: the mirror session truncates, so byte counts are too low; turn \
             truncation off.",
            frames_text(cut)
        );
        (cut > 0).then_some((Grade::Mend, sentence))
    }

    fn on_undecoded(&self) -> Option<(Grade, String)> {
        let discarded: u64 = self.counts.discarded.values().sum();
        if discarded == 0 {
            return None;
        }
        let reasons: Vec<_> = self.counts.discarded.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let share = percent(discarded, self.counts.frames);
        Some((Grade::Note, format!("{share} of the frames hold no readable IP packet ({}).", reasons.join(", "))))
    }

    fn on_tags(&self) -> Option<(Grade, String)> {
        let Counts { tagged, frames, ref vlans, .. } = self.counts;
        let vlans: Vec<_> = vlans.iter().map(u16::to_string).collect();
        let sentence = format!("{} of the frames carry a VLAN tag ({}).", percent(tagged, frames), vlans.join(", "));
        (tagged > 0).then_some((Grade::Note, sentence))
    }

    fn on_tunnels(&self) -> Option<(Grade, String)> {
        let Counts { tunnelled, frames, .. } = self.counts;
        let share = percent(tunnelled, frames);
        let sentence = format!("{share} of the packets came inside a tunnel; the innermost packet is what is counted.");
        (tunnelled > 0).then_some((Grade::Note, sentence))
    }

    fn on_time(&self) -> Option<(Grade, String)> {
        let Stamps { behind, ahead, unset } = self.stamps;
        if unset > 0 {
            let sentence = "Frames are stamped before 2020: set this machine's clock, by NTP or PTP.".to_owned();
            return Some((Grade::Mend, sentence));
        }
        let sentence = format!(
            "{} are stamped more than two seconds back or a minute ahead: the clock was set during the look, or the \
             interface stamps frames with a clock of its own; run NTP or PTP on this machine.",
            frames_text(behind + ahead)
        );
        (behind + ahead > 0).then_some((Grade::Mend, sentence))
    }

    fn summary(&self) -> &'static str {
        match self.advice().iter().map(|advice| advice.grade).max() {
            Some(Grade::Unusable) => "This port cannot be used until the lines marked UNUSABLE are mended.",
            Some(Grade::Mend) => "This port can be used; the lines marked \"mend\" would make it better.",
            _ => "This port can be used.",
        }
    }
}

/// Writes what a person reads: the figures, a line for each judgement, and the conclusion.
impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.looked.as_secs_f64();
        let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let Counts { frames, bytes, busiest_second, .. } = self.counts;
        writeln!(
            f,
            "{}: {frames} frames in {seconds:.1} s, {:.0} a second ({busiest_second} in the busiest), {:.2} Mbit/s",
            self.interface,
            rate(frames),
            rate(bytes) * 8.0 / 1e6
        )?;
        for Advice { grade, sentence } in self.advice() {
            writeln!(f, "  {grade:<8}  {sentence}")?;
        }
        writeln!(f, "{}", self.summary())
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * share(part, whole))
}

fn frames_text(count: u64) -> String {
    if count == 1 { "1 frame".to_owned() } else { format!("{count} frames") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Diagnosis {
        Diagnosis {
            interface: "eth1".to_owned(),
            looked: Duration::from_secs(60),
            facts: LinkFacts { mtu: Some(1_500), merging: Vec::new() },
            counts: Counts {
                frames: 120_000,
                bytes: 90_000_000,
                busiest_second: 3_100,
                ipv4: 90_000,
                ipv6: 30_000,
                unicast: 119_000,
                longest: 1_514,
                ..Counts::default()
            },
            dropped: CaptureDrops::default(),
            stamps: Stamps::default(),
            conversations: Conversations { both_ways: 396, one_way: 4 },
            duplicates: Duplicates { compared: 60_000, repeated: 3, ..Duplicates::default() },
        }
    }

    fn sentences(diagnosis: &Diagnosis, grade: Grade) -> Vec<String> {
        diagnosis.advice().into_iter().filter(|advice| advice.grade == grade).map(|advice| advice.sentence).collect()
    }

    #[test]
    fn a_good_port_reads_well() {
        insta::assert_snapshot!(good(), @r"
        eth1: 120000 frames in 60.0 s, 2000 a second (3100 in the busiest), 12.00 Mbit/s
          good      Traffic is seen: IPv4 75.0 %, IPv6 25.0 %.
          good      Both directions are seen in 396 of 400 conversations.
          good      3 of 60000 packets with payload came twice.
          good      Nothing was lost.
        This port can be used.
        ");
        assert!(good().is_usable());
    }

    #[test]
    fn a_bad_port_is_told_everything_at_once() {
        let bad = Diagnosis {
            facts: LinkFacts { mtu: Some(1_500), merging: vec!["gro"] },
            counts: Counts {
                oversized: 600,
                longest: 65_226,
                cut_headers: 1,
                cut_by_mirror: 12,
                tagged: 60_000,
                vlans: [7, 100].into(),
                tunnelled: 1_200,
                discarded: [(crate::decode::DropReason::NotIp, 240)].into(),
                ..good().counts
            },
            dropped: CaptureDrops { kernel: 7_000, interface: 10 },
            stamps: Stamps { behind: 3, ..Stamps::default() },
            conversations: Conversations { both_ways: 2, one_way: 398 },
            duplicates: Duplicates { compared: 60_000, repeated: 30_000, other_ttl: 29_000, other_vlan: 0 },
            ..good()
        };
        insta::assert_snapshot!(bad, @r#"
        eth1: 120000 frames in 60.0 s, 2000 a second (3100 in the busiest), 12.00 Mbit/s
          good      Traffic is seen: IPv4 75.0 %, IPv6 25.0 %.
          UNUSABLE  Only one direction is seen in 398 of 400 conversations: mirror both directions (rx and tx) of the uplink, or bring the other half on a second interface and give both with -i.
          mend      50.0 % of the packets with payload come twice; the copy has another time to live, so both sides of a router are mirrored: mirror one side only.
          UNUSABLE  5.52 % of the frames were lost; 7000 found the capture ring full: give a larger --ring-size, more --threads or a faster machine.
          mend      0.5 % of the frames are longer than the MTU of 1500 bytes allows (up to 65226): an offload merges packets before they are counted; run `sudo ethtool -K eth1 gro off lro off tso off gso off`.
          mend      The headers of 1 frame are cut by the snap length: give a larger one.
          mend      12 frames are shorter than their own headers say: the mirror session truncates, so byte counts are too low; turn truncation off.
          note      0.2 % of the frames hold no readable IP packet (240 not_ip).
          note      50.0 % of the frames carry a VLAN tag (7, 100).
          note      1.0 % of the packets came inside a tunnel; the innermost packet is what is counted.
          mend      3 frames are stamped more than two seconds back or a minute ahead: the clock was set during the look, or the interface stamps frames with a clock of its own; run NTP or PTP on this machine.
        This port cannot be used until the lines marked UNUSABLE are mended.
        "#);
        assert!(!bad.is_usable());
    }

    #[test]
    fn nothing_and_noise_are_unusable() {
        let nothing = Diagnosis {
            counts: Counts::default(),
            conversations: Conversations::default(),
            duplicates: Duplicates::default(),
            ..good()
        };
        assert!(!nothing.is_usable());
        assert_eq!(nothing.advice().len(), 2, "{nothing}");
        let noise = Diagnosis { counts: Counts { unicast: 0, ..good().counts }, ..good() };
        assert!(sentences(&noise, Grade::Unusable)[0].starts_with("Only broadcasts"));
        let not_ip = Diagnosis { counts: Counts { ipv4: 0, ipv6: 0, unicast: 0, ..good().counts }, ..good() };
        assert!(sentences(&not_ip, Grade::Unusable)[0].contains("none holds a readable IP packet"));
    }

    #[test]
    fn loss_is_unusable_above_five_percent_only() {
        let losing = |kernel| Diagnosis { dropped: CaptureDrops { kernel, interface: 0 }, ..good() };
        assert!(losing(6_315).is_usable(), "6,315 of 126,315 is just below");
        assert!(!losing(6_317).is_usable(), "6,317 of 126,317 is just above");
        assert_eq!(sentences(&losing(1), Grade::Mend).len(), 1);
    }

    #[test]
    fn few_conversations_decide_nothing() {
        let few = Diagnosis { conversations: Conversations { both_ways: 0, one_way: 9 }, ..good() };
        assert!(few.is_usable());
        assert_eq!(sentences(&few, Grade::Note).len(), 1);
    }
}
