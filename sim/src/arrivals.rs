//! When images are uploaded: made up from a few numbers, or read from a file. Knows nothing of what becomes of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::world::World;

/// When images are uploaded.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrivals {
    /// So many at once.
    Burst(u32),
    /// At random, so many a second on average.
    Poisson {
        /// Images a second.
        rate: f64,
        /// For how long.
        lasts: Duration,
    },
    /// At random, by a rate that swings as a cosine: lowest at the beginning, highest after half of the period.
    Diurnal {
        /// Images a second at the lowest.
        low: f64,
        /// Images a second at the highest.
        high: f64,
        /// From one lowest to the next.
        period: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// At random, by one rate after the other.
    Steps {
        /// Images a second, one after the other.
        rates: Vec<f64>,
        /// How long each lasts.
        each: Duration,
    },
    /// At these offsets in seconds, in order.
    Trace(Vec<f64>),
}

/// A file of offsets that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read.
    #[error("the trace {path} cannot be read: {source}")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no number.
    #[error("{path}:{line}: {text:?} is no offset: give one number of seconds a line, 0 or more, behind a heading if you like")]
    Line {
        /// Where.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// There is nothing in it.
    #[error("the trace {0} holds no offsets: give one number of seconds a line")]
    Empty(PathBuf),
}

impl Arrivals {
    /// The offsets in the first column of the CSV file at `path`; its first line may be a heading.
    ///
    /// # Errors
    /// [`TraceError`], with the line.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let text = std::fs::read_to_string(path).map_err(|source| TraceError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, TraceError> {
        let mut offsets = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let first = line.split(',').next().unwrap_or_default().trim();
            match first.parse().ok().filter(|offset: &f64| offset.is_finite() && *offset >= 0.0) {
                Some(offset) => offsets.push(offset),
                None if index == 0 && first.parse::<f64>().is_err() => {}
                None => return Err(TraceError::Line { path: path.to_owned(), line: index + 1, text: first.to_owned() }),
            }
        }
        offsets.sort_by(f64::total_cmp);
        if offsets.is_empty() { Err(TraceError::Empty(path.to_owned())) } else { Ok(Self::Trace(offsets)) }
    }

    /// The offsets in seconds, in order. The same for the same seed.
    #[must_use]
    pub fn offsets(&self, seed: u64) -> Vec<f64> {
        let mut rng = StdRng::seed_from_u64(seed ^ 0xA221_7A15);
        match self {
            Self::Burst(images) => vec![0.0; *images as usize],
            Self::Poisson { rate, lasts } => thinned(*rate, lasts.as_secs_f64(), |_| *rate, &mut rng),
            Self::Diurnal { low, high, period, lasts } => {
                let (period, swing) = (period.as_secs_f64(), (high - low) / 2.0);
                let rate = |at: f64| low + swing * (1.0 - (std::f64::consts::TAU * at / period).cos());
                thinned(low.max(*high), lasts.as_secs_f64(), rate, &mut rng)
            }
            Self::Steps { rates, each } => {
                let each = each.as_secs_f64();
                #[allow(clippy::cast_precision_loss)] // a few steps
                let lasts = each * rates.len() as f64;
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an index
                let rate = |at: f64| rates.get((at / each) as usize).copied().unwrap_or(0.0);
                thinned(rates.iter().copied().fold(0.0, f64::max), lasts, rate, &mut rng)
            }
            Self::Trace(offsets) => offsets.clone(),
        }
    }
}

/// A Poisson process whose rate changes, by thinning one of the highest rate (Lewis and Shedler, 1979).
fn thinned(highest: f64, lasts: f64, rate: impl Fn(f64) -> f64, rng: &mut StdRng) -> Vec<f64> {
    let (mut offsets, mut at) = (Vec::new(), 0.0);
    if highest <= 0.0 {
        return offsets;
    }
    loop {
        at -= (1.0 - rng.random::<f64>()).ln() / highest;
        if at >= lasts {
            return offsets;
        }
        if rng.random::<f64>() * highest < rate(at) {
            offsets.push(at);
        }
    }
}

/// Uploads at `offsets` seconds from now, each in its turn.
pub(crate) async fn play(world: Arc<World>, offsets: Vec<f64>) {
    let start = tokio::time::Instant::now();
    for (id, offset) in (0..).zip(offsets) {
        tokio::time::sleep_until(start + Duration::from_secs_f64(offset)).await;
        let world = world.clone();
        tokio::spawn(async move { world.upload(id).await });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Arrivals, TraceError> {
        Arrivals::parse(text, Path::new("trace.csv"))
    }

    #[test]
    fn a_trace_may_have_a_heading_and_further_columns() {
        assert_eq!(parse("seconds,tokens\n2.5,7\n\n0,1\n").unwrap(), Arrivals::Trace(vec![0.0, 2.5]));
    }

    #[test]
    fn what_is_no_offset_is_told_with_its_line() {
        assert!(parse("seconds\n1\nsoon\n").unwrap_err().to_string().starts_with("trace.csv:3: \"soon\" is no offset"));
        assert!(parse("-1\n").unwrap_err().to_string().starts_with("trace.csv:1: \"-1\""));
        assert!(parse("seconds\n").unwrap_err().to_string().contains("holds no offsets"));
    }

    #[test]
    fn as_many_come_as_the_rates_say_and_when_they_say() {
        let hour = Duration::from_secs(3600);
        let poisson = Arrivals::Poisson { rate: 2.0, lasts: hour }.offsets(1);
        assert!((6900..7500).contains(&poisson.len()), "{}", poisson.len());
        assert!(poisson.is_sorted());
        let diurnal = Arrivals::Diurnal { low: 0.0, high: 2.0, period: hour, lasts: hour }.offsets(1);
        assert!((3400..3800).contains(&diurnal.len()), "{}", diurnal.len());
        let middle = diurnal.iter().filter(|at| (900.0..2700.0).contains(*at)).count();
        assert!(middle * 10 > diurnal.len() * 7, "{middle} of {}", diurnal.len());
        let steps = Arrivals::Steps { rates: vec![0.0, 1.0, 0.0], each: Duration::from_secs(100) }.offsets(1);
        assert!(!steps.is_empty() && steps.iter().all(|at| (100.0..200.0).contains(at)), "{steps:?}");
    }
}
