//! One fleet through its chain of phases, with one fault in each: an operator of its own, on a lane of its own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::time::sleep;
use xtask::relay::{Fault, Point};
use xtask::stack::{Endpoints, Lane, OperatorOptions, Stack};

use super::chain::{Chain, Phase};
use super::world::World;

/// Generous: what does not settle at all is a failure, what settles late is not.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at whether a phase has settled.
const LOOK: Duration = Duration::from_millis(400);

/// One run of a chain.
pub struct Run<'a> {
    pub stack: &'a Stack,
    pub chain: &'a Chain,
    /// Unique; a namespace, and the name of logs.
    pub name: String,
    /// The EC2 that it uses alone.
    pub ec2: String,
}

/// What goes wrong in one phase.
#[derive(Debug, Clone)]
pub struct Strike {
    /// At which call.
    pub point: Point,
    /// What happens to it.
    pub fault: Fault,
    /// How many calls of the kind it happens to.
    pub times: usize,
}

/// The calls of each phase, and which strikes were reached.
#[derive(Debug, Default)]
pub struct Record {
    /// Calls from the trigger to the settled state, by phase.
    pub calls: Vec<Vec<Point>>,
    /// What struck, with the phase.
    pub struck: Vec<(&'static str, Strike)>,
    /// What was to strike and had no occasion to, for polls are more on one day and fewer on another.
    pub missed: Vec<(&'static str, Strike)>,
}

/// The operator of one run, whatever life it is in.
struct Living<'a> {
    run: &'a Run<'a>,
    world: World,
    lane: Lane,
    operator: OperatorOptions,
    recording: PathBuf,
}

impl Run<'_> {
    /// Goes through the phases; `strike` says what goes wrong in the phase of that number. Ends after the last phase, or after
    /// `last`, where nothing of interest follows.
    ///
    /// # Errors
    /// When a phase does not settle as it must: which one, and where the log is.
    pub async fn go(&self, strike: impl Fn(usize) -> Option<Strike>, last: usize) -> Result<Record> {
        let living = self.begin().await?;
        let outcome = living.go(strike, last).await;
        self.stack.kill_operator(&living.operator.name, Signal::SIGKILL).await?;
        let log = self.stack.log(&living.operator.name);
        let record = outcome.with_context(|| format!("{}; its log: {}", self.name, log.display()))?;
        living.world.clear().await?;
        // What went well is of no interest any more, but for the first run of each chain, which others check.
        if !self.name.ends_with("dry") {
            std::fs::remove_file(&living.recording)?;
            std::fs::remove_file(log)?;
        }
        Ok(record)
    }

    async fn begin(&self) -> Result<Living<'_>> {
        let folder = self.stack.dir().join("lanes");
        std::fs::create_dir_all(&folder)?;
        let (recording, kubeconfig) = (folder.join(format!("{}.jsonl", self.name)), folder.join(format!("{}.kubeconfig", self.name)));
        let endpoints = Endpoints { ec2: self.ec2.clone(), ..self.stack.endpoints()?.clone() };
        let lane = Lane::start(self.stack.kubernetes(), &endpoints, &recording).await?;
        // Its Lease is in its namespace too.
        lane.write_kubeconfig(&kubeconfig, &self.name)?;
        let world = World::create(&self.stack.kubernetes().client().await?, self.name.clone(), endpoints).await?;
        // A refused offering is asked again soon: what is under test is that it is, not how long a person would have it rest.
        let namespaces = format!("--namespaces={}", self.name);
        let args = [&namespaces, "--leader-elect=false", "--offering-closed-seconds=5"].map(str::to_owned).to_vec();
        let (name, endpoints) = (format!("operator-{}", self.name), lane.aws.endpoints());
        let operator = OperatorOptions { name, kubeconfig, endpoints, args, env: Vec::new() };
        self.stack.spawn_operator_with(&operator).await?;
        Ok(Living { run: self, world, lane, operator, recording })
    }
}

impl Living<'_> {
    async fn go(&self, strike: impl Fn(usize) -> Option<Strike>, last: usize) -> Result<Record> {
        let mut record = Record::default();
        for (number, phase) in self.run.chain.phases.iter().enumerate().take(last + 1) {
            let strike = strike(number);
            let what = || format!("{} with {strike:?}", phase.name);
            let struck = self.phase(phase, strike.as_ref()).await.with_context(what)?;
            record.calls.push(self.lane.gate.seen());
            self.nothing_that_ran_was_terminated().with_context(what)?;
            let book = if struck { &mut record.struck } else { &mut record.missed };
            book.extend(strike.map(|strike| (phase.name, strike)));
        }
        Ok(record)
    }

    /// Sets the phase off and waits until it has settled, through a crash where one is due. Returns whether the strike was reached.
    async fn phase(&self, phase: &Phase, strike: Option<&Strike>) -> Result<bool> {
        let gate = &self.lane.gate;
        gate.begin();
        if let Some(Strike { point, fault, times }) = strike {
            gate.arm(point.clone(), *fault, *times);
        }
        self.world.set_off(self.run.chain, &phase.trigger).await?;
        self.settle(phase).await?;
        let struck = gate.disarm();
        // The call may have been made just when all had settled.
        if gate.is_shut() {
            self.settle(phase).await?;
        }
        Ok(struck)
    }

    async fn settle(&self, phase: &Phase) -> Result<()> {
        let (gate, begun) = (&self.lane.gate, Instant::now());
        loop {
            if gate.is_shut() {
                self.die_and_rise().await?;
            }
            let Err(missing) = self.world.settled(&phase.trigger, phase.wanted).await? else { return Ok(()) };
            if begun.elapsed() >= PATIENCE {
                // Launched twice is why, as a rule.
                self.world.nothing_doubled(phase.wanted).await?;
                bail!("not settled within {PATIENCE:?}: {missing}");
            }
            tokio::select! {
                () = gate.shut() => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    async fn die_and_rise(&self) -> Result<()> {
        self.run.stack.kill_operator(&self.operator.name, Signal::SIGKILL).await?;
        self.lane.gate.open();
        self.run.stack.spawn_operator_with(&self.operator).await
    }

    /// Workers leave by themselves within their drain time; EC2 is told to terminate only what is stopped.
    fn nothing_that_ran_was_terminated(&self) -> Result<()> {
        let text = std::fs::read_to_string(&self.recording)?;
        // The last line may be half written: a fleet is looked at while we read.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines() {
            let request: Value = serde_json::from_str(line)?;
            let (body, answer) = (request["body"].as_str().unwrap_or_default(), request["answer"].as_str().unwrap_or_default());
            if body.contains("Action=TerminateInstances") && answer.contains("<previousState>") {
                let before = answer.split("<previousState>").skip(1).filter_map(|state| state.split("</previousState>").next());
                if let Some(ran) = before.into_iter().find(|state| state.contains(">running<") || state.contains(">pending<")) {
                    bail!("a worker that ran was terminated: {ran} in {answer}");
                }
            }
        }
        Ok(())
    }
}
