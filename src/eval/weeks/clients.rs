//! Who connects to a target: from which country, for the first time or again, and what each asks for.

use crate::address::Address;
use crate::country::Country;
use crate::eval::random::Random;
use crate::packet::Protocol;
use crate::summary::{CohortRecord, CohortStage, Contact, ContactStage, Outcome, Volume};
use crate::time::Tick;

/// Countries that visitors come from: home, and 63 abroad.
const HOME: Country = Country::from_letters(*b"FR");
const ABROAD: [&[u8; 2]; 63] = [
    b"BE", b"CH", b"DE", b"ES", b"GB", b"IT", b"LU", b"PT", b"NL", b"US", b"CA", b"MA", b"DZ", b"TN", b"SN", b"CI",
    b"PL", b"RO", b"IE", b"SE", b"BR", b"IN", b"CN", b"RU", b"AT", b"CZ", b"DK", b"FI", b"NO", b"GR", b"HU", b"BG",
    b"HR", b"SK", b"SI", b"LT", b"LV", b"EE", b"UA", b"TR", b"IL", b"EG", b"CM", b"CD", b"ML", b"BF", b"BJ", b"TG",
    b"GA", b"MG", b"MX", b"AR", b"CL", b"CO", b"PE", b"JP", b"KR", b"SG", b"AU", b"NZ", b"ZA", b"AE", b"VN",
];

/// The clients of a target.
#[derive(Debug)]
pub(super) struct Clients {
    target: Address,
    /// Share from abroad; how it wanders, as spread and memory of its logarithm; and where it is.
    abroad: f64,
    wandering: (f64, f64),
    wandered: f64,
    /// How much of a rush comes from abroad: 0 nobody, 1 as many as ordinarily.
    elasticity: f64,
    /// Sums of the shares of the countries abroad, in the order of [`ABROAD`].
    countries: [f64; ABROAD.len()],
    /// Share of connections of clients that come back.
    known: f64,
    /// Spread of the logarithm of reply sizes.
    variety: f64,
}

/// A client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) source: Address,
    pub(super) country: Country,
}

impl Clients {
    pub(super) fn draw(target: Address, random: &mut Random) -> Self {
        // Zipf's law with an exponent of its own: some targets see a few countries, some many.
        let exponent = random.between(0.6, 1.6);
        let (mut sum, mut countries) = (0.0, [0.0; ABROAD.len()]);
        for (rank, share) in (1_u32..).zip(&mut countries) {
            sum += f64::from(rank).powf(-exponent);
            *share = sum;
        }
        countries.iter_mut().for_each(|share| *share /= sum);
        Self {
            target,
            abroad: random.scale(0.005, 0.15),
            wandering: (random.between(0.0, 0.25), (-Tick::SECONDS / random.scale(1.0, 300.0)).exp()),
            wandered: 0.0,
            elasticity: random.between(0.0, 1.2),
            countries,
            known: random.between(0.3, 0.95),
            variety: random.between(0.6, 1.6),
        }
    }

    /// Returns this tick's share from abroad: it wanders, and a rush at home that few abroad take part in thins it.
    pub(super) fn abroad_now(&mut self, growth: f64, random: &mut Random) -> f64 {
        let (spread, kept) = self.wandering;
        self.wandered = kept * self.wandered + (1.0 - kept * kept).sqrt() * spread * random.normal();
        let share = (self.abroad * self.wandered.exp()).min(0.9);
        let (home, abroad) = ((1.0 - share) * growth, share * growth.powf(self.elasticity));
        abroad / (home + abroad)
    }

    /// Draws where so many come from, sorted by country.
    pub(super) fn origins(&self, count: u32, abroad: f64, random: &mut Random) -> Vec<(Country, u32)> {
        let from_abroad = random.binomial(count, abroad);
        let mut counts = [0; ABROAD.len()];
        (0..from_abroad).for_each(|_| counts[self.place(random)] += 1);
        let named = ABROAD.iter().map(|letters| Country::from_letters(**letters)).zip(counts);
        let mut origins: Vec<_> = named.chain([(HOME, count - from_abroad)]).filter(|(_, count)| *count > 0).collect();
        origins.sort_unstable();
        origins
    }

    /// Draws a client: one of a few thousand that come back, of which one in `thinned` is followed, or a new one.
    pub(super) fn client(&self, abroad: f64, thinned: u32, random: &mut Random) -> Client {
        let (first, country) =
            if random.chance(abroad) { (20, Country::from_letters(*ABROAD[self.place(random)])) } else { (80, HOME) };
        let returns = random.chance(self.known);
        let number = random.bits32();
        let number = if returns { number % (4_096 / thinned).max(1) } else { number & 0x00ff_ffff };
        let [_, a, b, c] = number.to_be_bytes();
        Client { source: Address::v4([first + (a & 3), a, b, c]), country }
    }

    /// Draws what a client asks for and is given.
    pub(super) fn contact(&self, tick: Tick, client: Client, weight: u32, random: &mut Random) -> Contact {
        let sent = bytes(1_200.0, self.variety * 0.5, random);
        let received = bytes(14_000.0, self.variety, random);
        Contact {
            at: tick.start(),
            stage: ContactStage::Verified,
            originator: client.source,
            responder: self.target,
            port: 443,
            protocol: Protocol::TCP,
            country: client.country,
            verified: true,
            age_ms: 900,
            sent: Volume { packets: 3 + sent / 500, bytes: sent },
            received: Volume { packets: 3 + received / 1_400, bytes: received },
            served: true,
            repeated: false,
            weight,
        }
    }

    /// Writes what became of a followed handshake, as seen at its look.
    pub(super) const fn record(&self, tick: Tick, source: Address, weight: u32, outcome: u8) -> CohortRecord {
        CohortRecord {
            target: self.target,
            source,
            first_syn: tick.start(),
            port: 443,
            weight,
            ttl: 52,
            window: 64_240,
            stage: CohortStage::Look,
            outcome: Outcome(outcome),
        }
    }

    fn place(&self, random: &mut Random) -> usize {
        let place = random.uniform();
        self.countries.partition_point(|sum| *sum < place).min(ABROAD.len() - 1)
    }
}

/// Draws a scanner: any address.
pub(super) fn scanner(random: &mut Random) -> Address {
    Address::v4(random.bits32().to_be_bytes())
}

fn bytes(middle: f64, spread: f64, random: &mut Random) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive size, far below 2^53")]
    let bytes = (middle * (spread * random.normal()).exp()) as u64;
    bytes
}
