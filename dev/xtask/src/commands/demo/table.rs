//! The answers as a table. Pure.

use std::fmt::Write as _;

use crate::photos::Answer;
use crate::progress::coloured;

/// One line for each photo: its label, how sure the model is, how long the answer took, and whether it is right.
pub(super) fn render(answers: &[Answer]) -> String {
    let widest = |text: &dyn Fn(&Answer) -> usize| answers.iter().map(text).max().unwrap_or(0);
    let photo = widest(&|answer| answer.photo.len()).max(5);
    let label = widest(&|answer| answer.best.label.chars().count()).max(5);
    let mut table = format!("{:<photo$}  {:<label$}  {:>11}  {:>12}  RIGHT\n", "PHOTO", "LABEL", "PROBABILITY", "MILLISECONDS");
    for answer in answers {
        let Answer { photo: name, best, took, .. } = answer;
        let milliseconds = took.as_millis();
        let verdict = if answer.is_right() { "right" } else { "wrong" };
        let verdict = coloured(answer.is_right(), verdict);
        let _ = writeln!(table, "{name:<photo$}  {:<label$}  {:>11.2}  {milliseconds:>12}  {verdict}", best.label, best.probability);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wire::{Prediction, Timings};

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let answer = |photo: &str, class, label: &str| Answer {
            photo: photo.to_owned(),
            class,
            best: Prediction { index: 7, label: label.to_owned(), probability: 0.875, distance: None },
            took: Duration::from_millis(42),
            timings: Timings::default(),
            worker: "i-0".to_owned(),
        };
        let table = render(&[answer("a.jpg", 7, "cock"), answer("longer.jpg", 8, "goldfinch")]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "PHOTO       LABEL      PROBABILITY  MILLISECONDS  RIGHT");
        assert_eq!(lines[1], "a.jpg       cock              0.88            42  right");
        assert_eq!(lines[2], "longer.jpg  goldfinch         0.88            42  wrong");
    }
}
