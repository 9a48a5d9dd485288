//! Runs as a table of Markdown, and who beats whom. Pure.

use super::Run;

/// The table, and a sentence for each of others' policies that is both quicker and cheaper than each of ours.
pub(super) fn of(runs: &[Run]) -> String {
    let mut table =
        "| policy | P50 | P99 | starts | billed | of the best | killed busy |\n| --- | --: | --: | --: | --: | --: | --: |\n".to_owned();
    for run in runs {
        let bound = run.bound_seconds.filter(|bound| *bound > 0.0);
        let times = bound.map_or_else(|| "-".to_owned(), |bound| format!("{:.2} x", run.billed_seconds / bound));
        let Run { policy, p50, p99, starts, billed_seconds, ended_busy, .. } = run;
        table += &format!("| {policy} | {p50:.1} s | {p99:.1} s | {starts} | {billed_seconds:.0} s | {times} | {ended_busy} |\n");
        if run.unanswered > 0 {
            table += &format!("| | {} unanswered | | | | | |\n", run.unanswered);
        }
    }
    let beaten = beaten_by(runs);
    if beaten.is_empty() { table + "\nNobody is both quicker (P99) and cheaper than each of ours.\n" } else { table + &beaten }
}

/// Others that no fleet of ours equals in both P99 and cost.
fn beaten_by(runs: &[Run]) -> String {
    let (ours, others): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(|run| run.policy.starts_with("ours"));
    let beats = |other: &Run| ours.iter().all(|ours| other.p99 < ours.p99 && other.billed_seconds < ours.billed_seconds);
    let beating = others.into_iter().filter(|other| beats(other));
    beating.map(|other| format!("\n{} is quicker (P99) and cheaper than each of ours.\n", other.policy)).collect()
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
        let text = of(&[run("ours-a", 60.0, 100.0), run("ours-b", 120.0, 80.0), run("keda", 50.0, 70.0), run("knative", 50.0, 90.0)]);
        assert!(text.contains("| ours-a | 1.0 s | 60.0 s | 1 | 100 s | 2.00 x | 0 |"), "{text}");
        assert!(text.contains("keda is quicker"), "{text}");
        assert!(!text.contains("knative is quicker"), "{text}");
    }
}
