//! Owns the index of instances by tag. Knows only their orders.

use std::collections::{BTreeSet, HashMap};

use super::tags::Tags;

/// Orders by key and value.
#[derive(Debug, Default)]
pub(super) struct TagIndex(HashMap<String, HashMap<String, BTreeSet<u64>>>);

impl TagIndex {
    pub(super) fn add(&mut self, order: u64, tags: &Tags) {
        for (key, value) in tags {
            if !self.0.contains_key(key) {
                self.0.insert(key.clone(), HashMap::new());
            }
            let Some(values) = self.0.get_mut(key) else {
                continue;
            };
            match values.get_mut(value) {
                Some(orders) => {
                    orders.insert(order);
                }
                None => {
                    values.insert(value.clone(), BTreeSet::from([order]));
                }
            }
        }
    }

    pub(super) fn remove(&mut self, order: u64, tags: &Tags) {
        for (key, value) in tags {
            let Some(values) = self.0.get_mut(key) else {
                continue;
            };
            if let Some(orders) = values.get_mut(value) {
                orders.remove(&order);
                if orders.is_empty() {
                    values.remove(value);
                }
            }
        }
    }

    /// Those with one of these values, in no order.
    pub(super) fn with(&self, key: &str, values: &[String]) -> impl Iterator<Item = u64> {
        self.sets(key, values).flatten().copied()
    }

    /// How many have one of these values.
    pub(super) fn count(&self, key: &str, values: &[String]) -> usize {
        self.sets(key, values).map(BTreeSet::len).sum()
    }

    fn sets(&self, key: &str, values: &[String]) -> impl Iterator<Item = &BTreeSet<u64>> {
        let known = self.0.get(key);
        values.iter().filter_map(move |value| known?.get(value))
    }
}
