//! `cargo xtask demo`: 20 photos of known class, uploaded at once, from zero workers to zero workers.

mod table;
mod workers;

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::Args;
use tokio::task::JoinSet;

use self::workers::Workers;
use super::up::{self, UpArgs};
use crate::paths::Paths;
use crate::photos::{self, Answer, Photo};
use crate::process::Supervisor;
use crate::progress::{Progress, coloured, line};
use crate::stack::{self, Stack};

/// EfficientNet-Lite0 gets 18 of the 20 right in onnxruntime.
const RIGHT_AT_LEAST: usize = 18;
/// From nothing: launch, boot, load the model, classify.
const ANSWERS_WITHIN: Duration = Duration::from_secs(180);
const ZERO_WITHIN: Duration = Duration::from_secs(240);

/// How to show it.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    up: UpArgs,
    /// Leave everything running afterwards.
    #[arg(long)]
    keep: bool,
}

pub(super) async fn run(paths: Paths, args: DemoArgs) -> Result<()> {
    let progress = Progress::printed();
    let supervisor = Supervisor::new(&paths.dev)?;
    let interrupted = service::shutdown::on_signal()?;
    let shown = tokio::select! {
        shown = show(paths, args.up, progress) => shown,
        () = interrupted.cancelled() => Err(anyhow!("interrupted")),
    };
    let dir = supervisor.dir().display();
    if args.keep {
        line(format!(
            "Everything still runs. In this shell: source {dir}/env; to look: {dir}/bin/kubectl describe cfleet; to end it: cargo xtask down."
        ));
    } else {
        progress.say("down", "ending everything");
        stack::end_all(&supervisor).await?;
        progress.say("down", "no process is left");
        line(format!(
            "The logs stay in {dir}/logs. `cargo xtask up` starts everything again and leaves it running; README.md goes on from there."
        ));
    }
    shown
}

async fn show(paths: Paths, up: UpArgs, progress: Progress) -> Result<()> {
    let stack = up::start(paths, up, progress).await?;
    let photos = photos::load(&stack.tools().photos)?;
    let mut workers = Workers::of(&stack, progress).await?;
    workers
        .are_none()
        .await
        .context("the demo begins with zero workers; wait until `cargo xtask status` shows none, or `cargo xtask down`")?;
    progress.say("demo", format!("uploading {} photos at once, with no worker running", photos.len()));
    let answers = upload(&stack, photos, &mut workers).await?;
    let right = answers.iter().filter(|answer| answer.is_right()).count();
    line(format!("\n{}", table::render(&answers)));
    progress.say("demo", "all answered; the operator now ends the workers (after the scale-down window of the fleet)");
    workers.until_none(ZERO_WITHIN).await?;
    let verdict = format!("{right} of {} right, workers 0 → {} → 0", answers.len(), workers.most());
    line(format!("\n{}\n", coloured(right >= RIGHT_AT_LEAST, &verdict)));
    ensure!(right >= RIGHT_AT_LEAST, "only {right} photos were classified right, at least {RIGHT_AT_LEAST} should be");
    ensure!(workers.most() > 0, "the photos were answered and yet no worker was seen");
    Ok(())
}

async fn upload(stack: &Stack, photos: Vec<Photo>, workers: &mut Workers<'_>) -> Result<Vec<Answer>> {
    let gateway = stack.gateway_url()?.to_owned();
    let http = reqwest::Client::builder().timeout(ANSWERS_WITHIN).build()?;
    let mut uploads = JoinSet::new();
    let wanted = photos.len();
    for photo in photos {
        let (http, gateway) = (http.clone(), gateway.clone());
        uploads.spawn(async move { photo.classify(&http, &gateway).await });
    }
    let mut answers = Vec::new();
    while answers.len() < wanted {
        tokio::select! {
            Some(answer) = uploads.join_next() => answers.push(answer?.with_context(|| where_to_look(stack))?),
            looked = workers.look(answers.len(), wanted) => looked?,
            else => bail!("an upload was lost"),
        }
    }
    workers.look(answers.len(), wanted).await?;
    answers.sort_by(|one, other| one.photo.cmp(&other.photo));
    Ok(answers)
}

fn where_to_look(stack: &Stack) -> String {
    format!("an upload was not answered well. {}", crate::wait::tail(&stack.log("operator")))
}
