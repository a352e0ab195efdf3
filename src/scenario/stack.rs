//! How the TCP stacks of clients and servers look on the wire: options, windows, hop limits, and when they retry a SYN.

/// A family of TCP stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    /// Windows 10 and later.
    Windows,
    /// Windows 7 and earlier: first retry after 3 s.
    OldWindows,
    /// macOS, iOS.
    Apple,
    /// Linux 6.5 and later: linear SYN time-outs.
    Linux,
    /// Earlier Linux, and most Android.
    OldLinux,
}

/// Shares of client systems among visitors of a school platform: mostly Windows rooms and phones.
const MIX: [(System, f64); 5] = [
    (System::Windows, 0.42),
    (System::OldWindows, 0.02),
    (System::Apple, 0.24),
    (System::Linux, 0.08),
    (System::OldLinux, 0.24),
];

impl System {
    /// Chooses a system by its share; `unit` lies in 0..1.
    pub(super) fn choose(unit: f64) -> Self {
        let mut sum = 0.0;
        for (system, share) in MIX {
            sum += share;
            if unit < sum {
                return system;
            }
        }
        Self::OldLinux
    }

    /// Returns the seconds between an unanswered SYN and the next, by how many were sent; `None` when it gives up.
    ///
    /// Linux 6.5 (`tcp_syn_linear_timeouts`), macOS and iOS send four more at one second each before they double
    /// (DETECTION 2.2); earlier Linux doubles from one second, Windows too since it follows RFC 6298, and from three
    /// seconds before that (RFC 1122).
    pub(super) const fn retry_after(self, sent: u8) -> Option<f64> {
        let schedule: &[f64] = match self {
            Self::Linux | Self::Apple => &[1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 4.0, 8.0],
            Self::OldLinux => &[1.0, 2.0, 4.0, 8.0, 16.0],
            Self::Windows => &[1.0, 2.0, 4.0, 8.0],
            Self::OldWindows => &[3.0, 6.0],
        };
        let place = sent.saturating_sub(1) as usize;
        if place < schedule.len() { Some(schedule[place]) } else { None }
    }

    /// Returns the initial hop limit.
    pub(super) const fn hop_limit(self) -> u8 {
        match self {
            Self::Windows | Self::OldWindows => 128,
            Self::Apple | Self::Linux | Self::OldLinux => 64,
        }
    }

    /// Returns the window of the SYN.
    pub(super) const fn syn_window(self) -> u16 {
        match self {
            Self::Windows | Self::Linux => 64_240,
            Self::OldWindows => 8_192,
            Self::Apple | Self::OldLinux => 65_535,
        }
    }

    /// Returns a usual window, unscaled, of later segments.
    pub(super) const fn window(self) -> u16 {
        match self {
            Self::Windows => 1_026,
            Self::OldWindows => 256,
            Self::Apple => 2_058,
            Self::Linux | Self::OldLinux => 502,
        }
    }

    /// Tells whether it asks for timestamps (RFC 7323).
    pub(super) const fn has_timestamps(self) -> bool {
        !matches!(self, Self::Windows | Self::OldWindows)
    }

    /// Returns the first port and the number of ports it opens connections from.
    pub(super) const fn ephemeral_ports(self) -> (u16, u16) {
        match self {
            Self::Windows | Self::OldWindows | Self::Apple => (49_152, 16_384),
            Self::Linux | Self::OldLinux => (32_768, 28_232),
        }
    }

    /// Returns the options of its SYN.
    pub(super) fn syn_options(self, mss: u16, ticks: u32) -> Options {
        let mut options = Options::default();
        options.mss(mss);
        match self {
            Self::Windows | Self::OldWindows => {
                let scale = if matches!(self, Self::Windows) { 8 } else { 2 };
                options.extend(&[1, 3, 3, scale, 1, 1, 4, 2]);
            }
            Self::Apple => {
                options.extend(&[1, 3, 3, 6, 1, 1]);
                options.timestamps(ticks, 0);
                options.extend(&[4, 2, 0, 0]);
            }
            Self::Linux | Self::OldLinux => {
                options.extend(&[4, 2]);
                options.timestamps(ticks, 0);
                options.extend(&[1, 3, 3, if matches!(self, Self::Linux) { 7 } else { 8 }]);
            }
        }
        options
    }
}

/// The options field of a TCP header (RFC 9293 section 3.1), always a multiple of four bytes when written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    bytes: [u8; 32],
    length: usize,
}

impl Options {
    /// Returns what a Linux server answers a SYN with, after what the client asked for.
    pub(super) fn of_syn_ack(mss: u16, timestamps: Option<(u32, u32)>) -> Self {
        let mut options = Self::default();
        options.mss(mss);
        match timestamps {
            Some((own, echoed)) => {
                options.extend(&[4, 2]);
                options.timestamps(own, echoed);
            }
            None => options.extend(&[1, 1, 4, 2]),
        }
        options.extend(&[1, 3, 3, 7]);
        options
    }

    /// Returns what a Linux server answers a SYN without options with.
    pub(super) fn of_bare_syn_ack(mss: u16) -> Self {
        let mut options = Self::default();
        options.mss(mss);
        options
    }

    /// Returns what every later segment carries: timestamps, where they are in use.
    pub(super) fn of_segment(timestamps: Option<(u32, u32)>) -> Self {
        let mut options = Self::default();
        if let Some((own, echoed)) = timestamps {
            options.extend(&[1, 1]);
            options.timestamps(own, echoed);
        }
        options
    }

    /// Returns the bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn mss(&mut self, mss: u16) {
        let [high, low] = mss.to_be_bytes();
        self.extend(&[2, 4, high, low]);
    }

    fn timestamps(&mut self, own: u32, echoed: u32) {
        self.extend(&[8, 10]);
        self.extend(&own.to_be_bytes());
        self.extend(&echoed.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_fill_whole_words() {
        for (system, _) in MIX {
            assert_eq!(system.syn_options(1_460, 7).bytes().len() % 4, 0, "{system:?}");
        }
        for timestamps in [None, Some((1, 2))] {
            assert_eq!(Options::of_syn_ack(1_460, timestamps).bytes().len() % 4, 0);
            assert_eq!(Options::of_segment(timestamps).bytes().len() % 4, 0);
        }
    }

    #[test]
    fn shares_of_systems_add_up() {
        let sum: f64 = MIX.iter().map(|(_, share)| share).sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }

    #[test]
    fn every_system_retries_and_then_gives_up() {
        for (system, _) in MIX {
            let waits: Vec<f64> = (1..=u8::MAX).map_while(|sent| system.retry_after(sent)).collect();
            assert!(waits.len() >= 2 && waits.iter().all(|wait| *wait >= 1.0), "{system:?} {waits:?}");
        }
    }
}
