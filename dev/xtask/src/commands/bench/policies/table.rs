//! Runs as a table of Markdown, and who beats whom. Pure.

use anyhow::Result;

use super::Run;
use crate::commands::bench::report::Samples;

const HEAD: &str = "| policy | P50 | P99 | starts | billed | of the best | killed busy |\n| --- | --: | --: | --: | --: | --: | --: |\n";

/// The runs under one load, seed by seed: medians, for each policy a row, with the extent of its cost; and a sentence for each seed with
/// which one of others' policies is both quicker and cheaper than each of ours.
pub(super) fn of(seeds: &[Vec<Run>]) -> Result<String> {
    let policies = seeds.first().map_or(0, Vec::len);
    let mut table = HEAD.to_owned();
    for policy in 0..policies {
        table += &row(&seeds.iter().filter_map(|runs| runs.get(policy)).collect::<Vec<_>>())?;
    }
    let beating: String = seeds.iter().zip(1..).map(|(runs, seed)| beating(runs, seed)).collect();
    Ok(if beating.is_empty() { table + "\nNobody is both quicker (P99) and cheaper than each of ours.\n" } else { table + &beating })
}

/// One policy's runs.
#[allow(clippy::cast_precision_loss)] // 2⁵³ starts are not to be had
fn row(runs: &[&Run]) -> Result<String> {
    let median = |value: fn(&Run) -> f64| Samples::new(runs.iter().map(|run| value(run))).map(|samples| samples.median());
    let [p50, p99, billed] = [median(|run| run.p50)?, median(|run| run.p99)?, median(|run| run.billed_seconds)?];
    let [starts, killed] = [median(|run| run.starts as f64)?, median(|run| f64::from(run.ended_busy))?];
    let name = runs.first().map_or("", |run| &run.policy);
    let mut row = format!("| {name} | {p50:.1} s | {p99:.1} s | {starts:.0} | {billed:.0} s | {} | {killed:.0} |\n", times(runs));
    let unanswered: usize = runs.iter().map(|run| run.unanswered).sum();
    if unanswered > 0 {
        row += &format!("| | {unanswered} unanswered | | | | | |\n");
    }
    Ok(row)
}

/// How many times the best possible was paid, as far as that is known.
fn times(runs: &[&Run]) -> String {
    let of_best = |run: &&Run| run.bound_seconds.filter(|bound| *bound > 0.0).map(|bound| run.billed_seconds / bound);
    let Ok(times) = Samples::new(runs.iter().filter_map(of_best)) else { return "-".to_owned() };
    let (least, most) = times.extent();
    if runs.len() > 1 { format!("{:.2} x ({least:.2}–{most:.2})", times.median()) } else { format!("{:.2} x", times.median()) }
}

/// Others that no fleet of ours equals in both P99 and cost.
fn beating(runs: &[Run], seed: u64) -> String {
    let (ours, others): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(|run| run.policy.starts_with("ours"));
    let beats = |other: &Run| ours.iter().all(|ours| other.p99 < ours.p99 && other.billed_seconds < ours.billed_seconds);
    let beating = others.into_iter().filter(|other| beats(other));
    beating.map(|other| format!("\nWith seed {seed}, {} is quicker (P99) and cheaper than each of ours.\n", other.policy)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(policy: &str, p99: f64, billed_seconds: f64) -> Run {
        let policy = policy.to_owned();
        Run { policy, unanswered: 0, p50: 1.0, p99, makespan: 1.0, starts: 1, billed_seconds, bound_seconds: Some(50.0), ended_busy: 0 }
    }

    #[test]
    fn who_is_quicker_and_cheaper_than_all_of_ours_is_named() {
        let ours = [run("ours-a", 60.0, 100.0), run("ours-b", 120.0, 80.0)];
        let first = [&ours[..], &[run("keda", 70.0, 90.0), run("knative", 50.0, 90.0)]].concat();
        let second = [&ours[..], &[run("keda", 50.0, 70.0), run("knative", 50.0, 90.0)]].concat();
        let text = of(&[first, second]).unwrap();
        assert!(text.contains("With seed 2, keda is quicker"), "{text}");
        assert!(!text.contains("knative is quicker") && !text.contains("With seed 1"), "{text}");
    }

    #[test]
    fn a_row_has_the_medians_of_all_seeds_and_what_the_cost_spans() {
        let text = of(&[vec![run("ours-a", 60.0, 100.0)], vec![run("ours-a", 80.0, 60.0)], vec![run("ours-a", 40.0, 75.0)]]).unwrap();
        assert!(text.contains("| ours-a | 1.0 s | 60.0 s | 1 | 75 s | 1.50 x (1.20–2.00) | 0 |"), "{text}");
        assert!(of(&[vec![run("ours-a", 60.0, 100.0)]]).unwrap().contains("| 2.00 x |"));
    }
}
