//! `drainSeconds`: the fewest workers with which each job is done within so long of its upload. The time that jobs are given is
//! spent: a stream is let wait as long as it may, for workers that keep up with each of its moments are idle in most of them.

use jiff::SignedDuration;

use super::{seconds, whole};
use crate::{Group, Inputs, PAID_MINUTE};

/// How many workers meet the deadline.
#[derive(Debug, Clone, PartialEq)]
pub struct Deadline {
    /// Workers; more than there may be, when that is what it takes.
    pub workers: u32,
    /// All jobs are done in time by so many.
    pub met: bool,
    /// How that came about.
    pub sentence: String,
}

/// Workers that are alike: how many, in how many seconds they take jobs, how many jobs each does a second.
#[derive(Debug, Clone, Copy)]
struct Alike {
    workers: u32,
    ready_in: f64,
    rate: f64,
    /// They would have to be started or launched.
    new: bool,
}

/// What there is to do: jobs now, and jobs a second from now on.
#[derive(Debug, Clone, Copy)]
struct Work {
    jobs: f64,
    arrivals: f64,
}

/// How long jobs may take, in seconds.
#[derive(Debug, Clone, Copy)]
struct Time {
    /// From the upload of each.
    within: f64,
    /// What of it has passed for the oldest.
    age: f64,
}

/// What part of the gateways' places a stream could fill by its deadline; it comes to about three quarters of that.
const FILLED: f64 = 0.9;

/// Done this much early or late is on time: rates are measured, not known.
const ROUNDING: f64 = 1e-6;

/// The fewest of the workers there are, then stopped ones, then new ones (stopped ones only while they are sooner) that do
/// `backlog` jobs in the time that is left, and those that arrive before a new worker is ready. When no number of workers can, at most
/// `max`: so many that a burst is done as soon as it can be, and what a stream will bring in time. Fewer than before are enough only if they
/// are for a while. A stream may wait only as far as the gateways have `places` for it: more uploads would be refused.
#[must_use]
pub fn for_deadline(inputs: &Inputs, backlog: u64, within: SignedDuration, places: u64, max: u32) -> Deadline {
    let work = Work { jobs: as_jobs(backlog), arrivals: inputs.arrivals_per_second.max(0.0) };
    let age = inputs.oldest_age.unwrap_or(SignedDuration::ZERO);
    let left = within.saturating_sub(age).max(SignedDuration::ZERO);
    let groups = in_order(inputs);
    let room = FILLED * as_jobs(places) / work.arrivals;
    let time = Time { within: within.as_secs_f64().min(room), age: age.as_secs_f64() };
    let crowded = if room < within.as_secs_f64() {
        format!(", and {} until its stream fills the gateways' {places} places", seconds(SignedDuration::from_secs_f64(room)))
    } else {
        String::new()
    };
    let about = format!("has {} left of drainSeconds {}{crowded}", seconds(left), seconds(within));
    let assumed = if inputs.measured { "" } else { " (assumed, none was measured yet)" };
    let (rate, boot) = (inputs.jobs_per_second, seconds(inputs.boot_cold));
    if let Some(enough) = time.enough(&groups, work, inputs.boot_cold.as_secs_f64()) {
        let lasting =
            if enough < inputs.before { time.for_a_while(&groups, work).unwrap_or(inputs.before).min(inputs.before) } else { enough };
        let workers = lasting.max(enough);
        let kept = if workers > enough { format!("; {workers} are kept, fewer would soon be too few") } else { String::new() };
        let sentence = format!(
            "{about}; at {rate:.1} jobs/s a worker{assumed}, {boot} to boot and {:.1} jobs/s arriving asks for {enough}{kept}.",
            work.arrivals
        );
        return Deadline { workers, met: true, sentence };
    }
    let (workers, why) = too_late(inputs, time, &groups, work, max);
    let sentence = format!("{about}, which cannot be met at {rate:.1} jobs/s a worker{assumed} and {boot} to boot. {why}.");
    Deadline { workers, met: false, sentence }
}

/// How many there are to be where jobs are late whatever is launched, and what these are for. Seconds by which a stream is late are not made
/// up for: workers that boot as long would cost many times what the stream does. Nobody leaves who finds a job.
fn too_late(inputs: &Inputs, time: Time, groups: &[Alike], work: Work, max: u32) -> (u32, String) {
    let (soonest, finish) = soonest(groups, work.at_once(time.age), max);
    let until = if finish < 1e9 { format!(", in about {}", seconds(SignedDuration::from_secs_f64(finish))) } else { String::new() };
    let later = time.later(groups, work, inputs.boot_cold.as_secs_f64()).unwrap_or(0).min(max);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole jobs, clamped to what fits
    let kept = inputs.before.min(work.jobs as u32).min(max);
    let all = [
        (kept, format!("Nobody leaves while jobs are late: {kept}")),
        (later, format!("What arrives until a new one is ready takes {later}")),
        (soonest, format!("Done soonest with {soonest}{until}")),
    ];
    all.into_iter().max_by_key(|(workers, _)| *workers).unwrap_or_default()
}

#[allow(clippy::cast_precision_loss)] // 2⁵³ jobs are not to be had
fn as_jobs(number: u64) -> f64 {
    number as f64
}

/// Workers in the order in which they would be used: those that are paid for, then the sooner ones.
fn in_order(inputs: &Inputs) -> Vec<Alike> {
    let there = inputs.workers.iter().map(|group: &Group| Alike {
        workers: group.workers,
        ready_in: group.ready_in.as_secs_f64(),
        rate: group.jobs_per_second,
        new: false,
    });
    let further = |workers, boot: SignedDuration| Alike { workers, ready_in: boot.as_secs_f64(), rate: inputs.jobs_per_second, new: true };
    let warm = further(if inputs.warm_is_sooner() { inputs.startable } else { 0 }, inputs.boot_warm);
    let all = there.chain([warm, further(u32::MAX, inputs.boot_cold)]);
    all.filter(|alike| alike.workers > 0 && alike.rate > 0.0).collect()
}

impl Time {
    /// The fewest that do the jobs there are in time, and those too that arrive while a worker boots, which takes `boot` seconds:
    /// later ones can be left to workers that are launched later. None: no number of them does.
    fn enough(self, groups: &[Alike], work: Work, boot: f64) -> Option<u32> {
        let now = fewest(groups, work.jobs, self.slack(work))?;
        Some(now.max(self.later(groups, work, boot).unwrap_or(now)))
    }

    /// The fewest that do in time what arrives until a worker has booted, once all before it is done. None: no number of them does.
    fn later(self, groups: &[Alike], work: Work, boot: f64) -> Option<u32> {
        fewest(groups, work.after(boot), boot + self.within)
    }

    /// The fewest that are enough for a minute, after which jobs still have half of their time: whoever is launched again sooner
    /// costs more than it saved, for EC2 bills a minute at least. None: no number is.
    fn for_a_while(self, groups: &[Alike], work: Work) -> Option<u32> {
        let minute = PAID_MINUTE.as_secs_f64();
        fewest(groups, work.after(minute), minute + self.within / 2.0)
    }

    /// How long the jobs may take together. Those of a burst are all as old as the oldest; of a stream, which brings its rate times
    /// the age of the oldest, they are half as old in the mean.
    fn slack(self, work: Work) -> f64 {
        let streamed = (work.arrivals * self.age / work.jobs.max(1.0)).min(1.0);
        (self.within - self.age + streamed * self.age / 2.0).max(0.0)
    }
}

impl Work {
    /// Jobs that did not come with the stream, which brings its rate times the age of the oldest.
    fn at_once(self, age: f64) -> f64 {
        (self.jobs - self.arrivals * age).max(0.0)
    }

    /// Jobs that there are to do, done ones too, once `seconds` have passed.
    fn after(self, seconds: f64) -> f64 {
        self.jobs + self.arrivals * seconds
    }
}

/// Of `jobs`, those that `groups` have left to do after `time` seconds.
fn left(groups: &[Alike], jobs: f64, time: f64) -> f64 {
    let done = groups.iter().map(|alike| f64::from(alike.workers) * alike.rate * (time - alike.ready_in).max(0.0));
    jobs - done.sum::<f64>()
}

/// When `groups` have done `jobs`, in seconds.
fn finish(groups: &[Alike], jobs: f64) -> f64 {
    let mut soonest_first = groups.to_vec();
    soonest_first.sort_by(|a, b| a.ready_in.total_cmp(&b.ready_in));
    // Σ rate·(t − ready) = jobs, solved for t.
    let (mut rate, mut offset, mut finish) = (0.0, 0.0, f64::INFINITY);
    for alike in soonest_first.iter().take_while(|alike| alike.workers > 0) {
        if alike.ready_in >= finish {
            break;
        }
        let together = alike.rate * f64::from(alike.workers);
        rate += together;
        offset += together * alike.ready_in;
        finish = (jobs + offset) / rate;
    }
    finish
}

/// The fewest that do `jobs` within `slack` seconds. None: no number of them does, or only so many that not each would find a job,
/// which is not done sooner by two.
fn fewest(groups: &[Alike], jobs: f64, slack: f64) -> Option<u32> {
    let (mut number, mut new, mut useful, mut done) = (0_u32, 0.0, 0.0, 0.0);
    for (alike, before) in groups.iter().zip(0..) {
        if done + ROUNDING >= jobs {
            break;
        }
        let each = alike.rate * (slack - alike.ready_in).max(0.0);
        let needed = ((jobs - done) / each - ROUNDING).ceil();
        if needed <= f64::from(alike.workers) {
            let to_find = if alike.new { left(&groups[..before], jobs, alike.ready_in).ceil() - new } else { jobs - useful };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and the group's workers
            return (needed <= to_find).then(|| number.saturating_add(needed as u32));
        }
        let all = f64::from(alike.workers);
        number = number.saturating_add(alike.workers);
        new += if alike.new { all } else { 0.0 };
        useful += if each > 0.0 { all } else { 0.0 };
        done += each * all;
    }
    (done + ROUNDING >= jobs).then_some(number)
}

/// So many that `jobs` are done as soon as they can be, and when that is, in seconds: a further worker is of use only if it is
/// ready before the others are done, and finds a job.
fn soonest(groups: &[Alike], jobs: f64, max: u32) -> (u32, f64) {
    let mut taken: Vec<Alike> = Vec::with_capacity(groups.len());
    let (mut number, mut best, mut useful, mut new) = (0_u32, 0_u32, 0.0, 0.0);
    for alike in groups {
        let to_find = if alike.new { left(&taken, jobs, alike.ready_in).ceil() - new } else { jobs - useful };
        let mut found = 0.0;
        taken.push(Alike { workers: 0, ..*alike });
        for _ in 0..alike.workers.min(max - number) {
            let is_useful = alike.ready_in < finish(&taken, jobs) && found < to_find;
            if alike.new && !is_useful {
                break;
            }
            number += 1;
            found += f64::from(u8::from(is_useful));
            best = if is_useful { number } else { best };
            taken.iter_mut().last().into_iter().for_each(|last| last.workers += 1);
        }
        useful += found;
        new += if alike.new { found } else { 0.0 };
    }
    (best.max(whole(u64::from(max > 0))), finish(&taken, jobs))
}
