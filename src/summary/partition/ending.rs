//! The life of an entry and the end of a tick: who enters, who leaves, and what is said of it.

use super::{Context, MOST_ENDED, Partition, Segment, report};
use crate::country::Country;
use crate::flow::entry::{Flow, State};
use crate::flow::table::{Admission, FlowId, reschedule};
use crate::flow::{EndReason, Volume};
use crate::policy::Direction;
use crate::summary::{CohortRecord, Contact, ContactStage};
use crate::time::{Tick, Timestamp};

impl Partition {
    pub(super) fn enter(&mut self, cx: &mut Context<'_>, flow: Flow, now: Timestamp) -> Option<FlowId> {
        match self.table.admit(flow, now) {
            Admission::Free(id) => Some(id),
            Admission::Evicted(id, mut evicted) => {
                // One that was over is only swept early.
                let over = evicted.has(State::CLOSED);
                let reason = if over { EndReason::EndOfFlow } else { EndReason::LackOfResources };
                self.write(cx, &mut evicted, reason, now);
                Some(id)
            }
            Admission::Refused => None,
        }
    }

    /// A connection that found no place is counted all the same.
    pub(super) fn refuse(&mut self, cx: &mut Context<'_>, flow: &Flow, segment: &Segment<'_>, finished: bool) {
        cx.counts.refused += 1;
        cx.counts.unanswered += 1;
        if let Some(at) = self.server_place(flow, segment).filter(|_| finished) {
            let country = cx.origins.country(flow.origin());
            let host = self.host(cx, at);
            host.count_verified(country);
            host.connections.ended += 1;
        }
    }

    /// Removes a flow, at the time of its last packet.
    pub(super) fn end(&mut self, cx: &mut Context<'_>, id: FlowId, reason: EndReason) {
        let mut flow = self.table.remove(id);
        let last = flow.last();
        self.write(cx, &mut flow, reason, last);
    }

    /// Writes a flow that has left the table.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, flow: &mut Flow, reason: EndReason, now: Timestamp) {
        self.close_connection(cx, flow, now);
        if flow.awaits_settlement() {
            self.contact(cx, flow, ContactStage::Settled, now);
        }
        self.tell_rest(cx, flow, now);
        self.record(cx, flow, reason);
    }

    pub(super) fn record(&mut self, cx: &mut Context<'_>, flow: &Flow, reason: EndReason) {
        cx.counts.ended[reason as usize] += 1;
        if self.ended.len() < MOST_ENDED {
            self.ended.push(flow.record(reason, originator_country(cx, flow)));
        }
    }

    pub(super) fn settle(&mut self, cx: &mut Context<'_>, id: FlowId, at: Timestamp) {
        let flow = self.table.get_mut(id);
        if flow.awaits_settlement() {
            flow.set(State::SETTLED);
            let flow = *flow;
            self.contact(cx, &flow, ContactStage::Settled, at);
        }
    }

    /// Tells what a conversation carried, when it has advanced enough.
    pub(super) fn tell_progress(&mut self, cx: &mut Context<'_>, id: FlowId, at: Timestamp) {
        let flow = self.table.get_mut(id);
        flow.set(State::PROGRESS);
        let flow = *flow;
        if let Some(volumes) = self.progress.advance(flow.hash, &flow.key, flow.volumes()) {
            self.contact_with(cx, &flow, ContactStage::Progress, at, volumes);
        }
    }

    /// Tells what is left to tell of a large conversation before its counts end or begin anew.
    fn tell_rest(&mut self, cx: &mut Context<'_>, flow: &Flow, at: Timestamp) {
        if flow.owes_progress() {
            let volumes = self.progress.end(flow.hash, &flow.key, flow.volumes());
            if volumes.iter().any(|volume| !volume.is_zero()) {
                self.contact_with(cx, flow, ContactStage::Progress, at, volumes);
            }
        }
    }

    pub(super) fn contact(&mut self, cx: &mut Context<'_>, flow: &Flow, stage: ContactStage, at: Timestamp) {
        self.contact_with(cx, flow, stage, at, flow.volumes());
    }

    /// Offers a contact with what the low and the high end sent.
    fn contact_with(
        &mut self,
        cx: &mut Context<'_>,
        flow: &Flow,
        stage: ContactStage,
        at: Timestamp,
        volumes: [Volume; 2],
    ) {
        if flow.opened() == Direction::Transit && !cx.policy.is_learning() {
            return;
        }
        let (asks, answers) = (flow.originator(), flow.originator().other());
        let originator = flow.key.address(asks);
        let contact = Contact {
            at,
            stage,
            originator,
            responder: flow.key.address(answers),
            port: if flow.has_ports() { flow.key.port(answers) } else { 0 },
            protocol: flow.key.protocol,
            country: originator_country(cx, flow),
            verified: flow.has(State::VERIFIED),
            age_ms: flow.age_us(at) / 1_000,
            sent: volumes[asks.index()],
            received: volumes[answers.index()],
            served: flow.has(State::both(State::PAYLOAD)),
            repeated: flow.has(State::REPEATED),
            weight: 1,
        };
        self.contacts.offer(cx.seed.address(originator.source_unit()), contact);
    }

    pub(super) fn sweep(&mut self, cx: &mut Context<'_>, tick: Tick, leapt: bool) {
        let now = tick.end();
        let mut turn = self.table.turn(tick, leapt);
        while let Some(id) = self.table.next_due(&mut turn, tick, leapt) {
            let flow = self.table.get(id);
            let ending = flow.ending(cx.timeouts, now);
            let (ripe, of_age) = (flow.is_ripe(now), flow.is_of_age(now));
            self.age_connection(cx, id, (ripe, of_age), tick.start());
            if of_age || ending.is_some() {
                self.settle(cx, id, tick.start());
            }
            match ending {
                Some(EndReason::ActiveTimeout) => {
                    let flow = *self.table.get(id);
                    self.tell_rest(cx, &flow, tick.start());
                    self.record(cx, &flow, EndReason::ActiveTimeout);
                    self.table.get_mut(id).restart();
                }
                Some(reason) => {
                    self.end(cx, id, reason);
                    continue;
                }
                None => {}
            }
            reschedule(&mut self.table, id, cx.timeouts);
        }
    }

    pub(super) fn close_cohort(
        &mut self,
        cx: &mut Context<'_>,
        tick: Tick,
        leapt: bool,
        cohorts: &mut Vec<CohortRecord>,
    ) {
        let (places, reported) = (&mut self.places, &mut self.reported);
        self.cohort.close(tick, leapt, |handshake, stage| reported.push(report(places, handshake, stage, tick.end())));
        cohorts.append(reported);
        let refused = self.cohort.take_refused();
        let shift = self.places.close(self.cohort.taken(), self.cohort.capacity(), refused > 0, cx.hosts);
        cx.counts.cohort_refused += u64::from(refused);
        cx.counts.sampler_shift = cx.counts.sampler_shift.max(u32::from(shift));
    }
}

fn originator_country(cx: &Context<'_>, flow: &Flow) -> Country {
    let originator = flow.key.address(flow.originator());
    if flow.has(State::VERIFIED) && flow.origin() == originator { flow.country } else { cx.origins.country(originator) }
}
