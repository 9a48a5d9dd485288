//! `cargo xtask bench path`: an image in, its label out. Owns what is measured and in which order.

mod found;

use std::time::Duration;

use anyhow::{Error, Result, anyhow, ensure};
use clap::Args;
use jiff::Timestamp;

use self::found::{Round, Warm, caption, measures};
use super::client::{Client, spread};
use super::fleet::{Fleet, MANIFEST};
use super::peer::{self, Peer};
use super::report::Samples;
use super::section::Section;
use crate::paths::Paths;
use crate::photos::{self, Answer, Photo};
use crate::progress::Progress;
use crate::stack::{CloudDelays, Stack, StackOptions};

pub(super) const ABOUT: &str = "\
An image in, its label out: the whole path on a private local stack, several rounds of

  1. the first upload with no worker: the time to the operator's RunInstances call, and to the answer (cold);
  2. with that one worker: 20 photos one after the other, then 100 photos at once (warm);
  3. the same as 2 with one plain Python worker (boto3, Pillow, onnxruntime; one message at a time) on the same gateway,
     queue and buckets, our worker being gone.

Prints medians with the least and the most of all rounds, and writes bench/path.json in the folder of the local stack
(.dev). EC2 is simulated with fixed delays, and everything shares this machine's cores: compare within one run.";

/// Simulated, and stated in the caption of the table.
const DELAYS: CloudDelays = CloudDelays { pending: 1.0, boot: 2.0, describe_lag: 0.5 };
const OPERATOR_LOOKS_EVERY: Duration = Duration::from_secs(1);
const BURST: usize = 100;
/// EfficientNet-Lite0 gets 18 of the 20 photos right in onnxruntime.
const RIGHT_AT_LEAST: f64 = 0.9;

/// How much to measure.
#[derive(Debug, Args)]
pub(super) struct PathArgs {
    /// Rounds, each with ours and the peer; about half a minute each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
}

/// All that a round needs.
struct Bench<'a> {
    stack: &'a Stack,
    fleet: Fleet,
    client: Client,
    photos: Vec<Photo>,
    first: Photo,
    progress: Progress,
}

pub(super) async fn run(paths: &Paths, args: PathArgs) -> Result<Section> {
    let progress = Progress::printed();
    let limit = Duration::from_secs(180) * (args.rounds + 1);
    let adapt = |options: &mut StackOptions| {
        options.delays = DELAYS;
        options.fleet = MANIFEST.into();
    };
    let rounds = async |stack: &Stack| Bench::on(stack, progress).await?.rounds(args.rounds).await;
    let rounds = super::on_private_stack(paths, progress, limit, adapt, rounds).await?;
    let measures = measures(&rounds)?;
    Section::tell(paths, "path", &caption(rounds.len()), &measures)
}

impl<'a> Bench<'a> {
    async fn on(stack: &'a Stack, progress: Progress) -> Result<Self> {
        let photos = photos::load(&stack.tools().photos)?;
        let (fleet, client) = (Fleet::of(stack).await?, Client::new(stack.gateway_url()?)?);
        Ok(Self { stack, fleet, client, first: photos[0].clone(), photos, progress })
    }

    async fn rounds(&self, count: u32) -> Result<Vec<Round>> {
        let mut rounds = Vec::new();
        for number in 0..count {
            self.fleet.limit(0, 1).await?;
            self.fleet.until_idle().await?;
            tokio::time::sleep(spread(number, OPERATOR_LOOKS_EVERY)).await;
            let (launch_ms, cold_ms) = self.cold().await.map_err(|error| with(&error, &self.fleet.console()))?;
            let ours = self.warm(|worker| worker.starts_with("i-")).await.map_err(|error| with(&error, &self.fleet.console()))?;
            let peer = self.peer().await?;
            self.tell(format!("round {} of {count}: launch call after {launch_ms:.0} ms, cold answer after {cold_ms:.0} ms", number + 1));
            self.tell(format!("  ours: {ours}; {}: {peer}", peer::NAME));
            rounds.push(Round { launch_ms, cold_ms, ours, peer });
        }
        Ok(rounds)
    }

    /// One upload with no worker: milliseconds to the launch call and to the answer. The worker then stays.
    async fn cold(&self) -> Result<(f64, f64)> {
        let begun = Timestamp::now();
        let launch = async {
            let launched = self.fleet.launch_since(begun).await?;
            self.fleet.limit(1, 1).await?;
            Ok(launched)
        };
        let (answer, launched) = tokio::try_join!(self.client.upload(&self.first), launch)?;
        Ok((launched.duration_since(begun).as_secs_f64() * 1e3, milliseconds(answer.took)))
    }

    /// The same as [`Bench::warm`] by the plain Python worker alone. The fleet is then idle.
    async fn peer(&self) -> Result<Warm> {
        self.fleet.limit(0, 0).await?;
        self.fleet.until_idle().await?;
        let peer = Peer::start(self.stack, &self.client, &self.first).await?;
        let warm = self.warm(|worker| worker == peer::WORKER).await.map_err(|error| with(&error, &peer.log()))?;
        peer.stop(&self.client, &self.first).await?;
        self.fleet.until_idle().await?;
        Ok(warm)
    }

    /// With one ready worker that has answered before: one photo after the other, then many at once.
    async fn warm(&self, is_asked: impl Fn(&str) -> bool) -> Result<Warm> {
        let answers = self.client.one_by_one(&self.photos).await?;
        let right = check(&answers, &is_asked)?;
        let median = |time: fn(&Answer) -> Duration| Samples::new(answers.iter().map(|answer| milliseconds(time(answer))));
        let (answer_ms, work_ms) = (median(|answer| answer.took)?.median(), median(Answer::work)?.median());
        let (burst, burst_answers) = self.client.at_once(&self.photos, BURST).await?;
        check(&burst_answers, &is_asked)?;
        Ok(Warm { answer_ms, work_ms, burst_seconds: burst.as_secs_f64(), right })
    }

    fn tell(&self, text: String) {
        self.progress.say("bench", text);
    }
}

/// What went wrong, and then what the worker wrote.
fn with(error: &Error, log: &str) -> Error {
    anyhow!("{error:#}. {log}")
}

/// How many answers are right. All must come from the workers asked, and most must be right: wrong answers are quick.
fn check(answers: &[Answer], is_asked: impl Fn(&str) -> bool) -> Result<f64> {
    for Answer { worker, .. } in answers {
        ensure!(is_asked(worker), "{worker} answered, which is not the worker being measured");
    }
    let right = answers.iter().filter(|answer| answer.is_right()).count() as f64;
    let wanted = answers.len() as f64 * RIGHT_AT_LEAST;
    ensure!(right >= wanted, "only {right} of {} answers are right, at least {wanted} should be", answers.len());
    Ok(right)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use wire::{Prediction, Timings};

    use super::*;

    fn answers(right: usize, worker: &str) -> Vec<Answer> {
        let answer = |place: usize| Answer {
            took: Duration::from_millis(5),
            photo: place.to_string(),
            class: 1,
            best: Prediction { index: usize::from(place < right), label: String::new(), probability: 1.0, distance: None },
            timings: Timings::default(),
            worker: worker.to_owned(),
        };
        (0..20).map(answer).collect()
    }

    #[test]
    fn answers_count_when_they_are_right_and_from_the_worker_asked() {
        assert_eq!(check(&answers(18, "python"), |worker| worker == "python").unwrap(), 18.0);
        assert!(check(&answers(17, "python"), |_| true).is_err());
        assert!(check(&answers(20, "i-0"), |worker| worker == "python").is_err());
    }
}
