//! Findings for people. Pure.

use super::finding::{Finding, Verdict};
use crate::paint::{Paint, Tone};

/// A line for each finding, what to do below it, and the sum.
pub(super) fn text(fleet: &str, findings: &[Finding], paint: Paint) -> String {
    let lines = findings.iter().map(|finding| {
        let Finding { subject, verdict, sentence, remedy } = finding;
        let (mark, tone) = match verdict {
            Verdict::Right => ("ok", Tone::Good),
            Verdict::Wrong => ("wrong", Tone::Bad),
            Verdict::Unknown => ("unknown", Tone::Busy),
        };
        let remedy = remedy.as_ref().map(|remedy| format!("{:20}{remedy}.\n", "")).unwrap_or_default();
        format!("{} {subject:10} {sentence}.\n{remedy}", paint.paint(tone, &format!("{mark:8}")))
    });
    let lines: String = lines.collect();
    let wrong = findings.iter().filter(|finding| finding.verdict == Verdict::Wrong).count();
    let sum = if wrong == 0 { "nothing is wrong".to_owned() } else { format!("{wrong} things are wrong") };
    format!("{}\n{lines}", paint.paint(Tone::Bold, &format!("{fleet}: {sum}")))
}
