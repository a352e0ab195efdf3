//! The one table of alert kinds, severities and verdicts (CONTRACT 2).

macro_rules! closed_set {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the name used in alerts, metrics and truth files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
pub(crate) use closed_set;

closed_set! {
    /// What an alert is about.
    AlertKind {
        /// Handshakes that the server answered and the clients never finish.
        SynFlood = "syn_flood",
        /// Verified connections from abroad beyond what home growth explains.
        ForeignSurge = "foreign_surge",
        /// Datagrams nobody asked for.
        UdpFlood = "udp_flood",
        /// Replies from reflectors that were never asked.
        Amplification = "amplification",
        /// Echo requests or replies in excess.
        IcmpFlood = "icmp_flood",
        /// Fragments in excess.
        FragmentFlood = "fragment_flood",
        /// TCP segments without a connection.
        TcpFlagFlood = "tcp_flag_flood",
        /// A whole prefix is hit, no host above its own limit.
        CarpetBombing = "carpet_bombing",
        /// Completed connections that look alike.
        RoboticSurge = "robotic_surge",
        /// Connections held open or empty.
        ConnectionExhaustion = "connection_exhaustion",
        /// One source, many ports.
        PortScan = "port_scan",
        /// One source, many hosts.
        HostSweep = "host_sweep",
        /// One source, many log-ins.
        BruteForce = "brute_force",
        /// Many sources, many log-ins.
        CredentialStuffing = "credential_stuffing",
        /// Data leaving out of character.
        Exfiltration = "exfiltration",
        /// A server's first connection of its own.
        NewOutbound = "new_outbound",
        /// Regular small connections outwards.
        Beacon = "beacon",
        /// Many real users at once.
        Rush = "rush",
        /// The server cannot keep up with real clients.
        Overload = "overload",
        /// The server stopped serving without extra demand.
        Outage = "outage",
        /// Vigie itself sees too little.
        SensorBlind = "sensor_blind",
    }
}

closed_set! {
    /// How loud an alert is. Ordered.
    Severity {
        /// Shown, never pushed; never a false alarm.
        Info = "info",
        /// A ticket.
        Warning = "warning",
        /// A page.
        Critical = "critical",
    }
}

closed_set! {
    /// What the situation on a target is held to be.
    Verdict {
        /// Traffic meant to harm.
        Attack = "attack",
        /// Real users in number.
        Rush = "rush",
        /// Attack and overload together.
        Mixed = "mixed",
        /// Real demand beyond capacity.
        Overload = "overload",
        /// What flow data can only hint at.
        Suspicion = "suspicion",
        /// The server or the sensor, not the traffic.
        Health = "health",
    }
}

impl AlertKind {
    /// Tells whether a finding of this kind is evidence of an attack by itself.
    #[must_use]
    pub const fn is_attack(self) -> bool {
        use AlertKind as K;
        matches!(
            self,
            K::SynFlood
                | K::ForeignSurge
                | K::UdpFlood
                | K::Amplification
                | K::IcmpFlood
                | K::FragmentFlood
                | K::TcpFlagFlood
                | K::CarpetBombing
                | K::RoboticSurge
                | K::ConnectionExhaustion
        )
    }
}
