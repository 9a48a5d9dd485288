//! Which faults strike which calls in which runs, and their running many at a time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use xtask::relay::{Fault, Point};
use xtask::stack::{CloudDelays, Stack};

use super::GUESTS;
use super::chain::{COLD, Chain, Phase, WARM};
use super::run::{Record, Run, Strike};

/// Runs at a time with quick lists, each with an EC2 of its own. They wait most of the time.
const QUICK_LANES: usize = 12;
/// Runs at a time with lists that lag. They wait even more.
const LAGGING_LANES: usize = 12;
/// Set to `all`: every poll is a point, and every change is where lists lag. Several times as many runs.
const POINTS: &str = "CLASSIFIERFLEET_CRASH_POINTS";

/// A way in which a call fails.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub fault: Fault,
    /// How many calls in a row: three are as many as the SDK tries.
    pub times: usize,
    /// The calls that fail so.
    pub strikes: Strikes,
    /// Whether it is also tried where lists lag by 10 s; a run takes a minute there.
    pub lagging: bool,
}

/// Calls that are struck.
#[derive(Debug, Clone, Copy)]
pub enum Strikes {
    /// All that change something, and the first of each kind of those that do not: a later poll in the same phase finds the
    /// operator where the first one did, or where a change before it did.
    Any,
    /// All that change something.
    Changes,
    /// These alone.
    Only(&'static [&'static str]),
}

impl Strikes {
    fn include(self, point: &Point) -> bool {
        match self {
            Self::Any => changes(point) || point.nth == 1 || all_points(),
            Self::Changes => changes(point),
            Self::Only(names) => names.contains(&point.call.name()),
        }
    }
}

/// Events change nothing that anybody acts on.
fn changes(point: &Point) -> bool {
    let reads = ["ec2:Describe", "sqs:Get", "sqs:List", "s3:GET", "s3:HEAD", "kube:GET", "kube:POST events"];
    !reads.iter().any(|read| point.call.name().starts_with(read))
}

/// Where lists lag: what changes EC2, and the writes of what is asked of it.
fn matters_where_lists_lag(point: &Point) -> bool {
    let writes_intent = point.call.name() == "kube:PUT classifierfleets/status" && (point.nth <= 2 || all_points());
    let is_template = point.call.name().contains("LaunchTemplate");
    changes(point) && (writes_intent || point.call.name().starts_with("ec2:") && !is_template)
}

fn all_points() -> bool {
    std::env::var(POINTS).is_ok_and(|points| points == "all")
}

/// All runs to be made.
pub struct Schedule {
    quick: Vec<Job>,
    lagging: Vec<Job>,
}

/// One run: at most one strike in each phase.
struct Job {
    chain: &'static Chain,
    name: String,
    strikes: Vec<Option<Strike>>,
}

/// How many strikes struck of how many that were planned, by phase.
pub struct Covered(Vec<(&'static str, usize, usize)>);

impl Schedule {
    /// Goes through each chain once without a fault, and makes each call that it saw fail in each way.
    pub async fn plan(stack: &Stack, delays: CloudDelays, kinds: &[Kind]) -> Self {
        let dry = [&COLD, &WARM].map(|chain| async move {
            let ec2 = stack.spawn_cloud(&format!("cloudsim-{}", chain.name), delays, GUESTS).await.unwrap();
            let run = Run { stack, chain, name: format!("{}-dry", chain.name), ec2 };
            let record = run.go(|_| None, chain.phases.len()).await;
            (chain, record.unwrap_or_else(|error| panic!("without any fault: {error:#}")))
        });
        let records = join_all(dry).await;
        let all = |prefix: &str, include: &dyn Fn(&Kind, &Point) -> bool| {
            let of_chain = |(chain, record): &(&'static Chain, Record)| jobs(chain, record, kinds, prefix, include);
            records.iter().flat_map(of_chain).collect::<Vec<_>>()
        };
        Self {
            quick: all("quick", &|kind, point| kind.strikes.include(point)),
            lagging: all("lagging", &|kind, point| kind.lagging && kind.strikes.include(point) && matters_where_lists_lag(point)),
        }
    }

    /// Makes all runs; panics at the end if any went wrong.
    pub async fn run(self, stack: &Stack, quick: CloudDelays, lagging: CloudDelays) -> Covered {
        let runs = self.quick.len() + self.lagging.len();
        let (quick, lagging) =
            tokio::join!(in_lanes(stack, QUICK_LANES, quick, self.quick), in_lanes(stack, LAGGING_LANES, lagging, self.lagging));
        let (records, failures): (Vec<_>, Vec<_>) = quick.into_iter().chain(lagging).partition(|outcome| outcome.is_ok());
        let failures: Vec<String> = failures.into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect();
        assert!(failures.is_empty(), "{} of {runs} runs went wrong:\n{}", failures.len(), failures.join("\n\n"));
        Covered::of(&records.into_iter().flatten().collect::<Vec<_>>())
    }
}

/// Run number i strikes the i-th call of each phase, in one of the ways.
fn jobs(chain: &'static Chain, record: &Record, kinds: &[Kind], prefix: &str, include: &dyn Fn(&Kind, &Point) -> bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (way, kind) in kinds.iter().enumerate() {
        let strike = |point: &Point| Strike { point: point.clone(), fault: kind.fault, times: kind.times };
        let of_phase = |(phase, calls): (&Phase, &Vec<Point>)| -> Vec<Strike> {
            calls.iter().filter(|point| phase.tested && include(kind, point)).map(strike).collect()
        };
        let phases: Vec<Vec<Strike>> = chain.phases.iter().zip(&record.calls).map(of_phase).collect();
        for i in 0..phases.iter().map(Vec::len).max().unwrap_or(0) {
            let strikes = phases.iter().map(|strikes| strikes.get(i).cloned()).collect();
            jobs.push(Job { chain, name: format!("{prefix}-{}-{way}-{i}", chain.name), strikes });
        }
    }
    jobs
}

/// So many runs at a time, each lane with an EC2 of its own.
async fn in_lanes(stack: &Stack, lanes: usize, delays: CloudDelays, jobs: Vec<Job>) -> Vec<anyhow::Result<Record>> {
    let prefix = format!("cloudsim-{}", delays.describe_lag).replace('.', "-");
    let queue = Mutex::new(VecDeque::from(jobs));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let lane = |number: usize| {
        let (prefix, next) = (&prefix, &next);
        async move {
            let ec2 = stack.spawn_cloud(&format!("{prefix}-{number}"), delays, GUESTS).await.unwrap();
            let mut records = Vec::new();
            while let Some(Job { chain, name, strikes }) = next() {
                let last = strikes.iter().rposition(Option::is_some).unwrap_or(0);
                let run = Run { stack, chain, name, ec2: ec2.clone() };
                records.push(run.go(|phase| strikes.get(phase).cloned().flatten(), last).await);
            }
            records
        }
    };
    join_all((0..lanes).map(lane)).await.into_iter().flatten().collect()
}

impl Covered {
    /// A call that changes something comes in each run: that it did not would mean that it was never under test.
    fn of(records: &[Record]) -> Self {
        let must_strike = |strike: &Strike| strike.point.nth == 1 && changes(&strike.point);
        let missed: Vec<_> = records.iter().flat_map(|record| &record.missed).filter(|(_, strike)| must_strike(strike)).collect();
        assert!(missed.is_empty(), "these points were not reached: {missed:?}");
        let count = |name: &str, books: &dyn Fn(&Record) -> &Vec<(&'static str, Strike)>| {
            records.iter().flat_map(books).filter(|(phase, _)| *phase == name).count()
        };
        let tested = [&COLD, &WARM].into_iter().flat_map(|chain| chain.phases).filter(|phase| phase.tested);
        let covered = tested.map(|phase| {
            let (struck, missed) = (count(phase.name, &|record| &record.struck), count(phase.name, &|record| &record.missed));
            (phase.name, struck, struck + missed)
        });
        Self(covered.collect())
    }
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(name, struck, planned)| format!("{name} {struck} of {planned}")).collect();
        let all: usize = self.0.iter().map(|(_, struck, _)| struck).sum();
        write!(f, "{}; {all} in all", parts.join(", "))
    }
}
