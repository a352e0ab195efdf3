//! Which port the last seconds' handshakes went to: sixteen places that fade by a sixteenth a tick.

/// Weight of one case: whole numbers fade without floats.
const CASE: u64 = 16;

/// Ports told apart.
const PLACES: usize = 16;

/// The ports and their fading weights.
#[derive(Clone, Debug, Default)]
pub struct Ports(Vec<(u16, u64)>);

impl Ports {
    /// Counts `count` handshakes to `port`.
    pub fn add(&mut self, port: u16, count: u64) {
        if let Some(place) = self.0.iter().position(|(known, _)| *known == port) {
            self.0[place].1 += count * CASE;
        } else if self.0.len() < PLACES {
            self.0.push((port, count * CASE));
        }
    }

    /// Ends a tick.
    pub fn fade(&mut self) {
        self.0.iter_mut().for_each(|(_, weight)| *weight -= weight.div_ceil(CASE));
        self.0.retain(|(_, weight)| *weight > 0);
    }

    /// Returns the port that at least nine tenths went to.
    #[must_use]
    pub fn leading(&self) -> Option<u16> {
        let total: u64 = self.0.iter().map(|(_, weight)| weight).sum();
        self.0.iter().find(|(_, weight)| total > 0 && weight * 10 >= total * 9).map(|(port, _)| *port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_port_of_nine_tenths_leads_and_the_past_fades() {
        let mut ports = Ports::default();
        ports.add(443, 100);
        ports.add(80, 12);
        assert_eq!(ports.leading(), None);
        ports.add(443, 10);
        assert_eq!(ports.leading(), Some(443));
        (0..200).for_each(|_| ports.fade());
        assert_eq!(ports.leading(), None);
        ports.add(80, 1);
        assert_eq!(ports.leading(), Some(80));
    }
}
