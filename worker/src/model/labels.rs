//! Labels of classes, and which of them have the best scores.

use wire::Prediction;

/// The labels are no text, or not as many as there are classes.
#[derive(Debug, thiserror::Error)]
#[error("the labels file {file} is wrong: {problem}")]
pub struct LabelsError {
    /// Name of the file.
    pub file: String,
    /// What is wrong.
    pub problem: String,
}

/// One label a line, `classes` of them.
pub(super) fn parse(file: &str, content: &[u8], classes: usize) -> Result<Vec<String>, LabelsError> {
    let wrong = |problem: String| LabelsError { file: file.to_owned(), problem };
    let text = str::from_utf8(content).map_err(|error| wrong(format!("it is not UTF-8: {error}")))?;
    let labels: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if let Some(line) = labels.iter().position(String::is_empty) {
        return Err(wrong(format!("line {} is empty", line + 1)));
    }
    if labels.len() != classes {
        return Err(wrong(format!("it has {} labels, the network tells {classes} classes apart", labels.len())));
    }
    Ok(labels)
}

/// The `top_k` labels with the highest scores, best first; of equal ones the first.
pub(super) fn best(labels: &[String], scores: &[f32], top_k: usize) -> Vec<Prediction> {
    let mut best: Vec<usize> = (0..labels.len().min(scores.len())).collect();
    best.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let predict = |&index: &usize| Prediction { index, label: labels[index].clone(), probability: scores[index], distance: None };
    best.iter().take(top_k).map(predict).collect()
}

/// Probabilities of any scores.
pub(super) fn softmax(scores: &[f32]) -> Vec<f32> {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = scores.iter().map(|score| (score - largest).exp()).collect();
    let sum: f32 = exponentials.iter().sum();
    exponentials.into_iter().map(|value| value / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::{best, softmax};

    #[test]
    fn softmax_makes_probabilities_of_any_scores() {
        for scores in [vec![0.0, 0.0], vec![1000.0, 0.0], vec![-1000.0, -1001.0, -999.0]] {
            let probabilities = softmax(&scores);
            assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{scores:?}");
            assert!(probabilities.iter().all(|value| (0.0..=1.0).contains(value)), "{scores:?}");
        }
        assert_eq!(softmax(&[3.0, 3.0]), [0.5, 0.5]);
    }

    #[test]
    fn the_best_come_first_and_no_more_than_there_are() {
        let labels = ["a", "b", "c"].map(str::to_owned);
        let found = |top_k| best(&labels, &[0.2, 0.5, 0.2], top_k).iter().map(|best| best.label.clone()).collect::<String>();
        assert_eq!((found(1).as_str(), found(2).as_str(), found(9).as_str()), ("b", "ba", "bac"));
    }
}
