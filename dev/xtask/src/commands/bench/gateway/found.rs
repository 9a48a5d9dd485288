//! What `cargo xtask bench gateway` found, and how it is told. Pure.

use anyhow::Result;

use super::super::report::{Measure, Samples};
use super::CONNECTIONS;
use super::load::Seen;

/// What tables call the plain gateway.
pub(super) const PEER: &str = "plain Python gateway";

/// What one round found of one gateway: a figure for each of [`CONNECTIONS`].
pub(super) type Figures = [Figure; CONNECTIONS.len()];

/// What one round found.
pub(super) struct Round {
    pub(super) ours: Figures,
    pub(super) peer: Figures,
}

/// One gateway with so many connections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    pub(super) seen: Seen,
    /// Milliseconds for each upload: of the gateway, and of the stand-in for SQS and S3.
    pub(super) cpu_ms: f64,
    pub(super) emulator_cpu_ms: f64,
    /// Requests to AWS for each upload.
    pub(super) calls: f64,
    /// Bytes: at most, and before any upload.
    pub(super) peak: f64,
    pub(super) idle: f64,
}

impl Figure {
    /// Memory that each connection takes, bytes.
    fn per_connection(&self, connections: u32) -> f64 {
        (self.peak - self.idle).max(0.0) / f64::from(connections)
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seen: Seen { right, errors, per_second, p50_ms, p99_ms }, cpu_ms, emulator_cpu_ms, calls, peak, idle: _ } = self;
        write!(f, "{per_second:.0} uploads/s, p50 {p50_ms:.0} ms, p99 {p99_ms:.0} ms, {right} right, {errors} errors, ")?;
        write!(f, "{cpu_ms:.2} CPU-ms an upload (SQS and S3 {emulator_cpu_ms:.2}), {calls:.2} calls, {:.0} MiB", peak / MIB)
    }
}

const MIB: f64 = 1024.0 * 1024.0;

/// The rows of the table.
pub(super) fn measures(rounds: &[Round]) -> Result<Vec<Measure>> {
    let mut measures = Vec::new();
    for (place, connections) in CONNECTIONS.into_iter().enumerate() {
        let mut row = |measure: &str, unit, goal, value: &dyn Fn(&Figure) -> f64| -> Result<()> {
            let ours = Samples::new(rounds.iter().map(|round| value(&round.ours[place])))?;
            let peer = Samples::new(rounds.iter().map(|round| value(&round.peer[place])))?;
            measures.push(Measure { measure: format!("{connections}: {measure}"), unit, ours, peer: Some((PEER, peer)), goal });
            Ok(())
        };
        let at_100 = |goal| (connections == 100).then_some(goal);
        let at_1000 = |goal| (connections == 1000).then_some(goal);
        row("answers", "/s", None, &|figure| figure.seen.per_second)?;
        row("upload to answer, p50", "ms", None, &|figure| figure.seen.p50_ms)?;
        row("upload to answer, p99", "ms", at_100("below the peer's p50"), &|figure| figure.seen.p99_ms)?;
        row("errors", "", Some("0"), &|figure| figure.seen.errors)?;
        row("CPU of the gateway", "ms/upload", Some("ratio at most 0.1"), &|figure| figure.cpu_ms)?;
        row("CPU of SQS and S3", "ms/upload", None, &|figure| figure.emulator_cpu_ms)?;
        row("calls to AWS", "/upload", at_100("at most 1.4"), &|figure| figure.calls)?;
        row("memory, at most", "MiB", None, &|figure| figure.peak / MIB)?;
        row("memory", "KiB/connection", at_1000("ratio at most 0.1"), &|figure| figure.per_connection(connections) / 1024.0)?;
    }
    Ok(measures)
}

/// What to know when reading the table.
pub(super) fn caption(rounds: usize, seconds: u32, bytes: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "Rounds: {rounds}, each {seconds} s with {CONNECTIONS:?} connections for each gateway in turn; medians (least–most). The first number \
         of each row is that of connections. Each uploads a photo of {bytes} bytes, waits for its label, and goes on.\n\
         The peer is Flask and boto3 under gunicorn with {cores} processes. RATIO is ours / peer: above 1 is better for answers a second, \
         below 1 for all else. SQS and S3 are roto. Workers answer at once, and store nothing.\n\
         k6, gateway, workers, Kubernetes, SQS and S3 share the {cores} cores of this machine: compare within one run, not between machines."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_connection_is_what_it_takes_beyond_an_idle_gateway() {
        let seen = Seen { right: 10.0, errors: 0.0, per_second: 5.0, p50_ms: 1.0, p99_ms: 2.0 };
        let figure = Figure { seen, cpu_ms: 0.5, emulator_cpu_ms: 1.0, calls: 1.3, peak: 20.0 * MIB, idle: 10.0 * MIB };
        let measures = measures(&[Round { ours: [figure; 3], peer: [Figure { cpu_ms: 5.0, ..figure }; 3] }]).unwrap();
        assert_eq!(measures.len(), 27);
        let last = &measures[26];
        assert_eq!((last.measure.as_str(), last.ours.median()), ("1000: memory", 10.24));
        assert_eq!(measures.iter().filter(|measure| measure.goal == Some("at most 1.4")).count(), 1);
    }
}
