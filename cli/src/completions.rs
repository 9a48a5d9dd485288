//! What completes the command line. Shells know it by a script of their own; kubectl asks each time, in the protocol of cobra.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use clap::{Command, CommandFactory as _, FromArgMatches as _};
use clap_complete::CompletionCandidate;
use clap_complete::aot::{Shell, generate};
use clap_complete::engine::complete;

use crate::args::{Cli, ClusterArgs, Completer};
use crate::cluster::Cluster;

/// The program, as it is called without kubectl.
const PROGRAM: &str = "kubectl-fleet";

/// kubectl runs what is called `kubectl_complete-fleet`.
const FOR_KUBECTL: &str = "#!/bin/sh\nexec kubectl-fleet __complete \"$@\"\n";

/// Somebody waits with a finger on Tab.
const PATIENCE: Duration = Duration::from_secs(2);

/// cobra's directives: what was answered ends without a space; file names are no answer.
const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;

/// Prints the script for `completer`.
pub(crate) fn script(completer: Completer) -> Result<()> {
    let shell = match completer {
        Completer::Kubectl => return Ok(std::io::stdout().lock().write_all(FOR_KUBECTL.as_bytes())?),
        Completer::Bash => Shell::Bash,
        Completer::Elvish => Shell::Elvish,
        Completer::Fish => Shell::Fish,
        Completer::Powershell => Shell::PowerShell,
        Completer::Zsh => Shell::Zsh,
    };
    let mut script = Vec::new();
    generate(shell, &mut for_people(), PROGRAM, &mut script);
    Ok(std::io::stdout().lock().write_all(&script)?)
}

/// The command line without what only kubectl calls: shells would offer it.
fn for_people() -> Command {
    let shown = Cli::command();
    let shown = shown.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new(PROGRAM).version(env!("CARGO_PKG_VERSION")).subcommands(shown)
}

/// Answers kubectl: what the last of `words` may become, each with its help.
pub(crate) fn answer(mut words: Vec<OsString>) -> Result<()> {
    words.insert(0, PROGRAM.into());
    let last = words.len() - 1;
    let is_option = words[last].as_encoded_bytes().starts_with(b"-");
    let here = std::env::current_dir().ok();
    // An error says that nothing completes it.
    let found = complete(&mut Cli::command(), words, last, here.as_deref()).unwrap_or_default();
    // As kubectl has it: options only once a dash was typed.
    let found = found.iter().filter(|found| is_option || !found.get_value().as_encoded_bytes().starts_with(b"-"));
    let lines: Vec<String> = found.map(line).collect();
    let goes_on = lines.iter().any(|line| line.ends_with(['/', '=']));
    let directive = NO_FILES | if goes_on { NO_SPACE } else { 0 };
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Ok(writeln!(std::io::stdout().lock(), "{lines}:{directive}")?)
}

fn line(candidate: &CompletionCandidate) -> String {
    let value = candidate.get_value().to_string_lossy();
    let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
    help.lines().next().map_or_else(|| value.to_string(), |help| format!("{value}\t{help}"))
}

/// Names of the fleets in the cluster and namespace that the command line names so far; none when the cluster does not answer soon.
pub(crate) fn fleets() -> Vec<CompletionCandidate> {
    let words = std::env::args_os().filter(|word| word != "__complete");
    let cluster = named(words);
    // Completion is synchronous, and may be asked for within a runtime.
    let names = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        runtime.block_on(async { tokio::time::timeout(PATIENCE, names(&cluster)).await.ok()? })
    });
    let names = names.join().ok().flatten().unwrap_or_default();
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The cluster that `words` name, as far as they can be understood.
fn named(words: impl Iterator<Item = impl AsRef<OsStr>>) -> ClusterArgs {
    let words = words.map(|word| word.as_ref().to_owned());
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(words);
    let cluster = matches.ok().and_then(|matches| ClusterArgs::from_arg_matches(matches.subcommand()?.1).ok());
    cluster.unwrap_or_default()
}

async fn names(args: &ClusterArgs) -> Option<Vec<String>> {
    let cluster = Cluster::connect(args, false).await.ok()?;
    let fleets = cluster.list(None).await.ok()?;
    Some(fleets.iter().map(kube::ResourceExt::name_any).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_is_the_one_that_was_typed() {
        let typed = |words: &str| named(words.split(' '));
        let ClusterArgs { namespace, context, kubeconfig } = typed("kubectl-fleet logs --since 5m -n vision --context eu im");
        assert_eq!((namespace.as_deref(), context.as_deref(), kubeconfig), (Some("vision"), Some("eu"), None));
        assert_eq!(typed("kubectl-fleet explain -n vision --backlog").namespace.as_deref(), Some("vision"));
    }
}
