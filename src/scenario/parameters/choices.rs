//! Choices among a few, and the attacks that are added to a scenario.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::kind::closed_set;
use crate::scenario::technique::{Technique, UnknownTechnique};

closed_set! {
    /// What a full accept queue does to those who come next.
    Overflow {
        /// SYNs are dropped unanswered: Linux since 4.10, and most others.
        DropSyn = "drop_syn",
        /// SYNs are answered while the SYN queue has room, but the client's ACK is dropped and the SYN-ACK repeated:
        /// earlier Linux, and Linux behind a SYN-answering balancer.
        DropAck = "drop_ack",
    }
}

closed_set! {
    /// Where the packets of a flood claim to come from.
    Spoofing {
        /// Anywhere in IPv4, reserved space at its true share.
        Random = "random",
        /// Anywhere in public IPv4: a provider upstream filters the rest.
        BogonFiltered = "bogon_filtered",
        /// Anywhere in 2000::/3.
        Ipv6 = "ipv6",
        /// Real machines that send raw SYNs: not forged, and some reset what is answered.
        RawBots = "raw_bots",
        /// Anywhere in the networks of home.
        HomeList = "home_list",
        /// Addresses of people who come often.
        KnownList = "known_list",
        /// A handful of real machines: not forged.
        Few = "few",
    }
}

impl Spoofing {
    /// Tells whether the addresses are not their senders'.
    #[must_use]
    pub const fn is_forged(self) -> bool {
        !matches!(self, Self::RawBots | Self::Few)
    }
}

closed_set! {
    /// Where the machines of an attack stand that do not forge their addresses.
    Geography {
        /// In so many countries abroad.
        Abroad = "abroad",
        /// At home.
        Home = "home",
        /// Half at home, half abroad.
        Mixed = "mixed",
        /// In hosting providers' data centres.
        Hosting = "hosting",
    }
}

closed_set! {
    /// Which directions a mirror port shows.
    View {
        /// Both.
        Both = "both",
        /// Only what comes in.
        Inbound = "inbound",
        /// Only what goes out.
        Outbound = "outbound",
    }
}

/// An attack that is added to a scenario: `KIND[:VARIANT][@RATE][+SECONDS]`, the seconds counting from the end of the lead.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// What is done.
    pub technique: Technique,
    /// Units a second; the technique's usual one if none.
    pub rate: Option<f64>,
    /// Time after the lead; that of the scenario's attack if none.
    pub start: Option<Duration>,
    /// Its length; that of the scenario's attack if none.
    pub duration: Option<Duration>,
}

impl Vector {
    /// An attack at its usual rate, when the scenario's own would take place.
    #[must_use]
    pub const fn of(technique: Technique) -> Self {
        Self { technique, rate: None, start: None, duration: None }
    }
}

impl fmt::Display for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.technique.fmt(f)?;
        if let Some(rate) = self.rate {
            write!(f, "@{rate}")?;
        }
        match self.start {
            Some(start) => write!(f, "+{}", start.as_secs_f64()),
            None => Ok(()),
        }
    }
}

/// Why an added attack cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// No such attack.
    #[error(transparent)]
    Technique(#[from] UnknownTechnique),
    /// Not a number.
    #[error("`{0}` is no number: write KIND[:VARIANT][@RATE][+SECONDS], such as udp-flood@500+30")]
    Number(String),
}

impl FromStr for Vector {
    type Err = VectorError;

    fn from_str(text: &str) -> Result<Self, VectorError> {
        let number = |text: &str| {
            let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
            number.ok_or_else(|| VectorError::Number(text.to_owned()))
        };
        let (rest, start) = text.split_once('+').map_or((text, None), |(rest, start)| (rest, Some(start)));
        let (name, rate) = rest.split_once('@').map_or((rest, None), |(name, rate)| (name, Some(rate)));
        Ok(Self {
            technique: name.parse()?,
            rate: rate.map(number).transpose()?,
            start: start.map(number).transpose()?.map(Duration::from_secs_f64),
            duration: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::services::Service;

    #[test]
    fn an_added_attack_is_read_and_written() {
        let vector: Vector = "amplification:ntp@250.5+12".parse().unwrap();
        assert_eq!(vector.technique, Technique::Amplification(Some(Service::Ntp)));
        assert_eq!((vector.rate, vector.start), (Some(250.5), Some(Duration::from_secs(12))));
        assert_eq!(vector.to_string(), "amplification:ntp@250.5+12");
        assert_eq!("beacon".parse::<Vector>(), Ok(Vector::of(Technique::Beacon)));
    }

    #[test]
    fn what_cannot_be_read_is_a_sentence() {
        let error = |text: &str| text.parse::<Vector>().unwrap_err().to_string();
        assert!(error("udp-flood@fast").starts_with("`fast` is no number"));
        assert!(error("udp-flood+NaN").starts_with("`NaN` is no number"));
        assert!(error("storm@3").starts_with("`storm` is no attack"));
    }
}
