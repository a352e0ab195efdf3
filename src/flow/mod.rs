//! The bounded flow table and the SYN cohort sampler.

use crate::kind::closed_set;

closed_set! {
    /// Why a flow ended (IPFIX flowEndReason, information element 136, RFC 5102).
    EndReason {
        /// Idle for longer than the idle timeout.
        IdleTimeout = "idle_timeout",
        /// Active for longer than the active timeout: reported and kept.
        ActiveTimeout = "active_timeout",
        /// Closed by FIN or RST.
        EndOfFlow = "end_of_flow",
        /// The run ended.
        ForcedEnd = "forced_end",
        /// Its place was needed.
        LackOfResources = "lack_of_resources",
    }
}
