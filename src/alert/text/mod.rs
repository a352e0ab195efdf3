//! Sentences from figures, by language: the only place where an alert becomes prose.
//!
//! A language is a module beside `en` that writes the same things from the same [`Alert`]; [`Language`] chooses. All
//! of them keep four rules. Only sources that proved their address have a country, and it is where they are
//! *registered*. Forged sources have no origin at all. What flow data can only hint at is *consistent with* a cause. And
//! volume alone is never called an attack.

mod by_source;
mod en;
mod fr;
pub mod notation;
mod why;

use crate::alert::line::Alert;
use crate::kind::{AlertKind, Severity, Verdict};
use notation::Notation;

/// A language in which Vigie writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
}

impl Language {
    /// Every language.
    pub const ALL: &'static [Self] = &[Self::English, Self::French];

    /// Returns the language of a code, as `--lang` and pages take it.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|language| language.code() == code)
    }

    /// Names the language in itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::French => "français",
        }
    }

    /// Returns how numbers are written.
    #[must_use]
    pub const fn notation(self) -> Notation {
        match self {
            Self::English => Notation::ENGLISH,
            Self::French => Notation::FRENCH,
        }
    }

    /// Returns the code for the `lang` attribute of a page (RFC 5646).
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// Writes the evidence: a sentence for each figure, the most telling first, then the origins, then the caveats.
    #[must_use]
    pub fn evidence(self, alert: &Alert) -> Vec<String> {
        match self {
            Self::English => en::evidence(alert),
            Self::French => fr::evidence(alert),
        }
    }

    /// Writes one sentence of at most 60 words for readers who do not know networks.
    #[must_use]
    pub fn why(self, alert: &Alert) -> String {
        match self {
            Self::English => why::why(alert),
            Self::French => fr::why(alert),
        }
    }

    /// Names a kind of alert.
    #[must_use]
    pub const fn kind(self, kind: AlertKind) -> &'static str {
        match self {
            Self::English => en::kind(kind),
            Self::French => fr::kind(kind),
        }
    }

    /// Names a verdict.
    #[must_use]
    pub const fn verdict(self, verdict: Verdict) -> &'static str {
        match self {
            Self::English => en::verdict(verdict),
            Self::French => fr::verdict(verdict),
        }
    }

    /// Names a severity.
    #[must_use]
    pub const fn severity(self, severity: Severity) -> &'static str {
        match self {
            Self::English => severity.name(),
            Self::French => fr::severity(severity),
        }
    }
}

/// Names the service of a reflector's port (`summary::stray::REFLECTORS`); names are the same in every language.
const fn service(port: u16) -> Option<&'static str> {
    Some(match port {
        17 => "QOTD",
        19 => "CharGEN",
        53 => "DNS",
        69 => "TFTP",
        111 => "portmap",
        123 => "NTP",
        137 => "NetBIOS",
        161 => "SNMP",
        177 => "XDMCP",
        389 => "CLDAP",
        443 => "QUIC",
        520 => "RIP",
        623 => "IPMI",
        1_194 => "OpenVPN",
        1_701 => "L2TP",
        1_900 => "SSDP",
        3_283 => "Apple Remote Desktop",
        3_389 => "RDP",
        3_702 => "WS-Discovery",
        5_060 => "SIP",
        5_353 => "mDNS",
        5_683 => "CoAP",
        11_211 => "memcached",
        27_015 => "Steam",
        _ => return None,
    })
}
