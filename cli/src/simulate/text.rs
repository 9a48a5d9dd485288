//! A simulation as a table. Pure.

use sim::report::Report;

use super::Simulation;
use super::args::Slo;
use crate::words::{count, seconds};

const HEADINGS: [&str; 12] =
    ["POLICY", "P50", "P99", "SLOWEST", "ALL IN", "STARTS", "MOST", "BILLED", "OF BEST", "SHORT", "IDLE", "KILLED BUSY"];

/// The simulation as text.
pub(super) fn text(simulation: &Simulation, slo: Option<Slo>) -> String {
    let images = count(i64::try_from(simulation.images).unwrap_or(i64::MAX), "image");
    let mut text = format!(
        "{images} uploaded within {}. Workers boot in {} s (stopped ones {}); an image takes {} s; seed {}.\n\n",
        seconds(simulation.load_seconds),
        simulation.boot_seconds,
        simulation.boot_warm_seconds,
        simulation.service_seconds,
        simulation.seed
    );
    let rows: Vec<[String; 12]> = std::iter::once(HEADINGS.map(str::to_owned)).chain(simulation.runs.iter().map(row)).collect();
    let widths: [usize; 12] = std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    for row in &rows {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") });
        text += &cells.collect::<Vec<_>>().join("  ");
        text += "\n";
    }
    text + "\n" + &remarks(simulation, slo).join("\n") + "\n"
}

fn row(report: &Report) -> [String; 12] {
    let billed = match report.usd {
        Some(usd) => format!("${usd:.4}"),
        None => format!("{:.0} s", report.billed_seconds),
    };
    [
        report.policy.clone(),
        seconds(report.p50),
        seconds(report.p99),
        seconds(report.max),
        seconds(report.makespan),
        report.starts.to_string(),
        report.most.to_string(),
        billed,
        report.times_bound().map_or_else(|| "-".to_owned(), |times| format!("{times:.2} x")),
        seconds(report.under_provisioned),
        seconds(report.over_provisioned),
        report.ended_busy.to_string(),
    ]
}

fn remarks(simulation: &Simulation, slo: Option<Slo>) -> Vec<String> {
    let mut remarks = vec![
        "BILLED: a minute at least for each start. OF BEST: times what it would have cost who knew all uploads before, with the same P99."
            .to_owned(),
        "SHORT: images waited while all ready workers were busy. IDLE: a ready worker had nothing to do.".to_owned(),
    ];
    for report in &simulation.runs {
        if report.unanswered > 0 {
            remarks.push(format!("{}: {} were never answered.", report.policy, count_of(report.unanswered)));
        }
        if let Some(within) = report.within_drain_seconds {
            remarks.push(format!("{}: {:.1} % were answered within drainSeconds.", report.policy, within * 100.0));
        }
        if let Some(slo) = slo.filter(|slo| simulation.cheapest.is_none() && !slo.is_met(report)) {
            remarks.push(format!("{}: not within {}.", report.policy, seconds(slo.seconds)));
        }
    }
    remarks.extend(simulation.cheapest.as_ref().map(|cheapest| format!("The cheapest that does: {cheapest}.")));
    remarks
}

fn count_of(images: usize) -> String {
    count(i64::try_from(images).unwrap_or(i64::MAX), "image")
}
