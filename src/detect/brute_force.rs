//! Brute force: one source opens one short, uniform conversation after another with a log-in service (DETECTION 5,
//! BRUTE-1).
//!
//! Method: a sequential test (Wald 1945) over the source's conversations of the last ten minutes with one endpoint: each is
//! within 10 % of their median, both ways, with probability .95 if passwords are being guessed and .4 if people log in. At
//! least 30 attempts; ten times as many where several network stacks show behind the address (a shared exit). An attempt
//! is short, small and answered; a session counts against. Guesses over SSH, Telnet, RDP and VNC take longer than others
//! (key exchange, delays after a wrong password), so up to the ten seconds at which conversations are settled.
//!
//! Sources: Hofstede et al. 2017 (flat flows); DETECTION 5.
//!
//! Blind spots: fewer than 30 in ten minutes; a guesser that varies its sizes; several passwords in one long session; web
//! log-ins that are not configured. Automation that logs in and does the same small thing each time looks alike, which is
//! why it is a suspicion; traffic between inside hosts counts for services that only people log in to.

use crate::address::Address;
use crate::detect::finding::{FigureName as F, Finding, OriginShare, SourceShare};
use crate::detect::view::{View, figure, on_tcp};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::policy::{Direction, Policy};
use crate::summary::Contact;
use crate::time::Tick;
use crate::window::logins::{Attempter, Attempts, Look};

/// Attempts in ten minutes (DETECTION 5), and how many times as many where an address is shared.
const ATTEMPTS: f64 = 30.0;
const SHARED: f64 = 10.0;

/// Network stacks behind one address from which it is held to be shared.
const STACKS: f64 = 2.5;

/// Probability that a conversation is like the median one, of guesses and of people.
const ALIKE_GUESSES: f64 = 0.95;
const ALIKE_PEOPLE: f64 = 0.40;

/// Share of like attempts, at least.
const UNIFORM: f64 = 0.8;

/// Most bytes of an attempt, each way.
const LARGEST: u64 = 20_000;

/// Longest attempt, in milliseconds, and where the log-in itself is slow.
const LONGEST: u32 = 5_000;
const LONGEST_SLOW: u32 = 10_500;

/// Services that people log in to.
const PEOPLE: [u16; 6] = [21, 22, 23, 3389, 5900, 5985];

/// Those that other programs log in to, too: mail, directories, file shares, databases.
const PROGRAMS: [u16; 14] = [25, 110, 143, 389, 445, 465, 587, 636, 993, 995, 1433, 3306, 5432, 6379];

/// Log-ins that take their time.
const SLOW: [u16; 4] = [22, 23, 3389, 5900];

/// Mail between servers is uniform enough to need more of it.
const MAIL: u16 = 25;
const MAIL_ATTEMPTS: f64 = 100.0;

/// Tells whether a conversation is with a log-in service; `configured` are the operator's own.
pub(super) fn is_login(policy: &Policy, configured: &[(Address, u16)], contact: &Contact) -> bool {
    let from_outside = || {
        let inside = |address: Address| address.to_ipv4().is_some_and(|v4| v4.is_private());
        match policy.direction(contact.originator, contact.responder) {
            Direction::Internal => false,
            _ => !(inside(contact.originator) && inside(contact.responder)),
        }
    };
    configured.contains(&(contact.responder, contact.port))
        || PEOPLE.contains(&contact.port)
        || (PROGRAMS.contains(&contact.port) && from_outside())
}

/// Tells whether a settled conversation is as short and small as an attempt.
pub(super) fn is_attempt(contact: &Contact) -> bool {
    let longest = if SLOW.contains(&contact.port) { LONGEST_SLOW } else { LONGEST };
    contact.served && contact.age_ms <= longest && contact.sent.bytes <= LARGEST && contact.received.bytes <= LARGEST
}

/// Judges a source at an endpoint.
pub(super) fn judge(view: &View, key: &Attempter, attempts: &Attempts) -> Option<Finding> {
    let look = attempts.look()?;
    let (score, alert_at) = (evidence(&look), view.lines.subject);
    if score < 0.25 * alert_at {
        return None;
    }
    let shared = attempts.stacks() > STACKS;
    let least = if key.port == MAIL { MAIL_ATTEMPTS } else { ATTEMPTS } * if shared { SHARED } else { 1.0 };
    let mut finding = view.about(AlertKind::BruteForce, key.host.host_prefix(), score, alert_at);
    on_tcp(&mut finding, Some(key.port));
    finding.gates_hold = look.attempts >= least && look.alike >= UNIFORM && look.sessions < 0.2 * look.attempts;
    finding.severity = Severity::Warning;
    finding.verdict = Some(Verdict::Suspicion);
    finding.confidence = 0.8;
    finding.onset = look.since.start();
    finding.figures = vec![
        figure(F::AttemptsCount, look.attempts, Some(least - 1.0)),
        figure(F::AlikeShare, look.alike, Some(ALIKE_PEOPLE)),
        figure(F::SentBytes, look.sent, None),
        figure(F::ReceivedBytes, look.received, None),
    ];
    let (packets, bytes) = attempts.volume();
    finding.sources = vec![SourceShare { address: key.source, packets, bytes }];
    finding.origins = OriginShare::of_one(attempts.country(), packets);
    finding.settings = vec![("least_attempts", least), ("alike_within", 0.1), ("window_seconds", 600.0)];
    Some(finding)
}

/// Tells whether the attempts are still going on.
pub(super) fn is_current(now: Tick, attempts: &Attempts) -> bool {
    now.since(attempts.last_seen()) <= 120
}

/// The log-likelihood ratio of guesses against people, in decades.
fn evidence(look: &Look) -> f64 {
    let like = (ALIKE_GUESSES / ALIKE_PEOPLE).log10();
    let unlike = ((1.0 - ALIKE_GUESSES) / (1.0 - ALIKE_PEOPLE)).log10();
    let alike = look.attempts * look.alike;
    (alike * like + (look.attempts - alike) * unlike).clamp(0.0, 300.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(attempts: f64, alike: f64) -> Look {
        Look { attempts, alike, sent: 600.0, received: 700.0, sessions: 0.0, since: Tick::new(0) }
    }

    #[test]
    fn evidence_rises_with_each_like_attempt_and_falls_with_each_unlike_one() {
        assert!(evidence(&look(11.0, 1.0)) > evidence(&look(10.0, 1.0)));
        assert!(evidence(&look(30.0, 1.0)) > 11.0);
        assert!(evidence(&look(11.0, 1.0)) < 5.0, "eleven are not enough");
        assert!(evidence(&look(40.0, 0.5)) < 1e-9, "people's sizes differ");
        assert!(evidence(&look(40.0, 0.9)) < evidence(&look(40.0, 1.0)));
    }
}
