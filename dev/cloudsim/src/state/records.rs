//! Owns the store of instances: those of now, what they were within the describe lag, and the indexes to find them by.
//! Knows nothing of what is done to them or asked about them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::instance::Instance;
use super::tag_index::TagIndex;
use super::tags::Tags;

/// An instance as it was until a change.
#[derive(Debug)]
struct Past {
    until: Timestamp,
    instance: Arc<Instance>,
}

/// All instances, by launch order, which is also the order of listing.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// How far back the past is kept; zero keeps none.
    lag: SignedDuration,
    present: BTreeMap<u64, Arc<Instance>>,
    /// Also of those that only the past knows.
    orders: HashMap<String, u64>,
    volumes: HashMap<String, u64>,
    tags: TagIndex,
    past: BTreeMap<u64, VecDeque<Past>>,
    /// Each version in `past`, in the order in which they are forgotten.
    fading: VecDeque<(Timestamp, u64)>,
    next: u64,
}

impl Records {
    /// An empty store that can say how things were up to `lag` ago.
    pub(super) fn new(lag: SignedDuration) -> Self {
        Self { lag, ..Self::default() }
    }

    /// The order that the next instance will have.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn insert(&mut self, instance: Instance) -> u64 {
        let order = self.next;
        self.next += 1;
        self.orders.insert(instance.id.clone(), order);
        self.volumes.extend(instance.volumes.iter().map(|volume| (volume.id.clone(), order)));
        self.tags.add(order, &instance.tags);
        self.present.insert(order, Arc::new(instance));
        order
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Instance> {
        self.present.values().map(AsRef::as_ref)
    }

    pub(super) fn get(&self, order: u64) -> Option<&Instance> {
        self.present.get(&order).map(AsRef::as_ref)
    }

    /// The order of the instance with this id, unless it is gone.
    pub(super) fn order(&self, id: &str) -> Option<u64> {
        self.orders.get(id).copied().filter(|order| self.present.contains_key(order))
    }

    /// The order of the instance with this disk.
    pub(super) fn order_of_volume(&self, id: &str) -> Option<u64> {
        self.volumes.get(id).copied()
    }

    /// Changes anything but tags: the index would not hear of those.
    pub(super) fn edit<T>(&mut self, order: u64, now: Timestamp, change: impl FnOnce(&mut Instance) -> T) -> Option<T> {
        self.remember(order, now);
        self.present.get_mut(&order).map(|record| change(Arc::make_mut(record)))
    }

    /// Changes an instance's tags.
    pub(super) fn retag(&mut self, order: u64, now: Timestamp, change: impl FnOnce(&mut Tags)) {
        self.remember(order, now);
        if let Some(record) = self.present.get_mut(&order) {
            let instance = Arc::make_mut(record);
            self.tags.remove(order, &instance.tags);
            change(&mut instance.tags);
            self.tags.add(order, &instance.tags);
        }
    }

    /// Takes an instance out for good.
    pub(super) fn remove(&mut self, order: u64, now: Timestamp) {
        self.remember(order, now);
        if let Some(instance) = self.present.remove(&order) {
            self.tags.remove(order, &instance.tags);
            for volume in &instance.volumes {
                self.volumes.remove(&volume.id);
            }
            if !self.past.contains_key(&order) {
                self.orders.remove(&instance.id);
            }
        }
    }

    /// Keeps what an instance is until now. What began and ended at one time was never to be seen.
    fn remember(&mut self, order: u64, now: Timestamp) {
        let Some(instance) = self.present.get(&order).filter(|_| !self.lag.is_zero()) else {
            return;
        };
        let versions = self.past.entry(order).or_default();
        if versions.back().is_none_or(|last| last.until < now) {
            versions.push_back(Past { until: now, instance: instance.clone() });
            self.fading.push_back((now, order));
        }
    }

    /// Forgets what nobody can be shown any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        while let Some((until, order)) = self.fading.front().copied().filter(|(until, _)| *until + self.lag <= now) {
            self.fading.pop_front();
            let Some(versions) = self.past.get_mut(&order) else {
                continue;
            };
            let oldest = versions.pop_front_if(|version| version.until <= until);
            if versions.is_empty() {
                self.past.remove(&order);
                if let Some(version) = oldest.filter(|_| !self.present.contains_key(&order)) {
                    self.orders.remove(&version.instance.id);
                }
            }
        }
    }

    /// The instances as DescribeInstances knows them now: as they were before the lag.
    pub(super) fn seen(&self, now: Timestamp) -> Seen<'_> {
        Seen { records: self, time: now - self.lag }
    }
}

/// The instances at a time of the near past.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    records: &'a Records,
    time: Timestamp,
}

impl<'a> Seen<'a> {
    /// The instance of this order as it was then, if it was there.
    pub(super) fn get(self, order: u64) -> Option<&'a Instance> {
        let Self { records, time } = self;
        let past = records.past.get(&order).and_then(|versions| versions.iter().find(|version| version.until > time));
        let instance = past.map(|version| &version.instance).or_else(|| records.present.get(&order))?;
        (instance.created_at <= time).then_some(instance.as_ref())
    }

    /// The order of the instance with this id, if it was there.
    pub(super) fn order(self, id: &str) -> Option<u64> {
        self.records.orders.get(id).copied().filter(|order| self.get(*order).is_some())
    }

    /// All that were there, in order, from the one behind `after`.
    pub(super) fn all(self, after: Option<u64>) -> Box<dyn Iterator<Item = (u64, &'a Instance)> + 'a> {
        let from = after.map_or(0, |after| after.saturating_add(1));
        let present = self.records.present.range(from..);
        if self.records.past.is_empty() {
            let there = present.filter(move |(_, instance)| instance.created_at <= self.time);
            return Box::new(there.map(|(order, instance)| (*order, instance.as_ref())));
        }
        let gone = self.records.past.range(from..).map(|(order, _)| *order).filter(|order| !self.records.present.contains_key(order));
        // What is gone was mostly launched early: the sort has little to do.
        let mut orders: Vec<u64> = present.map(|(order, _)| *order).chain(gone).collect();
        orders.sort_unstable();
        Box::new(self.pick(orders.into_iter()))
    }

    /// Those that may have had one of these values for a tag, in order, from the one behind `after`: all that did are among them.
    pub(super) fn tagged(self, key: &str, values: &[String], after: Option<u64>) -> impl Iterator<Item = (u64, &'a Instance)> + use<'a> {
        let from = after.map_or(0, |after| after.saturating_add(1));
        let now: BTreeSet<u64> = self.records.tags.with(key, values).chain(self.records.past.keys().copied()).collect();
        self.pick(now.into_iter().filter(move |order| *order >= from))
    }

    /// How many [`Self::tagged`] would go through.
    pub(super) fn count_tagged(self, key: &str, values: &[String]) -> usize {
        self.records.tags.count(key, values) + self.records.past.len()
    }

    fn pick<I: Iterator<Item = u64>>(self, orders: I) -> impl Iterator<Item = (u64, &'a Instance)> + use<'a, I> {
        orders.filter_map(move |order| Some((order, self.get(order)?)))
    }
}
