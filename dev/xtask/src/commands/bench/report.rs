//! What a benchmark found: a table for people, a list for programs. Owns their form; must not know what was measured.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;

const HEADER: [&str; 6] = ["MEASURE", "UNIT", "OURS", "PEER", "RATIO", "GOAL"];

/// The values of one measure, one for each round.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Samples(Vec<f64>);

/// What was measured, of ours and of who does the same.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measure {
    /// What was measured.
    pub(super) measure: String,
    /// Its unit.
    pub(super) unit: &'static str,
    /// Our values.
    pub(super) ours: Samples,
    /// The peer's name and values, where somebody else does the same.
    pub(super) peer: Option<(&'static str, Samples)>,
    /// What ours should reach, as a sentence.
    pub(super) goal: Option<&'static str>,
}

/// One item of the list for programs. Values are medians.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    measure: &'a str,
    unit: &'a str,
    ours: f64,
    peer: Option<f64>,
    peer_name: Option<&'a str>,
    ratio: Option<f64>,
    goal: Option<&'a str>,
}

impl Samples {
    /// # Errors
    /// When there are none, or one is no finite number.
    pub(super) fn new(values: impl IntoIterator<Item = f64>) -> Result<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        anyhow::ensure!(!values.is_empty() && values.iter().all(|value| value.is_finite()), "nothing was measured: {values:?}");
        values.sort_by(f64::total_cmp);
        Ok(Self(values))
    }

    /// The one in the middle, or the mean of the two in the middle.
    pub(super) fn median(&self) -> f64 {
        f64::midpoint(self.0[(self.0.len() - 1) / 2], self.0[self.0.len() / 2])
    }

    /// The least that `part` of all values do not exceed, 0 to 1.
    pub(super) fn quantile(&self, part: f64) -> f64 {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an index, from 0 to 1 of all
        let rank = (self.0.len() as f64 * part.clamp(0.0, 1.0)).ceil() as usize;
        self.0[rank.saturating_sub(1)]
    }

    /// The least and the most.
    pub(super) fn extent(&self) -> (f64, f64) {
        (self.0[0], self.0[self.0.len() - 1])
    }

    /// Median, least and most.
    fn show(&self) -> String {
        let (least, most) = self.extent();
        format!("{} ({}–{})", number(self.median()), number(least), number(most))
    }
}

impl Measure {
    fn row(&self) -> Row<'_> {
        let Self { measure, unit, ours, peer, goal } = self;
        let ours = ours.median();
        let (peer_name, peer) = peer.as_ref().map(|(name, samples)| (*name, samples.median())).unzip();
        let ratio = peer.filter(|peer| *peer != 0.0).map(|peer| rounded(ours / peer));
        Row { measure, unit, ours: rounded(ours), peer: peer.map(rounded), peer_name, ratio, goal: *goal }
    }

    fn cells(&self) -> [String; 6] {
        let nothing = || "-".to_owned();
        let row = self.row();
        let peer = self.peer.as_ref().map_or_else(nothing, |(_, samples)| samples.show());
        let ratio = row.ratio.map_or_else(nothing, |ratio| format!("{ratio:.2}"));
        [self.measure.clone(), self.unit.to_owned(), self.ours.show(), peer, ratio, self.goal.unwrap_or("-").to_owned()]
    }
}

/// The table: medians, with the least and the most of all rounds.
pub(super) fn table(measures: &[Measure]) -> String {
    let mut lines = vec![HEADER.map(str::to_owned)];
    lines.extend(measures.iter().map(Measure::cells));
    let widths: [usize; 6] = std::array::from_fn(|column| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0));
    lines.iter().map(|cells| line(cells, &widths)).collect()
}

/// Texts to the left, numbers to the right.
fn line([measure, unit, ours, peer, ratio, goal]: &[String; 6], widths: &[usize; 6]) -> String {
    let [m, u, o, p, r, _] = *widths;
    format!("{measure:<m$}  {unit:<u$}  {ours:>o$}  {peer:>p$}  {ratio:>r$}  {goal}\n")
}

/// Writes the list to `NAME.json` in `folder`, which is made. Returns the file.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(folder: &Path, name: &str, measures: &[Measure]) -> Result<PathBuf> {
    let rows: Vec<Row<'_>> = measures.iter().map(Measure::row).collect();
    let file = folder.join(format!("{name}.json"));
    let write = || std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, serde_json::to_string_pretty(&rows)? + "\n"));
    write().with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// Three digits after the point: more would be noise.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// Three significant digits, and all those before the point.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn measures() -> [Measure; 2] {
        let samples = |values: &[f64]| Samples::new(values.iter().copied()).unwrap();
        let peer = Some(("plain worker", samples(&[8.0, 4.0])));
        [
            Measure { measure: "burst".to_owned(), unit: "s", ours: samples(&[3.0, 2.5, 31.26]), peer, goal: None },
            Measure { measure: "launch".to_owned(), unit: "ms", ours: samples(&[700.4]), peer: None, goal: Some("below 1,000") },
        ]
    }

    #[test]
    fn the_table_has_medians_and_the_extent_of_all_rounds() {
        let expected = "\
MEASURE  UNIT           OURS     PEER  RATIO  GOAL
burst    s     3 (2.50–31.3)  6 (4–8)   0.50  -
launch   ms    700 (700–700)        -      -  below 1,000
";
        assert_eq!(table(&measures()), expected);
    }

    #[test]
    fn the_list_is_what_programs_expect() {
        let folder = tempfile::tempdir().unwrap();
        let file = write(&folder.path().join("bench"), "path", &measures()).unwrap();
        assert!(file.ends_with("bench/path.json"));
        let written: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let expected = json!([
            {"measure": "burst", "unit": "s", "ours": 3.0, "peer": 6.0, "peerName": "plain worker", "ratio": 0.5, "goal": null},
            {"measure": "launch", "unit": "ms", "ours": 700.4, "peer": null, "peerName": null, "ratio": null, "goal": "below 1,000"},
        ]);
        assert_eq!(written, expected);
    }

    #[test]
    fn nothing_is_no_measurement() {
        assert!(Samples::new([]).is_err());
        assert!(Samples::new([1.0, f64::NAN]).is_err());
        assert_eq!(Samples::new([4.0, 1.0, 2.0, 3.0]).unwrap().median(), 2.5);
    }

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        let samples = Samples::new((1..=200).map(f64::from)).unwrap();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|part| samples.quantile(part)), [1.0, 100.0, 198.0, 200.0]);
        assert_eq!(Samples::new([7.0]).unwrap().quantile(0.99), 7.0);
    }
}
