//! The table, redrawn as the cluster's fleets change.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result};
use crds::ClassifierFleet;
use futures::StreamExt as _;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::screen::{Screen, size};
use super::view::{View, peak, table};
use crate::cluster::Cluster;
use crate::paint::{Paint, Tone};

/// Changes are seen this soon, however many there are at once.
const TICK: Duration = Duration::from_millis(200);
/// The clock moves every so many ticks, if nothing else does.
const CLOCK: u32 = 5;

/// Shows the fleets until the user has seen enough.
pub(super) async fn watch(cluster: &Cluster, name: Option<&str>) -> Result<()> {
    let config = name.map_or_else(watcher::Config::default, |name| watcher::Config::default().fields(&format!("metadata.name={name}")));
    let (store, writer) = reflector::store();
    let events = watcher(cluster.fleets(), config).default_backoff().reflect(writer);
    let mut events = pin!(events);
    let mut signals = Signals::new()?;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut picture = Picture { cluster, store, screen: Screen::enter()?, peak: 0, listed: false, trouble: None };
    let (mut changed, mut ticks) = (true, 0_u32);
    loop {
        tokio::select! {
            event = events.next() => {
                picture.take(event.context("the watch has ended")?);
                changed = true;
            }
            _ = tick.tick() => {
                ticks = ticks.wrapping_add(1);
                if changed || ticks.is_multiple_of(CLOCK) {
                    picture.draw()?;
                    changed = false;
                }
            }
            resized = signals.next() => match resized {
                true => changed = true,
                false => return Ok(()),
            },
        }
    }
}

/// What the user, or who stops programs, may send.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    resize: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            resize: signal(SignalKind::window_change())?,
        })
    }

    /// Waits for one: true when the terminal has another size, false when it is time to stop.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.resize.recv() => true,
            _ = self.interrupt.recv() => false,
            _ = self.terminate.recv() => false,
            _ = self.hangup.recv() => false,
        }
    }
}

struct Picture<'a> {
    cluster: &'a Cluster,
    store: Store<ClassifierFleet>,
    screen: Screen,
    peak: i64,
    /// All fleets are known: none means none.
    listed: bool,
    trouble: Option<String>,
}

impl Picture<'_> {
    fn take(&mut self, event: Result<watcher::Event<ClassifierFleet>, watcher::Error>) {
        self.listed |= matches!(event, Ok(watcher::Event::InitDone));
        self.trouble = event.err().map(|error| trouble(self.cluster, error));
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let (width, height) = size();
        let paint = Paint::for_stdout();
        let fleets = self.store.state();
        let fleets: Vec<&ClassifierFleet> = fleets.iter().map(AsRef::as_ref).collect();
        self.peak = self.peak.max(peak(&fleets));
        let view = View { width: Some(width), namespaces: self.cluster.namespace.is_none(), peak: self.peak, paint };
        let place =
            self.cluster.namespace.as_deref().map_or_else(|| "all namespaces".to_owned(), |namespace| format!("namespace {namespace}"));
        let clock = jiff::Zoned::now().strftime("%H:%M:%S");
        let heading = crate::words::cut(&format!("ClassifierFleets of {place}, {clock}; Ctrl-C ends"), width);
        let mut lines = vec![paint.paint(Tone::Dim, &heading), String::new()];
        if let Some(trouble) = &self.trouble {
            lines.push(paint.paint(Tone::Bad, &crate::words::cut(trouble, width)));
        }
        match fleets.is_empty() {
            true if self.listed => lines.push("There is no fleet here.".to_owned()),
            true => {}
            false => lines.extend(table(&fleets, &view)),
        }
        self.screen.draw(&lines, (width, height))
    }
}

fn trouble(cluster: &Cluster, error: watcher::Error) -> String {
    let error = match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => error,
        watcher::Error::WatchError(status) => kube::Error::Api(status),
        error @ watcher::Error::NoResourceVersion => return error.to_string(),
    };
    format!("Not up to date, trying again: {}", cluster.error(error))
}
