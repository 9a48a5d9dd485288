//! The columns of the table: what each says of a fleet, and which are given up first where there is no room. Pure.

use crds::{ClassifierFleet, ClassifierFleetStatus, condition};
use kube::ResourceExt as _;

use super::bar::bar;
use super::view::View;
use crate::paint::Tone;
use crate::words::{cut, seconds};

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Namespace,
    Name,
    State,
    Wanted,
    Ready,
    Starting,
    Draining,
    Warm,
    Backlog,
    Bar,
    Oldest,
    LimitedBy,
    Revision,
}

/// What stands in a cell.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// In the order in which they stand.
pub(super) const ALL: [Column; 13] = [
    Column::Namespace,
    Column::Name,
    Column::State,
    Column::Wanted,
    Column::Ready,
    Column::Starting,
    Column::Draining,
    Column::Warm,
    Column::Backlog,
    Column::Bar,
    Column::Oldest,
    Column::LimitedBy,
    Column::Revision,
];

/// In the order in which they are given up.
pub(super) const DISPENSABLE: [Column; 10] = [
    Column::Revision,
    Column::LimitedBy,
    Column::Warm,
    Column::Oldest,
    Column::Draining,
    Column::Bar,
    Column::State,
    Column::Starting,
    Column::Namespace,
    Column::Wanted,
];

/// Widest revision that is shown whole.
const REVISION: usize = 20;

impl Column {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Namespace => "NAMESPACE",
            Self::Name => "NAME",
            Self::State => "STATE",
            Self::Wanted => "WANTED",
            Self::Ready => "READY",
            Self::Starting => "STARTING",
            Self::Draining => "DRAINING",
            Self::Warm => "WARM",
            Self::Backlog => "BACKLOG",
            Self::Bar => "",
            Self::Oldest => "OLDEST",
            Self::LimitedBy => "LIMITED-BY",
            Self::Revision => "REVISION",
        }
    }

    /// Numbers stand right.
    pub(super) fn is_number(self) -> bool {
        use Column::{Backlog, Draining, Oldest, Ready, Starting, Wanted, Warm};
        matches!(self, Wanted | Ready | Starting | Draining | Warm | Backlog | Oldest)
    }

    pub(super) fn cell(self, fleet: &ClassifierFleet, view: &View) -> Cell {
        let unseen = ClassifierFleetStatus::default();
        let status = fleet.status.as_ref().unwrap_or(&unseen);
        let workers = &status.workers;
        let plain = |text: String| Cell { text, tone: Tone::Plain };
        let busy = |number: i32| Cell { text: number.to_string(), tone: if number > 0 { Tone::Busy } else { Tone::Dim } };
        match self {
            Self::Namespace => plain(fleet.namespace().unwrap_or_default()),
            Self::Name => Cell { text: fleet.name_any(), tone: Tone::Bold },
            Self::State => state(fleet),
            Self::Wanted => plain(status.desired.to_string()),
            Self::Ready => ready(status),
            Self::Starting => busy(workers.starting),
            Self::Draining => busy(workers.draining),
            Self::Warm => Cell { text: workers.stopped.to_string(), tone: if workers.stopped > 0 { Tone::Plain } else { Tone::Dim } },
            Self::Backlog => plain(status.queue.as_ref().map_or_else(|| "-".to_owned(), |queue| queue.backlog.to_string())),
            Self::Bar => Cell { text: bar(backlog(fleet), view.peak), tone: Tone::Busy },
            Self::Oldest => plain(oldest(status).map_or_else(|| "-".to_owned(), seconds)),
            Self::LimitedBy => limited_by(status),
            Self::Revision => revision(status),
        }
    }
}

/// Jobs that wait or are in work.
pub(super) fn backlog(fleet: &ClassifierFleet) -> i64 {
    fleet.status.as_ref().and_then(|status| status.queue.as_ref()).map_or(0, |queue| queue.backlog)
}

fn oldest(status: &ClassifierFleetStatus) -> Option<f64> {
    status.decision.as_ref().and_then(|decision| decision.inputs.oldest_age_seconds)
}

fn state(fleet: &ClassifierFleet) -> Cell {
    let conditions = fleet.status.iter().flat_map(|status| &status.conditions);
    let Some(ready) = conditions.into_iter().find(|condition| condition.type_ == condition::READY) else {
        return Cell { text: "Unseen".to_owned(), tone: Tone::Bad };
    };
    let tone = match (ready.status.as_str(), ready.reason.as_str()) {
        (_, "Deleting" | "ScalingUp" | "ScalingDown") => Tone::Busy,
        ("True", _) => Tone::Good,
        _ => Tone::Bad,
    };
    Cell { text: ready.reason.clone(), tone }
}

fn ready(status: &ClassifierFleetStatus) -> Cell {
    let (ready, desired) = (status.workers.ready, status.desired);
    let tone = match () {
        () if ready == 0 && desired == 0 => Tone::Dim,
        () if ready >= desired => Tone::Good,
        () => Tone::Busy,
    };
    Cell { text: ready.to_string(), tone }
}

fn limited_by(status: &ClassifierFleetStatus) -> Cell {
    let limit = status.decision.as_ref().and_then(|decision| decision.limited_by.clone());
    Cell { tone: if limit.is_some() { Tone::Busy } else { Tone::Dim }, text: limit.unwrap_or_else(|| "-".to_owned()) }
}

/// The revision, and how it is rolled out while it is.
fn revision(status: &ClassifierFleetStatus) -> Cell {
    let name = cut(status.revision.as_deref().unwrap_or("-"), REVISION);
    let outdated = status.workers.outdated;
    let stalled = status.rollout.as_ref().is_some_and(crate::explain::is_stalled);
    match (stalled, outdated) {
        (true, _) => Cell { text: format!("{name} stalled, {outdated} old"), tone: Tone::Bad },
        (false, 1..) => Cell { text: format!("{name} replaces {outdated}"), tone: Tone::Busy },
        _ => Cell { text: name, tone: Tone::Dim },
    }
}
