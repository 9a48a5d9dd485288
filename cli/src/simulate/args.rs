//! The command line of `simulate`, and what its words mean.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{ArgGroup, Args, ValueEnum};
use cloudsim::state::Capacity;
use jiff::SignedDuration;
use sim::arrivals::Arrivals;
use sim::distribution::Distribution;
use sim::peers::Peer;

/// What is shown behind the help.
pub const EXAMPLES: &str = "\
Examples:
  kubectl fleet simulate -f fleet.yaml --burst 100
  kubectl fleet simulate -f fleet.yaml --poisson 2/s --for 1h --chart hour.svg
  kubectl fleet simulate -f fleet.yaml --diurnal 0.1..3/s --for 24h --usd-per-hour 0.0208
  kubectl fleet simulate -f fleet.yaml --trace uploads.csv --policy keda,target-tracking
  kubectl fleet simulate -f fleet.yaml --compare cheaper.yaml --burst 300 --boot-seconds lognormal:30,90
  kubectl fleet simulate -f fleet.yaml --burst 300 --sweep workers.max=5..40 --slo p99=120s";

/// `simulate`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("load").required(true).args(["trace", "burst", "poisson", "diurnal", "steps"])))]
pub struct SimulateArgs {
    /// YAML or JSON with fleets, - for standard input: no cluster is asked
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Further fleets to play beside
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub compare: Vec<PathBuf>,
    /// Other people's policies to play beside, with the first fleet's workers.max
    #[arg(long, value_enum, value_delimiter = ',')]
    pub policy: Vec<PolicyName>,
    /// Plays the first fleet with a field of its spec from one number to another, such as workers.max=5..40
    #[arg(long, value_name = "FIELD=FROM..TO", value_parser = sweep, conflicts_with_all = ["compare", "policy"])]
    pub sweep: Option<Sweep>,
    /// What must be met, such as p99=120s (or p50=, max=)
    #[arg(long, value_name = "WHAT=TIME", value_parser = slo)]
    pub slo: Option<Slo>,
    /// What is uploaded when.
    #[command(flatten)]
    pub load: Load,
    /// What the world is like.
    #[command(flatten)]
    pub assumed: Assumed,
    /// How to print it
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: crate::args::Output,
    /// Draws backlog, workers and cost over time: FILE.svg or FILE.png
    #[arg(long, value_name = "FILE")]
    pub chart: Option<PathBuf>,
}

/// What is uploaded when.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct Load {
    /// CSV with the offset of each upload in seconds in its first column
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// So many images at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub burst: Option<u32>,
    /// At random, such as 2/s or 30/min on average
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub poisson: Option<f64>,
    /// At random, between a lowest and a highest rate, such as 0.1..3/s
    #[arg(long, value_name = "LOW..HIGH", value_parser = rates)]
    pub diurnal: Option<(f64, f64)>,
    /// At random, by one rate after the other, such as 0,2,8,1/s
    #[arg(long, value_name = "RATES", value_parser = steps)]
    pub steps: Option<Steps>,
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = time)]
    pub lasts: Duration,
    /// From one lowest rate to the next, with --diurnal [default: as long as it lasts]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub period: Option<Duration>,
}

/// What the world is like.
#[derive(Debug, Args)]
#[command(next_help_heading = "Assumed")]
pub struct Assumed {
    /// The seed of all that is random
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// From the launch call to ready: 30, uniform:20,40, exponential:30 or lognormal:30,90 (median, 99th percentile)
    #[arg(long, value_name = "SECONDS", default_value = "lognormal:30,90")]
    pub boot_seconds: Distribution,
    /// From the start of a stopped worker to ready
    #[arg(long, value_name = "SECONDS", default_value = "lognormal:20,60")]
    pub boot_warm_seconds: Distribution,
    /// How long a worker is busy with an image
    #[arg(long, value_name = "SECONDS", default_value = "exponential:1")]
    pub service_seconds: Distribution,
    /// Images that a worker has in work at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub parallelism: u16,
    /// How far SQS's counters trail what happens
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    pub counter_lag: Duration,
    /// How far EC2's lists trail what happens
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    pub describe_lag: Duration,
    /// How many instances EC2 has room for, by offering, such as spot:t3.small=3,t3.small=10; others without end
    #[arg(long, value_name = "OFFERING=N", value_parser = capacity)]
    pub capacity: Option<Capacity>,
    /// From a spot instance's launch to EC2's notice that it takes it back, such as exponential:1800 [default: never]
    #[arg(long, value_name = "SECONDS")]
    pub spot_life_seconds: Option<Distribution>,
    /// What an instance costs; without it, costs are instance-seconds
    #[arg(long, value_name = "USD", value_parser = usd)]
    pub usd_per_hour: Option<f64>,
}

/// Other people's policies: one, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyName {
    /// This one.
    One(Peer),
    /// All of them.
    All,
}

/// One rate after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps(pub Vec<f64>);

/// A field of the spec, and its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Such as `workers.max`.
    pub field: String,
    /// The first.
    pub from: i32,
    /// The last.
    pub to: i32,
}

/// What must be met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slo {
    /// Of all times to an answer.
    pub which: Which,
    /// In seconds.
    pub seconds: f64,
}

/// Which of all times to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Half are quicker.
    P50,
    /// One in a hundred is slower.
    P99,
    /// The slowest.
    Max,
}

impl PolicyName {
    const EACH: [Self; Peer::ALL.len() + 1] = {
        let mut each = [Self::All; Peer::ALL.len() + 1];
        let mut index = 0;
        while index < Peer::ALL.len() {
            each[index] = Self::One(Peer::ALL[index]);
            index += 1;
        }
        each
    };

    /// The policies that it names.
    pub fn peers(self) -> Vec<Peer> {
        match self {
            Self::One(peer) => vec![peer],
            Self::All => Peer::ALL.to_vec(),
        }
    }
}

impl ValueEnum for PolicyName {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::EACH
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, about) = match self {
            Self::One(peer) => (peer.name(), peer.about()),
            Self::All => ("all", "All of them"),
        };
        Some(PossibleValue::new(name).help(about))
    }
}

impl Load {
    /// The load.
    ///
    /// # Errors
    /// When the trace cannot be read.
    pub fn arrivals(&self) -> Result<Arrivals, sim::arrivals::TraceError> {
        let lasts = self.lasts;
        Ok(match self {
            Self { trace: Some(path), .. } => Arrivals::read(path)?,
            Self { poisson: Some(rate), .. } => Arrivals::Poisson { rate: *rate, lasts },
            Self { diurnal: Some((low, high)), .. } => {
                Arrivals::Diurnal { low: *low, high: *high, period: self.period.unwrap_or(lasts), lasts }
            }
            Self { steps: Some(Steps(rates)), .. } => {
                Arrivals::Steps { rates: rates.clone(), each: lasts / u32::try_from(rates.len()).unwrap_or(1).max(1) }
            }
            Self { burst, .. } => Arrivals::Burst(burst.unwrap_or_default()),
        })
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    let time = seconds.or_else(|| text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok()));
    time.filter(|time| *time <= Duration::from_secs(14 * 86_400)).ok_or_else(|| "give a time such as 90s or 1h, up to 14 days".to_owned())
}

/// `2/s`, `30/min`, `100/h`, or a number a second; as images a second.
fn rate(text: &str) -> Result<f64, String> {
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match unit {
        "s" => 1.0,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        _ => 0.0,
    };
    let rate = number.trim().parse().ok().map(|number: f64| number / seconds).filter(|rate| (0.0..=1e4).contains(rate));
    rate.ok_or_else(|| "give a rate such as 2/s or 30/min, up to 10000/s".to_owned())
}

fn rates(text: &str) -> Result<(f64, f64), String> {
    let both = text.split_once("..").map(|(low, high)| {
        let unit = high.split_once('/').map_or("s", |(_, unit)| unit);
        (rate(&format!("{low}/{unit}")), rate(high))
    });
    match both {
        Some((Ok(low), Ok(high))) if low <= high => Ok((low, high)),
        _ => Err("give the lowest and the highest rate, such as 0.1..3/s".to_owned()),
    }
}

fn steps(text: &str) -> Result<Steps, String> {
    let (numbers, unit) = text.split_once('/').unwrap_or((text, "s"));
    let rates: Result<Vec<f64>, String> = numbers.split(',').map(|number| rate(&format!("{number}/{unit}"))).collect();
    rates.map(Steps).map_err(|_| "give rates, such as 0,2,8,1/s".to_owned())
}

fn capacity(text: &str) -> Result<Capacity, String> {
    let room =
        |part: &str| part.rsplit_once('=').and_then(|(offering, number)| Some((offering.trim().to_owned(), number.trim().parse().ok()?)));
    let limits: Option<BTreeMap<String, u32>> = text.split(',').map(room).collect();
    let limits = limits.ok_or_else(|| "give offerings and how many of each, such as spot:t3.small=3,t3.small=10".to_owned())?;
    Capacity::try_from(limits).map_err(|error| error.to_string())
}

fn sweep(text: &str) -> Result<Sweep, String> {
    let parsed = text.split_once('=').and_then(|(field, range)| {
        let (from, to) = range.split_once("..")?;
        Some(Sweep { field: field.trim().to_owned(), from: from.trim().parse().ok()?, to: to.trim().parse().ok()? })
    });
    let parsed = parsed.filter(|sweep| sweep.from <= sweep.to && sweep.to.saturating_sub(sweep.from) < 1000);
    parsed.ok_or_else(|| "give a field and its numbers, a thousand at most, such as workers.max=5..40".to_owned())
}

fn slo(text: &str) -> Result<Slo, String> {
    let parsed = text.split_once('=').and_then(|(which, limit)| {
        let which = match which.trim() {
            "p50" => Which::P50,
            "p99" => Which::P99,
            "max" => Which::Max,
            _ => return None,
        };
        Some(Slo { which, seconds: time(limit.trim()).ok()?.as_secs_f64() })
    });
    parsed.ok_or_else(|| "give p50, p99 or max, and a time, such as p99=120s".to_owned())
}

fn usd(text: &str) -> Result<f64, String> {
    let usd = text.parse().ok().filter(|usd: &f64| (0.0..=1e4).contains(usd));
    usd.ok_or_else(|| "give US dollars an hour, such as 0.0208".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_understood() {
        assert_eq!(rate("30/min"), Ok(0.5));
        assert_eq!(rates("6..30/min"), Ok((0.1, 0.5)));
        assert_eq!(steps("0,2,8/s"), Ok(Steps(vec![0.0, 2.0, 8.0])));
        assert_eq!(sweep("workers.max=5..40"), Ok(Sweep { field: "workers.max".to_owned(), from: 5, to: 40 }));
        let room = capacity("spot:t3.small=3,t3.small@subnet-1=10").unwrap();
        assert_eq!(room.limits().get("spot:t3.small"), Some(&3));
        assert_eq!(slo("p99=2m"), Ok(Slo { which: Which::P99, seconds: 120.0 }));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_an_example() {
        for refused in [rate("2/day").is_err(), rate("-1").is_err(), rates("3..1/s").is_err(), steps("1,x").is_err()] {
            assert!(refused);
        }
        assert!(sweep("workers.max=40..5").unwrap_err().contains("workers.max=5..40"));
        assert!(capacity("t3.small").unwrap_err().contains("spot:t3.small=3"));
        assert!(capacity("small=3").unwrap_err().contains("names no offering"));
        assert!(slo("p98=1s").unwrap_err().contains("p99=120s"));
    }
}
