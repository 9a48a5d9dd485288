//! What is promised of launches and starts.

use super::{Check, are_distinct};
use crate::rollout::{has_rested, is_stalled};
use crate::{Closed, Instance, Offering, State};

impl Check<'_> {
    pub(super) fn sources(&mut self) {
        let (plan, added) = (self.plan, self.added(None));
        self.require(added == 0 || self.observed.launch_blocked.is_none(), "a blocked fleet launches nothing");
        let known = plan.launch.iter().all(|launch| launch.count > 0 && self.fleet.offerings.contains(&launch.offering));
        self.require(known, "only the fleet's offerings are launched");
        let offerings: std::collections::HashSet<&Offering> = plan.launch.iter().map(|launch| &launch.offering).collect();
        self.require(offerings.len() == plan.launch.len(), "each offering is launched once");
        let stalled = self.is_fresh() && is_stalled(self.observed, self.failing(), self.proven());
        self.require(
            !stalled || added <= u32::from(self.failing() == 0 && has_rested(self.observed, self.now)),
            "a stalled revision is tried one at a time, at times",
        );
        self.starts();
        self.offerings();
    }

    fn starts(&mut self) {
        let plan = self.plan;
        let ids: Vec<&String> = plan.start.iter().flat_map(|start| &start.ids).collect();
        let fits = |instance: &Instance| {
            let whole = instance.state == State::Stopped && instance.reusable && !self.is_outdated(instance);
            let asked = self.observed.intents.iter().any(|intent| intent.starts_unseen(instance) && !intent.answered);
            whole && !asked && !instance.offering.spot && self.fleet.offerings.contains(&instance.offering)
        };
        let starts = plan.start.iter().flat_map(|start| start.ids.iter().map(move |id| (id, &start.offering)));
        let fit = starts.into_iter().all(|(id, offering)| self.find(id).is_some_and(|it| fits(it) && it.offering == *offering));
        let terminated = ids.iter().any(|id| plan.terminate.iter().any(|ended| ended.id == **id));
        self.require(fit, "only whole, stopped workers of the current revision are started, and none that is being started");
        self.require(are_distinct(ids.iter().copied()), "nothing is started twice");
        self.require(!terminated, "what is started is not terminated");
    }

    fn offerings(&mut self) {
        let launched: Vec<&Offering> = self.plan.launch.iter().map(|launch| &launch.offering).collect();
        let keeps = |closed: &Closed| {
            let asked = self.observed.intents.iter().any(|intent| !intent.answered && intent.offering == closed.offering);
            let allowed = if closed.until > self.now || asked { 0 } else { closed.probe.max(1) };
            self.added(Some(&closed.offering)) <= allowed
        };
        let probes = self.observed.closed.iter().all(keeps);
        let is_open = |offering: &Offering| self.observed.closed.iter().all(|closed| closed.offering != *offering);
        let passed = |offering: &Offering| self.fleet.offerings.iter().take_while(|other| *other != offering).any(is_open);
        let (base, prepared) = (self.fleet.on_demand_base, self.fleet.pool.prepared);
        let ordered = launched.iter().all(|offering| !passed(offering));
        let may_spot = self.fleet.offerings.iter().any(|offering| !offering.spot && is_open(offering)) && self.on_demand() < base;
        let spot = launched.iter().any(|offering| offering.spot);
        self.require(probes, "a closed offering is left alone, then probed, one probe at a time");
        self.require(base > 0 || prepared > 0 || ordered, "an offering is launched only where those before it are closed");
        self.require(!(spot && may_spot), "no spot worker is launched before the base of on-demand ones");
    }

    /// On-demand workers that the plan leads to.
    fn on_demand(&self) -> u32 {
        let there = self.active.iter().filter(|instance| !instance.offering.spot).count();
        let offerings: std::collections::HashSet<&Offering> = self.fleet.offerings.iter().filter(|offering| !offering.spot).collect();
        super::number(there) + offerings.into_iter().map(|offering| self.added(Some(offering))).sum::<u32>() + self.plan.census.coming
    }
}
