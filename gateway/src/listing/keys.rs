//! Keys of objects and the ids in them: which keys are ours, and how the keys of some ids are found with few lists. Pure.

use std::collections::BTreeMap;

use uuid::Uuid;
use wire::ObjectKeys;

use crate::aws::Page;

/// Id and name in the key of an image or a result. Others have keys of other kinds: claims, copies under an image's name, strangers'.
pub(crate) fn ours(key: &str) -> Option<(Uuid, &str)> {
    let (id, name) = key.split_once('/')?;
    let id = Uuid::parse_str(id).ok().filter(|parsed| parsed.get_version_num() == 7 && parsed.to_string() == id)?;
    (!name.is_empty() && !name.contains('/')).then_some((id, name))
}

/// Ids whose keys are looked for, in their order, and the keys that were found.
#[derive(Debug)]
pub(crate) struct AtMost {
    /// Not passed by any list yet.
    rest: Vec<Uuid>,
    pub(crate) found: BTreeMap<Uuid, String>,
}

impl AtMost {
    pub(crate) fn new(ids: &[Uuid]) -> Self {
        let mut rest = ids.to_vec();
        rest.sort();
        rest.dedup();
        Self { rest, found: BTreeMap::new() }
    }

    /// Behind which key is to be listed next; none when all ids were passed.
    pub(crate) fn next(&self) -> Option<String> {
        self.rest.first().map(ToString::to_string)
    }

    /// Learns from what is behind that key.
    pub(crate) fn learn(&mut self, page: &Page) {
        for key in &page.keys {
            if let Some((id, _)) = ours(key)
                && self.rest.binary_search(&id).is_ok()
            {
                self.found.entry(id).or_insert_with(|| key.clone());
            }
        }
        match page.keys.last() {
            Some(last) if page.more => self.rest.retain(|id| !self.found.contains_key(id) && ObjectKeys::prefix(*id) > *last),
            _ => self.rest.clear(),
        }
    }

    /// What is left, in up to `parts` parts that can be looked for side by side.
    pub(crate) fn parts(&self, parts: usize) -> Vec<Self> {
        let size = self.rest.len().div_ceil(parts).max(1);
        self.rest.chunks(size).map(|rest| Self { rest: rest.to_vec(), found: BTreeMap::new() }).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn id(milliseconds: u64) -> Uuid {
        uuid::Builder::from_unix_timestamp_millis(milliseconds, &[7; 10]).into_uuid()
    }

    #[test]
    fn keys_of_others_are_known_as_such() {
        let id = id(1_700_000_000_000);
        assert_eq!(ours(&format!("{id}/a.jpg")), Some((id, "a.jpg")));
        let upper = id.to_string().to_uppercase();
        let version_4 = Uuid::new_v4();
        let others = [
            "a.jpg".to_owned(),
            "idempotency/00ff/0.json".to_owned(),
            format!("{id}"),
            format!("{id}/"),
            format!("{id}/a/b.jpg"),
            format!("{}/a.jpg", id.simple()),
            format!("{upper}/a.jpg"),
            format!("{version_4}/a.jpg"),
        ];
        for key in others {
            assert_eq!(ours(&key), None, "{key}");
        }
    }

    /// Looks for `ids` among `keys`, of which one list shows `size`; returns what was found and the number of lists.
    fn look(ids: &[Uuid], keys: &[String], size: usize) -> (Vec<Uuid>, usize) {
        let (mut sought, mut lists) = (AtMost::new(ids), 0);
        while let Some(after) = sought.next() {
            let behind: Vec<String> = keys.iter().filter(|key| **key > after).cloned().collect();
            let more = behind.len() > size;
            sought.learn(&Page { keys: behind.into_iter().take(size).collect(), more });
            lists += 1;
        }
        (sought.found.into_keys().collect(), lists)
    }

    #[test]
    fn ids_of_one_time_are_found_with_one_list_and_each_list_passes_one_at_least() {
        let all: Vec<Uuid> = (0..100).map(id).collect();
        let keys: Vec<String> = all.iter().map(|id| format!("{id}/a.jpg.json")).collect();
        assert_eq!(look(&all[20..40], &keys, 30), (all[20..40].to_vec(), 1));
        assert_eq!(look(&[all[90], all[3], all[50], all[3]], &keys, 10), (vec![all[3], all[50], all[90]], 3));
        assert_eq!(look(&[id(200), id(300)], &keys, 10), (Vec::new(), 1), "nothing is behind them");
        assert_eq!(look(&[id(5)], &keys[6..], 10), (Vec::new(), 1), "what follows is another's");
        assert_eq!(look(&[], &keys, 10), (Vec::new(), 0));
    }
}
