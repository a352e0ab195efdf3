//! What becomes of conversations when more or fewer of them are counted than before.

use super::{Context, Partition, Segment};
use crate::flow::EndReason;
use crate::flow::entry::State;
use crate::flow::pending::Talk;
use crate::flow::table::FlowId;
use crate::packet::TcpFlags;
use crate::time::Tick;

impl Partition {
    /// Takes that from now on another part of the pairs is given.
    pub(crate) fn resample(&mut self, cx: &mut Context<'_>, now: Tick) {
        let mut all = self.table.turn(now, true);
        while let Some(id) = self.table.next_due(&mut all, now, true) {
            let key = self.table.get(id).key;
            if !cx.sampling.keeps(cx.seed.pair(key.low, key.high)) {
                self.cancel(cx, id);
            }
        }
        self.cohort.clear();
        self.attempts.clear();
        self.places.forget_followed();
    }

    /// Removes a flow that is cut. It has no outcome and nothing is told of it; nor is it counted as an end of an open
    /// connection, since from now on each that is left stands for it too.
    fn cancel(&mut self, cx: &mut Context<'_>, id: FlowId) {
        let flow = self.table.remove(id);
        if flow.has(State::COUNTED)
            && let Some(at) = self.responder_place(&flow)
        {
            self.places.get_mut(at).end_connection();
        }
        if flow.owes_progress() {
            self.progress.end(flow.hash, &flow.key, flow.volumes());
        }
        self.record(cx, &flow, EndReason::LackOfResources);
    }

    /// Tells whether a segment without a flow belongs to a connection that was under way while its pair was shed. Taken for
    /// the beginning of something it would look like a new client, or like a segment of no connection.
    pub(super) fn is_midway(&self, cx: &Context<'_>, segment: &Segment<'_>) -> bool {
        if cx.lately == cx.sampling || !segment.packet.is_tcp() || cx.lately.keeps(segment.pair_hash) {
            return false;
        }
        let begun = || {
            let talk = self.pending.find(segment.hash).map(|id| self.pending.get(id));
            talk.is_some_and(|talk| talk.has(Talk::SYN) || talk.has(Talk::SYN_ACK))
        };
        !segment.packet.flags.has(TcpFlags::SYN) && !begun()
    }
}
