//! Random durations: how long boots and images take. Knows nothing of either.

use std::fmt;
use std::str::FromStr;

use rand::RngExt as _;
use rand::rngs::StdRng;

/// The standard normal distribution's 99th percentile.
const NORMAL_P99: f64 = 2.326_347_874;

/// A distribution of durations in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(f64),
    /// Between two.
    Uniform(f64, f64),
    /// Memoryless, by its mean.
    Exponential(f64),
    /// Log-normal, by its median and its 99th percentile.
    LogNormal {
        /// Half are below.
        median: f64,
        /// One in a hundred is above.
        p99: f64,
    },
}

/// A text that names no distribution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no distribution of seconds: give 30, uniform:20,40, exponential:30 or lognormal:30,90 (median, 99th percentile)")]
pub struct NoDistribution(String);

impl Distribution {
    /// One duration, in seconds.
    pub fn sample(&self, rng: &mut StdRng) -> f64 {
        match *self {
            Self::Constant(seconds) => seconds,
            Self::Uniform(low, high) => low + (high - low) * rng.random::<f64>(),
            Self::Exponential(mean) => -mean * (1.0 - rng.random::<f64>()).ln(),
            Self::LogNormal { median, p99 } => median * (sigma(median, p99) * normal(rng)).exp(),
        }
    }

    /// Half of the durations are shorter, in seconds.
    #[must_use]
    pub fn median(&self) -> f64 {
        match *self {
            Self::Constant(seconds) => seconds,
            Self::Uniform(low, high) => f64::midpoint(low, high),
            Self::Exponential(mean) => mean * std::f64::consts::LN_2,
            Self::LogNormal { median, .. } => median,
        }
    }

    /// The mean, in seconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Constant(seconds) => seconds,
            Self::Uniform(low, high) => f64::midpoint(low, high),
            Self::Exponential(mean) => mean,
            Self::LogNormal { median, p99 } => median * (sigma(median, p99).powi(2) / 2.0).exp(),
        }
    }
}

fn sigma(median: f64, p99: f64) -> f64 {
    (p99 / median).ln() / NORMAL_P99
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut StdRng) -> f64 {
    let (radius, angle): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

impl FromStr for Distribution {
    type Err = NoDistribution;

    fn from_str(text: &str) -> Result<Self, NoDistribution> {
        let none = || NoDistribution(text.to_owned());
        let (name, numbers) = text.split_once(':').unwrap_or(("constant", text));
        let numbers: Result<Vec<f64>, _> = numbers.split(',').map(|number| number.trim().parse()).collect();
        let numbers = numbers.map_err(|_| none())?;
        if numbers.iter().any(|number| !number.is_finite() || *number < 0.0) {
            return Err(none());
        }
        match (name, numbers.as_slice()) {
            ("constant", [seconds]) => Ok(Self::Constant(*seconds)),
            ("uniform", [low, high]) if low <= high => Ok(Self::Uniform(*low, *high)),
            ("exponential", [mean]) => Ok(Self::Exponential(*mean)),
            ("lognormal", [median, p99]) if 0.0 < *median && median <= p99 => Ok(Self::LogNormal { median: *median, p99: *p99 }),
            _ => Err(none()),
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(seconds) => write!(f, "{seconds}"),
            Self::Uniform(low, high) => write!(f, "uniform:{low},{high}"),
            Self::Exponential(mean) => write!(f, "exponential:{mean}"),
            Self::LogNormal { median, p99 } => write!(f, "lognormal:{median},{p99}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn texts_are_read_and_written() {
        for text in ["30", "uniform:20,40", "exponential:30", "lognormal:30,90"] {
            assert_eq!(text.parse::<Distribution>().unwrap().to_string(), text);
        }
        for text in ["", "soon", "-1", "lognormal:90,30", "lognormal:0,30", "uniform:2", "weibull:1,2", "NaN"] {
            assert!(text.parse::<Distribution>().is_err(), "{text}");
        }
    }

    #[test]
    fn half_are_below_the_median_and_one_in_a_hundred_above_the_99th_percentile() {
        let mut rng = StdRng::seed_from_u64(7);
        let boots = Distribution::LogNormal { median: 30.0, p99: 90.0 };
        let mut samples: Vec<f64> = (0..100_000).map(|_| boots.sample(&mut rng)).collect();
        samples.sort_by(f64::total_cmp);
        assert!((samples[50_000] - 30.0).abs() < 0.5, "{}", samples[50_000]);
        assert!((samples[99_000] - 90.0).abs() < 4.0, "{}", samples[99_000]);
        let mean = samples.iter().sum::<f64>() / 100_000.0;
        assert!((mean - boots.mean()).abs() < 0.5, "{mean} {}", boots.mean());
    }
}
