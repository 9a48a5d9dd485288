//! Finds the newest images in a bucket that can only be listed from the oldest on, with few calls: windows of time, the newest first,
//! wider and wider until enough are found, and narrower where a list cannot show all of one. Pure: says what is to be listed, and learns
//! from what the list shows.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::keys::ours;
use crate::aws::Page;

/// Clocks of replicas may differ by so much, in milliseconds: an id may be of a time to come.
const AHEAD: u64 = 3_600_000;
/// Width of the first window, in milliseconds.
const FIRST: u64 = 16_000;
/// Each window in which too little was is followed by one so many times as wide.
const GROWTH: u64 = 8;
/// A window so narrow, in milliseconds, is listed to its end, however much is in it.
const NARROW: u64 = 64;
/// Nothing is older: 2024, before there was a gateway. Names of few digits sort before it.
const EPOCH: u64 = 1_704_067_200_000;

/// The search for the newest images before an id. Times are Unix times in milliseconds, as ids begin with them.
#[derive(Debug)]
pub(crate) struct Search {
    wanted: usize,
    before: Option<Uuid>,
    /// Of all from this time on is known whether they are there.
    high: u64,
    /// Nothing is before this time.
    low: u64,
    /// The window that is being listed begins here.
    from: u64,
    /// It is listed on behind this key.
    walked: Option<String>,
    /// From this time to `high` there is more than one list shows.
    crowded: Option<u64>,
    width: u64,
    now: u64,
    /// Whether more was listed than everything at once.
    begun: bool,
    done: bool,
    found: BTreeMap<Uuid, String>,
}

impl Search {
    /// A search for `wanted` images, at the time `now`.
    pub(crate) fn new(wanted: usize, before: Option<Uuid>, now: u64) -> Self {
        let high = before.map_or(now + AHEAD, |id| milliseconds(&id) + 1);
        Self {
            wanted,
            before,
            high,
            low: EPOCH,
            // A bucket of few objects is known after the first list, which shows all of them.
            from: EPOCH,
            walked: None,
            crowded: None,
            width: FIRST,
            now,
            begun: false,
            done: high <= EPOCH,
            found: BTreeMap::new(),
        }
    }

    /// Behind which key is to be listed next; none when enough is found, or all.
    pub(crate) fn next(&self) -> Option<String> {
        (!self.done).then(|| self.walked.clone().unwrap_or_else(|| begin(self.from)))
    }

    /// Learns from what is behind that key.
    pub(crate) fn learn(&mut self, page: &Page) {
        let in_window: Vec<(Uuid, &str)> = page.keys.iter().filter_map(|key| ours(key)).filter(|(id, _)| self.holds(id)).collect();
        let last = page.keys.last().filter(|last| page.more && **last < begin(self.high));
        let first = in_window.first().map(|(id, _)| milliseconds(id));
        match last {
            // All of the window was shown.
            None => {
                self.keep(in_window);
                self.step_back();
            }
            Some(last) => match first.filter(|_| self.top(self.from) - self.from > NARROW) {
                Some(first) => self.step_forward(first),
                // Strangers stand in the way, or the window cannot be made narrower.
                None => {
                    self.walked = Some(last.clone());
                    self.keep(in_window);
                }
            },
        }
    }

    /// All that was found, the newest first; of more than were wanted, the newest.
    pub(crate) fn found(self) -> Vec<(Uuid, String)> {
        self.found.into_iter().rev().take(self.wanted).collect()
    }

    fn holds(&self, id: &Uuid) -> bool {
        let time = milliseconds(id);
        (self.from..self.high).contains(&time) && self.before.is_none_or(|before| *id < before)
    }

    fn keep(&mut self, images: Vec<(Uuid, &str)>) {
        self.found.extend(images.into_iter().map(|(id, name)| (id, name.to_owned())));
    }

    /// To the window before this one.
    fn step_back(&mut self) {
        self.walked = None;
        self.high = self.from;
        self.done = self.found.len() >= self.wanted || self.high <= self.low;
        let crowded = self.crowded.filter(|crowded| *crowded < self.high);
        self.width = match crowded {
            Some(crowded) => (self.high - crowded).div_ceil(2),
            None => self.width.max(FIRST).saturating_mul(GROWTH),
        };
        self.crowded = crowded;
        self.from = self.high.saturating_sub(self.width).max(self.low);
    }

    /// To a later begin of this window: between the old one and `first` there is nothing, from there on too much.
    fn step_forward(&mut self, first: u64) {
        self.walked = None;
        if self.from <= self.low {
            self.low = first;
        }
        if std::mem::replace(&mut self.begun, true) {
            self.crowded = Some(first);
            self.from = self.top(first) - (self.top(first) - first).div_ceil(2);
        } else {
            self.from = self.top(first).saturating_sub(self.width).max(first);
        }
    }

    /// Until when there will be images, most likely, in a window from `from` on.
    fn top(&self, from: u64) -> u64 {
        if from < self.now { self.high.min(self.now) } else { self.high }
    }
}

fn milliseconds(id: &Uuid) -> u64 {
    (id.as_u128() >> 80) as u64
}

/// What all keys of images of this time or later sort behind.
fn begin(milliseconds: u64) -> String {
    format!("{:08x}-{:04x}", milliseconds >> 16, milliseconds & 0xFFFF)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = EPOCH + 2 * 365 * 24 * HOUR;
    const SECOND: u64 = 1_000;
    const HOUR: u64 = 3_600 * SECOND;

    fn id(time: u64, nth: u16) -> Uuid {
        let mut random = [0; 10];
        random[8..].copy_from_slice(&nth.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(time, &random).into_uuid()
    }

    /// The keys of images accepted at these times, in S3's order.
    fn bucket(times: impl IntoIterator<Item = u64>) -> Vec<String> {
        let times: BTreeMap<u64, u16> = times.into_iter().fold(BTreeMap::new(), |mut times, time| {
            *times.entry(time).or_default() += 1;
            times
        });
        times.into_iter().flat_map(|(time, count)| (0..count).map(move |nth| format!("{}/a.jpg", id(time, nth)))).collect()
    }

    /// What is found in the bucket, and with how many lists of `size` keys.
    fn run(keys: &[String], wanted: usize, before: Option<Uuid>, size: usize) -> (Vec<Uuid>, usize) {
        let (mut search, mut lists) = (Search::new(wanted, before, NOW), 0);
        while let Some(after) = search.next() {
            let begin = keys.partition_point(|key| *key <= after);
            let end = keys.len().min(begin + size);
            search.learn(&Page { keys: keys[begin..end].to_vec(), more: end < keys.len() });
            lists += 1;
            assert!(lists < 20_000, "it never ends");
        }
        (search.found().into_iter().map(|(id, _)| id).collect(), lists)
    }

    /// The newest by looking at everything.
    fn newest(keys: &[String], wanted: usize, before: Option<Uuid>) -> Vec<Uuid> {
        let ids = keys.iter().rev().filter_map(|key| ours(key)).map(|(id, _)| id);
        ids.filter(|id| milliseconds(id) < NOW + AHEAD && before.is_none_or(|before| *id < before)).take(wanted).collect()
    }

    #[test]
    fn few_lists_are_enough_whenever_images_came() {
        let table = [
            ("nothing", bucket([]), 1),
            ("a few", bucket((0..900).map(|n| NOW - n * HOUR)), 1),
            ("one each second for a day", bucket((0..86_400).map(|n| NOW - n * SECOND)), 4),
            ("100 a second for an hour", bucket((0..360_000).map(|n| NOW - n * 10)), 3),
            ("300,000 in ten minutes, a day ago", bucket((0..300_000).map(|n| NOW - 24 * HOUR - n * 2)), 20),
            ("2,000 at one moment, a week ago", bucket((0..2_000).map(|_| NOW - 168 * HOUR)), 40),
            ("long ago, then few", bucket((0..50_000).map(|n| NOW - 9_000 * HOUR - n * SECOND).chain([NOW - 5, NOW - HOUR])), 24),
        ];
        for (name, keys, most) in table {
            let (found, lists) = run(&keys, 51, None, 1000);
            assert_eq!(found, newest(&keys, 51, None), "{name}");
            assert!(lists <= most, "{name}: {lists} lists");
        }
    }

    #[test]
    fn a_list_goes_on_where_it_ended() {
        let keys = bucket((0..30_000).map(|n| NOW - 48 * HOUR - n * 7));
        let (mut before, mut all, mut most) = (None, Vec::new(), 0);
        for _ in 0..20 {
            let (found, lists) = run(&keys, 50, before, 1000);
            (before, most) = (found.last().copied(), most.max(lists));
            all.extend(found);
        }
        assert_eq!(all, newest(&keys, 1000, None));
        assert!(most <= 20, "{most} lists");
    }

    #[test]
    fn objects_of_others_stand_in_nobodys_way() {
        let mut keys = bucket((0..3_000).map(|n| NOW - n * SECOND));
        keys.extend((0..2_500).map(|n| format!("019{n:04}.jpg")));
        keys.extend((0..2_500).map(|n| format!("test_{n:04}.jpg")));
        keys.extend((0..2_500).map(|n| format!("idempotency/{n:04}/0.json")));
        keys.push("-odd".to_owned());
        keys.sort();
        let (found, lists) = run(&keys, 51, None, 1000);
        assert_eq!(found, newest(&keys, 51, None));
        assert!(lists <= 8, "{lists} lists");
        let strangers: Vec<String> = keys.into_iter().filter(|key| ours(key).is_none()).collect();
        assert!(run(&strangers, 51, None, 1000).0.is_empty());
    }

    proptest! {
        #[test]
        fn it_finds_what_looking_at_everything_finds(
            times in prop::collection::vec((0..5_000_u64, prop::sample::select(vec![1, 40, 1_000, 60_000, 3_600_000])), 0..300),
            wanted in 1_usize..40,
            before in prop::option::of(0..300_usize),
            size in 1_usize..60,
        ) {
            let keys = bucket(times.iter().map(|(n, unit)| NOW - n * unit));
            let before = before.and_then(|n| ours(keys.get(n)?)).map(|(id, _)| id);
            prop_assert_eq!(run(&keys, wanted, before, size).0, newest(&keys, wanted, before));
        }
    }
}
