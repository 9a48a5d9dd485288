//! The command line: what can be asked, and its help.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;
use jiff::SignedDuration;

use crate::completions::fleets;
use crate::simulate::args::{EXAMPLES, SimulateArgs};

/// What ClassifierFleets do and why.
#[derive(Debug, Parser)]
#[command(name = "kubectl-fleet", bin_name = "kubectl fleet", version, max_term_width = 120)]
pub struct Cli {
    /// What is asked.
    #[command(subcommand)]
    pub command: Command,
}

/// What is asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Why a fleet has as many workers as it has; or, from a file, what would happen
    ///
    /// With NAME, prints the last decision of the operator as sentences, and decides again from the same inputs with the same code:
    /// where the two differ it says so and exits with 1, unless the spec has changed since.
    ///
    /// With -f and --backlog, needs no cluster: checks the fleet as the API server would, and says what the operator would do.
    /// With -f alone, explains the decision in the file's status, as `kubectl get cfleet NAME -o yaml` saves it.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Box<ExplainArgs>),
    /// What fleets, and other people's policies, would do under a load: times, costs, a chart
    ///
    /// Needs no cluster: plays EC2, SQS, gateway and workers in virtual time, with the code by which the operator observes and decides.
    /// The same seed plays the same. Exits with 1 when --slo is not met.
    #[command(after_help = EXAMPLES)]
    Simulate(Box<SimulateArgs>),
    /// What keeps a fleet from working, and what to do about it
    ///
    /// Looks at what the operator says, at Secrets, and with your own AWS credentials at the model, the buckets and the queues. Changes
    /// nothing. Exits with 1 when something is wrong.
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Fleets live: workers, backlog, and the last decision
    ///
    /// Redrawn as fleets change, until Ctrl-C. Written to a file or a pipe, or with --once, the table is printed once.
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// What gateways and operator logged of a fleet, and where its workers' logs are
    ///
    /// The oldest line first, on standard output; what could not be read, and where workers log, on standard error. Workers log on their
    /// instances, which Kubernetes does not reach: the commands for that are printed, not run. Exits with 1 when a log could not be read.
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(LogsArgs),
    /// A script that completes what you type, for a shell or for kubectl
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// For `kubectl fleet`: kubectl. For `kubectl-fleet`, the program itself: a shell
        completer: Completer,
    },
    /// What kubectl asks when Tab is pressed.
    #[command(name = "__complete", hide = true)]
    Complete {
        /// What was typed behind `kubectl fleet`; the last word is to be completed.
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        words: Vec<OsString>,
    },
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  kubectl fleet explain imagenet
  kubectl fleet explain imagenet -n vision -o json
  kubectl fleet explain -f fleet.yaml --backlog 300 --workers 4
  kubectl fleet explain -f fleet.yaml --backlog 300 --workers 4 --ready 2 --rate 12 --boot 35s --arrivals 2.5
  kubectl fleet explain -f fleet.yaml --failed-samples 4 --workers 4
  kubectl get cfleet imagenet -o yaml | kubectl fleet explain -f -";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  kubectl fleet doctor imagenet
  AWS_PROFILE=vision kubectl fleet doctor -n vision";

const STATUS_EXAMPLES: &str = "\
Examples:
  kubectl fleet status
  kubectl fleet status imagenet -n vision
  kubectl fleet status -A --once";

const LOGS_EXAMPLES: &str = "\
Examples:
  kubectl fleet logs imagenet
  kubectl fleet logs imagenet --follow --since 1m
  kubectl fleet logs imagenet --since 2h --job 01890a5d-ac96-774b-bcce-b302099a8057
  kubectl fleet logs imagenet -o json | jq 'select(.level == \"WARN\")'";

const COMPLETIONS_EXAMPLES: &str = "\
Examples (any folder on the PATH will do):
  kubectl fleet completions kubectl > ~/.local/bin/kubectl_complete-fleet
  chmod +x ~/.local/bin/kubectl_complete-fleet
  kubectl-fleet completions bash > ~/.local/share/bash-completion/completions/kubectl-fleet";

/// Which cluster, as kubectl is told.
#[derive(Debug, Clone, Default, Args)]
pub struct ClusterArgs {
    /// Namespace [default: the context's]
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "CONTEXT")]
    pub context: Option<String>,
    /// Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// `explain`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["name", "file"])))]
pub struct ExplainArgs {
    /// The fleet
    #[arg(add = ArgValueCandidates::new(fleets))]
    pub name: Option<String>,
    /// How to print it
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// YAML or JSON with fleets, - for standard input: no cluster is asked
    #[arg(short, long, value_name = "FILE", help_heading = "Offline")]
    pub file: Option<PathBuf>,
    /// The situation.
    #[command(flatten)]
    pub situation: Situation,
}

/// What an explanation is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Sentences
    Text,
    /// For programs
    Json,
    /// For programs
    Yaml,
}

/// What the operator would find.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Offline, what the operator would find")]
pub struct Situation {
    /// Jobs that wait in the request queue
    #[arg(long, value_name = "N")]
    pub backlog: Option<u64>,
    /// Workers that are ready or starting
    #[arg(long, value_name = "N", value_parser = workers())]
    pub workers: Option<u32>,
    /// Of them, those that take jobs; the others were launched just now [default: all]
    #[arg(long, value_name = "N", value_parser = workers())]
    pub ready: Option<u32>,
    /// Stopped workers
    #[arg(long, value_name = "N", value_parser = workers())]
    pub stopped: Option<u32>,
    /// The number of workers wanted before [default: as many as there are]
    #[arg(long, value_name = "N", value_parser = workers())]
    pub before: Option<u32>,
    /// Jobs that workers hold
    #[arg(long, value_name = "N")]
    pub in_flight: Option<u64>,
    /// Jobs whose delay has not passed
    #[arg(long, value_name = "N")]
    pub delayed: Option<u64>,
    /// How long the oldest job has waited, such as 20s
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub oldest_age: Option<SignedDuration>,
    /// Jobs that arrive each second
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub arrivals: Option<f64>,
    /// Jobs that a worker does each second, as it measured [default: unmeasured, taken for 1]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub rate: Option<f64>,
    /// From the launch of a worker until it is ready, such as 35s [default: unmeasured, taken for 30s]
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub boot: Option<SignedDuration>,
    /// From the start of a stopped worker until it is ready [default: unmeasured, taken for 20s]
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub boot_warm: Option<SignedDuration>,
    /// Samples of the queue that failed in a row: its depth is unknown
    #[arg(long, value_name = "N", conflicts_with_all = ["backlog", "in_flight", "delayed"], value_parser = clap::value_parser!(u32).range(1..))]
    pub failed_samples: Option<u32>,
    /// Where EC2 has no room for the next 3 minutes: `spot`, `on-demand`, an instance type or a subnet; may be repeated
    #[arg(long, value_name = "WHERE")]
    pub closed: Vec<String>,
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// One fleet only
    #[arg(add = ArgValueCandidates::new(fleets))]
    pub name: Option<String>,
    /// Fleets of all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Print the table once
    #[arg(long)]
    pub once: bool,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// One fleet only
    #[arg(add = ArgValueCandidates::new(fleets))]
    pub name: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The fleet
    #[arg(add = ArgValueCandidates::new(fleets))]
    pub name: String,
    /// Only what speaks of this job, the `id` of an upload's answer
    #[arg(long, value_name = "ID", value_parser = job)]
    pub job: Option<String>,
    /// How far back, such as 10m or 2h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = span)]
    pub since: SignedDuration,
    /// Go on with what is logged from now on, of new pods too
    #[arg(short, long)]
    pub follow: bool,
    /// How to print it
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: LineFormat,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// What a line of a log is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LineFormat {
    /// Time, pod, level, sentence, fields
    Text,
    /// One object a line, as the program wrote it, and its pod
    Json,
}

/// Who completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Completer {
    /// kubectl itself, fleets' names included
    Kubectl,
    /// Bash
    Bash,
    /// Elvish
    Elvish,
    /// Fish
    Fish,
    /// PowerShell
    Powershell,
    /// Z shell
    Zsh,
}

impl Situation {
    /// The queue is spoken of: there is something to decide.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.backlog.is_some() || self.in_flight.is_some() || self.delayed.is_some() || self.failed_samples.is_some()
    }
}

/// As many as the CRD allows.
fn workers() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(0..=2000)
}

/// `20s`, `1m30s`, or a number of seconds.
fn span(text: &str) -> Result<SignedDuration, String> {
    let seconds = text.parse().ok().and_then(|seconds: f64| SignedDuration::try_from_secs_f64(seconds).ok());
    let span = seconds.map_or_else(|| text.parse::<SignedDuration>().map_err(|_| ()), Ok);
    match span {
        Ok(span) if !span.is_negative() => Ok(span),
        _ => Err("give a time such as 20s or 1m30s".to_owned()),
    }
}

/// As the programs write it.
fn job(text: &str) -> Result<String, String> {
    let is_id = text.len() == 36 && text.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-');
    is_id
        .then(|| text.to_lowercase())
        .ok_or_else(|| "give the `id` of an upload's answer, such as 01890a5d-ac96-774b-bcce-b302099a8057".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && (0.0..=1e6).contains(rate));
    rate.ok_or_else(|| "give a number a second, such as 2.5".to_owned())
}
