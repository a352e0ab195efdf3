//! The closed sets behind the labels that no other module owns.
//!
//! A label value is either one of these names, a name of another module's closed set (discard reasons, alert kinds), or
//! a name from the configuration. It never comes from traffic, country codes excepted, whose number is bounded.

use crate::kind::closed_set;

closed_set! {
    /// Which way traffic of a site went: label `direction`.
    TrafficDirection {
        /// To the site from outside.
        Inbound = "inbound",
        /// From the site to the outside.
        Outbound = "outbound",
        /// Between protected hosts.
        Internal = "internal",
    }
}

closed_set! {
    /// What became of handshakes: label `outcome` of `vigie_site_handshakes_total`.
    HandshakeOutcome {
        /// A first SYN, retransmissions removed.
        Opened = "opened",
        /// The server answered with SYN-ACK.
        Answered = "answered",
        /// The client proved its address.
        Finished = "finished",
        /// The client reset it after the answer.
        Abandoned = "abandoned",
        /// The client sent the same SYN again while unanswered, as real stacks do.
        Retried = "retried",
        /// The server refused it.
        Refused = "refused",
    }
}

closed_set! {
    /// Where the client of a verified connection is registered, as seen from home: label `origin`.
    ConnectionOrigin {
        /// In a home country.
        Home = "home",
        /// In another country.
        Foreign = "foreign",
        /// Nowhere known, or home itself is not known.
        Unknown = "unknown",
    }
}

closed_set! {
    /// What became of a SIGHUP: label `outcome` of `vigie_reloads_total`.
    ReloadOutcome {
        /// Everything that was read is in force, or waits for a restart.
        Succeeded = "succeeded",
        /// The configuration or the certificate was wrong; the one before stays in force.
        Refused = "refused",
    }
}

closed_set! {
    /// Where frames were lost: label `where` of `vigie_capture_drops_total`.
    DropPlace {
        /// In the capture ring, because it was full.
        Kernel = "kernel",
        /// In the interface or its driver.
        Interface = "interface",
        /// In the program, after decoding: the share of the pairs of addresses that an overloaded run does not count.
        Shed = "shed",
    }
}

closed_set! {
    /// A stage of the pipeline whose work is timed: label `stage`.
    Stage {
        /// One poll of a source, decoding and routing of its frames included.
        Capture = "capture",
        /// One batch in a shard: flow table and counters.
        Shard = "shard",
        /// Joining the shards' summaries of one tick.
        Merge = "merge",
        /// Windows, baselines and detectors of one tick.
        Detect = "detect",
        /// Alert life and sentences of one tick.
        Alert = "alert",
        /// Handing lines to the sinks.
        Export = "export",
    }
}

closed_set! {
    /// A bounded channel: label `queue`.
    Queue {
        /// Packet batches from capture to the shards.
        Packets = "packets",
        /// Summaries from the shards to the scorer.
        Summaries = "summaries",
        /// Alert lines waiting for the sinks.
        Deliveries = "deliveries",
    }
}

closed_set! {
    /// What memory is held for: label `part`. `resident` is what the system counts for the whole process.
    MemoryPart {
        /// The flow tables, with what is remembered of talk that is no flow.
        Flows = "flows",
        /// The samplers of half-open handshakes and first contacts.
        Handshakes = "handshakes",
        /// Counters and sketches of the open ticks.
        Summaries = "summaries",
        /// Rings, baselines and per-source tables of the scorer.
        Windows = "windows",
        /// The country tables.
        Origins = "origins",
        /// Packet batches on their way, spare ones included.
        Queues = "queues",
        /// Capture rings and read buffers.
        Capture = "capture",
        /// Packets kept for evidence.
        Evidence = "evidence",
        /// The whole process, as the system counts it.
        Resident = "resident",
    }
}

closed_set! {
    /// How handing one line to a sink went: label `outcome` of `vigie_sink_deliveries_total`.
    DeliveryOutcome {
        /// The sink took it.
        Delivered = "delivered",
        /// An attempt failed; the run went on, and a sink with a backlog tries again.
        Failed = "failed",
        /// The line was given up: the backlog was full, or the receiver refused it for good.
        Dropped = "dropped",
        /// A rule of silence kept the line from the sink.
        Muted = "muted",
    }
}
