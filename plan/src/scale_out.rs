//! Where workers come from: stopped ones and new ones, whichever are sooner, each from the first offering that is open.

use jiff::Timestamp;

use crate::census::count;
use crate::inputs::startable;
use crate::{Closed, Fleet, Instance, Launch, Observed, Offering, Start};

/// How many workers to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// To take jobs, as soon as can be.
    pub(crate) workers: u32,
    /// To be stopped in the warm pool once they are ready: new ones, and no spot ones, which cannot be stopped.
    pub(crate) for_pool: u32,
    /// A stopped worker is ready no later than a new one.
    pub(crate) warm_is_sooner: bool,
    /// On-demand workers that are there or on their way.
    pub(crate) on_demand: u32,
}

/// How workers are got.
pub(crate) struct Sources<'a> {
    fleet: &'a Fleet,
    observed: &'a Observed,
    now: Timestamp,
    on_demand: u32,
    pub(crate) start: Vec<Start>,
    pub(crate) launch: Vec<Launch>,
    /// So many cannot be got now.
    pub(crate) missing: u32,
    /// When the first of the closed offerings opens again.
    pub(crate) opens_at: Option<Timestamp>,
}

/// How to get the workers that are wanted.
pub(crate) fn sources<'a>(fleet: &'a Fleet, observed: &'a Observed, wanted: Wanted, now: Timestamp) -> Sources<'a> {
    let Wanted { workers, for_pool, warm_is_sooner, on_demand } = wanted;
    let mut sources = Sources { fleet, observed, now, on_demand, start: Vec::new(), launch: Vec::new(), missing: workers, opens_at: None };
    let stopped = startable(fleet, observed, now);
    if warm_is_sooner {
        sources.start(&stopped);
        sources.launch();
    } else {
        sources.launch();
        sources.start(&stopped);
    }
    let missing = std::mem::replace(&mut sources.missing, for_pool);
    sources.take(|offering| !offering.spot, u32::MAX);
    sources.missing += missing;
    sources
}

impl Sources<'_> {
    fn start(&mut self, stopped: &[&Instance]) {
        for instance in stopped {
            if self.missing == 0 {
                return;
            }
            if self.room(&instance.offering) == 0 {
                continue;
            }
            self.missing -= 1;
            match self.start.iter_mut().find(|start| start.offering == instance.offering) {
                Some(start) => start.ids.push(instance.id.clone()),
                None => self.start.push(Start { offering: instance.offering.clone(), ids: vec![instance.id.clone()] }),
            }
        }
    }

    /// New workers: on-demand ones as far as there must be such, the others in the order of the offerings.
    fn launch(&mut self) {
        // Stopped ones are on-demand.
        let started = count(self.start.iter().map(|start| start.ids.len()).sum());
        let base = self.fleet.on_demand_base.saturating_sub(self.on_demand + started);
        self.take(|offering| !offering.spot, base);
        self.take(|_| true, u32::MAX);
    }

    /// Takes what is missing, `limit` at most, from the offerings that are `fit`, in their order.
    fn take(&mut self, fit: impl Fn(&Offering) -> bool, limit: u32) {
        let mut wanted = self.missing.min(limit);
        let fleet = self.fleet;
        for offering in fleet.offerings.iter().filter(|offering| fit(offering)) {
            let number = self.room(offering).min(wanted);
            if wanted > number {
                self.note_opening(offering);
            }
            if number == 0 {
                continue;
            }
            wanted -= number;
            self.missing -= number;
            match self.launch.iter_mut().find(|launch| launch.offering == *offering) {
                Some(launch) => launch.count += number,
                None => self.launch.push(Launch { offering: offering.clone(), count: number }),
            }
        }
    }

    fn note_opening(&mut self, offering: &Offering) {
        let until = self.closed(offering).map(|closed| closed.until).filter(|until| *until > self.now);
        self.opens_at = self.opens_at.into_iter().chain(until).min();
    }

    fn closed(&self, offering: &Offering) -> Option<&Closed> {
        self.observed.closed.iter().filter(|closed| closed.offering == *offering).max_by_key(|closed| closed.until)
    }

    /// How many more may be got of an offering now: all, none while it is closed, then a probe. One probe at a time.
    fn room(&self, offering: &Offering) -> u32 {
        let Some(closed) = self.closed(offering) else { return u32::MAX };
        let asked = self.observed.intents.iter().any(|intent| !intent.answered && intent.offering == *offering);
        if closed.until > self.now || asked { 0 } else { closed.probe.max(1).saturating_sub(self.taken(offering)) }
    }

    /// How many this plan gets of an offering.
    fn taken(&self, offering: &Offering) -> u32 {
        let started = self.start.iter().filter(|start| start.offering == *offering).map(|start| start.ids.len()).sum();
        let launched: u32 = self.launch.iter().filter(|launch| launch.offering == *offering).map(|launch| launch.count).sum();
        launched + count(started)
    }
}
