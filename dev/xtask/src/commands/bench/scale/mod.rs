//! `cargo xtask bench scale`: one operator with very many fleets. Owns what is measured and in which order.

mod calls;
mod fleets;
mod found;
mod process;
mod reaction;
mod stall;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::calls::Meter;
use self::fleets::Fleets;
use self::found::{Found, Window, caption, measures};
use self::process::Operator;
use self::reaction::Cloud;
use self::stall::Stalls;
use super::client::spread;
use super::section::Section;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::stack::{CloudDelays, Extent, Guests, OperatorOptions, Stack, StackOptions};

pub(super) const ABOUT: &str = "\
One operator with very many fleets: 1,000, with 10,000 instances among them, if nothing else is said. On a private local
stack whose EC2 throttles as the real one does by default and whose instances are simulated,

  1. all fleets are applied, and the operator launches their workers at EC2's pace (2 launches a second);
  2. at rest: the operator's CPU time and memory, calls to AWS and writes to the API server in one minute;
  3. fleets are woken one after the other, as a gateway does: the time to the launch call;
  4. messages come into the queues of other fleets, and nobody wakes them: the time to the launch call;
  5. many fleets are woken at once: the time to the last launch call;
  6. the operator is started again, with a fleet woken while it is away: the time to the launch call.

Writes bench/scale.json in the folder of the local stack (.dev). Takes about 20 minutes with 1,000 fleets.";

/// Simulated, and stated in the caption of the table.
const DELAYS: CloudDelays = CloudDelays { pending: 1.0, boot: 2.0, describe_lag: 0.5 };
/// Fleets that are measured in each of the three ways to react, where there are so many.
const REACTIONS: usize = 100;
/// How long the operator is watched at rest.
const WATCHED: Duration = Duration::from_secs(60);
/// EC2 lets two launches a second through: more would measure its bucket.
const APART: Duration = Duration::from_secs(1);

/// How much to measure.
#[derive(Debug, Args)]
pub(super) struct ScaleArgs {
    /// Fleets.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(4..=5000))]
    fleets: u32,
    /// Instances of all fleets together.
    #[arg(long, default_value_t = 10_000)]
    instances: u32,
    /// Seconds without any change before the operator is at rest: it looks at a quiet fleet ever more seldom, for 5 minutes.
    #[arg(long, default_value_t = 330)]
    settle_seconds: u64,
}

/// All that the measurements need.
struct Bench<'a> {
    args: &'a ScaleArgs,
    stack: &'a Stack,
    operator: OperatorOptions,
    fleets: Fleets,
    cloud: Cloud,
    meter: Meter,
    progress: Progress,
}

pub(super) async fn run(paths: &Paths, args: ScaleArgs) -> Result<Section> {
    ensure!(args.instances >= args.fleets, "each fleet has an instance at least: --instances must not be less than --fleets");
    let progress = Progress::printed();
    // EC2 launches two fleets in a second; the rest of the time is for a machine that others use, too.
    let limit = Duration::from_secs(1800 + args.settle_seconds + 3 * u64::from(args.fleets));
    let adapt = |options: &mut StackOptions| {
        options.extent = Extent::Aws;
        options.delays = DELAYS;
        options.guests = Guests::Simulated { drain: 1.0 };
    };
    let measure = async |stack: &Stack| Bench::on(stack, &args, progress).await?.measure().await;
    let found = super::on_private_stack(paths, progress, limit, adapt, measure).await?;
    let measures = measures(&found)?;
    Section::tell(paths, "scale", &caption(&found, DELAYS), &measures)
}

impl<'a> Bench<'a> {
    async fn on(stack: &'a Stack, args: &'a ScaleArgs, progress: Progress) -> Result<Self> {
        stack.define_fleets().await?;
        let endpoints = stack.endpoints()?;
        let cloud = Cloud::at(&endpoints.ec2, stack.log("operator"))?;
        cloud.throttle().await?;
        let meter = Meter::start(endpoints, stack.kubernetes().client().await?).await?;
        let operator = OperatorOptions { endpoints: meter.endpoints(), ..stack.operator_options("operator")? };
        let fleets = Fleets::new(stack, args.fleets as usize, args.instances / args.fleets).await?;
        Ok(Self { args, stack, operator, fleets, cloud, meter, progress })
    }

    async fn measure(self) -> Result<Found> {
        let fill = self.fill().await?;
        self.throttled("while filling up").await?;
        self.tell(format!("all workers are ready after {:.0} s; waiting {} s for rest", fill.as_secs_f64(), self.args.settle_seconds));
        tokio::time::sleep(Duration::from_secs(self.args.settle_seconds)).await;
        let (rest, ()) = self.watched(tokio::time::sleep(WATCHED)).await?;
        self.tell(format!("at rest: {rest}"));
        self.throttled("until then").await?;
        let stalls = Stalls::watch();
        let third = REACTIONS.min(self.fleets.len() / 4);
        let (busy, wake_ms) = self.watched(self.wake(0..third)).await?;
        self.tell(format!("woken one after the other: {busy}; a timer was late by {:.0} ms at most", stalls.most_ms()));
        let poll_ms = self.poll(third..2 * third).await?;
        let burst_ms = self.burst(2 * third..3 * third).await?;
        let late_ms = stalls.most_ms();
        let restart_seconds = self.restart(3 * third).await?;
        let (instances, throttled) = (self.cloud.instances().await?, self.throttled("in the end").await?);
        let size = (self.fleets.len(), instances);
        Ok(Found { size, fill, rest, busy, wake_ms: wake_ms?, poll_ms, burst_ms, restart_seconds, throttled, late_ms })
    }

    /// Applies all fleets and starts the operator, until all workers are ready.
    async fn fill(&self) -> Result<Duration> {
        self.stack.spawn_operator_with(&self.operator).await?;
        let begun = Instant::now();
        self.fleets.apply().await?;
        self.tell(format!("{} fleets applied after {:.0} s", self.fleets.len(), begun.elapsed().as_secs_f64()));
        self.fleets.until_ready(self.progress).await?;
        Ok(begun.elapsed())
    }

    /// What the operator needed while `work` was done.
    async fn watched<T>(&self, work: impl Future<Output = T>) -> Result<(Window, T)> {
        let operator = self.process()?;
        let (before, calls_before) = (operator.usage()?, self.meter.calls().await?);
        let done = work.await;
        let (after, calls_after) = (operator.usage()?, self.meter.calls().await?);
        Ok((Window::between((before, &calls_before), (after, &calls_after), operator.memory()?), done))
    }

    /// Milliseconds from the wake of each of these fleets, one after the other, to its launch call.
    async fn wake(&self, range: std::ops::Range<usize>) -> Result<Vec<f64>> {
        let mut milliseconds = Vec::new();
        for (number, fleet) in (0..).zip(&self.fleets.all()?[range]) {
            tokio::time::sleep(APART + spread(number, APART)).await;
            let seen = self.cloud.calls().await?;
            let woken = self.fleets.wake(fleet).await?;
            milliseconds.extend(self.cloud.launches(seen, &[(fleet, woken)]).await?);
        }
        Ok(milliseconds)
    }

    /// The same from messages that came into the queues, and nobody wakes.
    async fn poll(&self, range: std::ops::Range<usize>) -> Result<Vec<f64>> {
        let fleets = &self.fleets.all()?[range];
        let seen = self.cloud.calls().await?;
        let mut sent = Vec::new();
        for fleet in fleets {
            sent.push((fleet, self.fleets.send(fleet).await?));
            tokio::time::sleep(APART).await;
        }
        let milliseconds = self.cloud.launches(seen, &sent).await?;
        self.tell(format!("{} queues got messages, and their fleets launched", fleets.len()));
        futures::future::try_join_all(fleets.iter().map(|fleet| self.fleets.purge(fleet))).await?;
        Ok(milliseconds)
    }

    /// The same with fleets that are woken all at once.
    async fn burst(&self, range: std::ops::Range<usize>) -> Result<Vec<f64>> {
        let fleets = &self.fleets.all()?[range];
        let seen = self.cloud.calls().await?;
        let woken =
            futures::future::try_join_all(fleets.iter().map(async |fleet| anyhow::Ok((fleet, self.fleets.wake(fleet).await?)))).await?;
        let keeping = futures::future::select_all(fleets.iter().map(|fleet| Box::pin(self.fleets.keep_awake(fleet))));
        let milliseconds = tokio::select! {
            launched = self.cloud.launches(seen, &woken) => launched?,
            (failed, ..) = keeping => return Err(failed),
        };
        self.tell(format!("{} fleets were woken at once, and launched", fleets.len()));
        Ok(milliseconds)
    }

    /// Seconds from the start of an operator to the launch for a fleet that was woken while there was none.
    async fn restart(&self, fleet: usize) -> Result<f64> {
        let fleet = &self.fleets.all()?[fleet];
        self.stack.kill_operator(&self.operator.name, nix::sys::signal::Signal::SIGTERM).await?;
        let (seen, started) = (self.cloud.calls().await?, jiff::Timestamp::now());
        self.fleets.wake(fleet).await?;
        let keeping = self.fleets.keep_awake(fleet);
        let launched = async {
            self.stack.spawn_operator_with(&self.operator).await?;
            self.cloud.launches(seen, &[(fleet, started)]).await
        };
        let milliseconds = tokio::select! {
            launched = launched => launched?,
            failed = keeping => return Err(failed),
        };
        Ok(milliseconds[0] / 1e3)
    }

    /// Tells of throttled calls, if there were any.
    async fn throttled(&self, when: &str) -> Result<u64> {
        let (count, actions) = self.cloud.throttled().await?;
        if count > 0 {
            self.tell(format!("EC2 throttled {count} calls {when}: {actions}"));
        }
        Ok(count)
    }

    fn process(&self) -> Result<Operator> {
        let record = self.stack.supervisor().running(&self.operator.name).context("the operator has ended")?;
        Ok(Operator::of(record.pid))
    }

    fn tell(&self, text: String) {
        self.progress.say("bench", text);
    }
}
