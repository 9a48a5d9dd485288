//! Runs operators, each a process of its own that dies and is started again. Knows nothing of why.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Parser as _;
use jiff::SignedDuration;
use operator::context::Outside;
use operator::run::Running;
use operator::settings::Settings;
use operator::tasks::tasks;
use prometheus::Registry;
use service::chance::Chance;
use service::clock::Clock;
use service::monitor::Readiness;
use tokio_util::sync::CancellationToken;

use crate::aws::{self, Aws};
use crate::judge::Judge;
use crate::kubernetes::{Cluster, client};
use crate::process::Process;
use crate::weather::Weather;

/// One that cannot start is tried again after this long, as Kubernetes does with pods.
const AGAIN: Duration = Duration::from_secs(10);

/// What operators run in.
pub struct Operators {
    /// The API server.
    pub cluster: Arc<Cluster>,
    /// AWS.
    pub aws: Arc<Aws>,
    /// What goes wrong.
    pub weather: Arc<Weather>,
    /// Who sees it.
    pub judge: Arc<Judge>,
    seed: u64,
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    started: u32,
    /// The one that is kept running.
    first: Option<Arc<Process>>,
    /// How long it stays dead.
    down: Duration,
}

impl Operators {
    /// None runs yet. `sample_seconds`: the operator's setting.
    ///
    /// # Errors
    /// When the operator does not understand its command line.
    pub fn new(
        cluster: Arc<Cluster>,
        aws: Arc<Aws>,
        weather: Arc<Weather>,
        judge: Arc<Judge>,
        seed: u64,
        sample_seconds: u32,
    ) -> anyhow::Result<Arc<Self>> {
        let samples = sample_seconds.to_string();
        // An election goes by the machine's own clock. Without one, any two work at once, which is harder.
        let line = ["operator", "--region", "us-east-1", "--cluster", "lab", "--leader-elect", "false", "--sample-seconds", &samples];
        let settings = Settings::try_parse_from(line)?;
        Ok(Arc::new(Self { cluster, aws, weather, judge, seed, settings, state: Mutex::default() }))
    }

    /// Keeps one operator running, for ever.
    pub async fn keep_one(&self) {
        loop {
            let process = self.process();
            self.state().first = Some(process.clone());
            self.run(&process).await;
            let down = std::mem::take(&mut self.state().down);
            self.judge.note(&format!("an operator is dead for {down:?}"));
            tokio::time::sleep(down).await;
        }
    }

    /// The one that is kept running dies at the `call`-th call from now that may change something, and stays so for `down`.
    pub fn doom(&self, call: u32, when: crate::script::When, down: Duration) {
        let mut state = self.state();
        state.down = down;
        if let Some(process) = &state.first {
            process.doom(call, when);
        }
    }

    /// Nobody dies any more.
    pub fn spare(&self) {
        if let Some(process) = &self.state().first {
            process.spare();
        }
    }

    /// Another operator works for `time`, and dies.
    pub async fn second(&self, time: Duration) {
        let process = self.process();
        // Whether it ends by itself before, or is cut off.
        let _ = tokio::time::timeout(time, self.run(&process)).await;
        process.kill();
    }

    fn process(&self) -> Arc<Process> {
        let mut state = self.state();
        state.started += 1;
        Process::new(state.started, self.weather.clone(), self.judge.clone())
    }

    /// Runs until the process dies. What is left of it then can reach nobody.
    async fn run(&self, process: &Arc<Process>) {
        let stop = CancellationToken::new();
        let ended = tokio::select! {
            biased;
            () = process.died.cancelled() => None,
            ended = self.work(process, &stop) => Some(ended),
        };
        if let Some(Err(error)) = ended {
            self.judge.broken(&format!("an operator runs until it is killed: {error:#}"));
            self.state().down = AGAIN;
        }
        process.kill();
        stop.cancel();
    }

    async fn work(&self, process: &Arc<Process>, stop: &CancellationToken) -> anyhow::Result<()> {
        let (tasks, ends) = tasks();
        let settings = Settings { identity: Some(format!("operator-{}", process.number())), ..self.settings.clone() };
        let (clock, weather) = (self.aws.world.clock, self.weather.clone());
        let outside = Outside {
            kube: client(&self.cluster, process),
            aws: aws::sources(&self.aws, process, &self.judge),
            clock: Clock::new(move || clock.now() + SignedDuration::from_secs(i64::from(weather.offset()))),
            chance: Chance::seeded(self.seed ^ (u64::from(process.number()) << 40)),
        };
        let running = Running::start(settings, outside, &Registry::new(), Readiness::default(), &tasks, stop).await?;
        drop(tasks);
        running.wait(ends, stop).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
