//! A gallery of names, each with vectors of known images, and which of them a vector is nearest to.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use wire::Prediction;

use super::answer::Answer;
use super::manifest::{Distance, Embedding};

/// Who is known.
#[derive(Debug)]
pub(super) struct Gallery {
    names: Vec<Name>,
    distance: Distance,
    threshold: f32,
    unknown: String,
}

/// An entry of the gallery file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    /// The label.
    name: String,
    /// One vector for each known image.
    vectors: Vec<Vec<f32>>,
}

/// The gallery is no list of names and vectors, or does not fit the network.
#[derive(Debug, thiserror::Error)]
#[error("the gallery {file} is wrong: {problem}")]
pub struct GalleryError {
    /// Name of the file.
    pub file: String,
    /// What is wrong.
    pub problem: String,
}

impl Gallery {
    /// Reads a gallery for a network whose vectors have `length` numbers.
    pub(super) fn parse(spec: &Embedding, json: &[u8], length: usize) -> Result<Self, GalleryError> {
        let wrong = |problem: String| GalleryError { file: spec.gallery.file.clone(), problem };
        let names: Vec<Name> = serde_json::from_slice(json).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
        check_names(&names, &spec.unknown).map_err(wrong)?;
        names.iter().try_for_each(|name| check_vectors(name, length, spec.distance)).map_err(wrong)?;
        Ok(Self { names, distance: spec.distance, threshold: spec.threshold, unknown: spec.unknown.clone() })
    }

    /// The nearest name if it is near enough, and the `top_k` nearest ones in any case. How near a name is, its nearest vector tells.
    pub(super) fn answer(&self, vector: &[f32], top_k: usize) -> Answer {
        let mut nearest: Vec<(usize, f32)> = self.names.iter().map(|name| self.distance_to(name, vector)).enumerate().collect();
        nearest.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        let label = nearest.first().filter(|(_, distance)| *distance <= self.threshold).map(|&(index, _)| self.names[index].name.clone());
        let predict = |&(index, distance): &(usize, f32)| Prediction {
            index,
            label: self.names[index].name.clone(),
            probability: self.score(distance),
            distance: Some(distance),
        };
        Answer { label: label.unwrap_or_else(|| self.unknown.clone()), predictions: nearest.iter().take(top_k).map(predict).collect() }
    }

    fn distance_to(&self, name: &Name, vector: &[f32]) -> f32 {
        let distances = name.vectors.iter().map(|known| match self.distance {
            Distance::Euclidean => euclidean(known, vector),
            Distance::Cosine => cosine(known, vector),
        });
        distances.fold(f32::INFINITY, f32::min)
    }

    /// 1 for the same vector, 0.5 at the threshold, 0 from twice the threshold on. A scale, not a probability.
    fn score(&self, distance: f32) -> f32 {
        (1.0 - distance / (2.0 * self.threshold)).clamp(0.0, 1.0)
    }
}

fn check_names(names: &[Name], unknown: &str) -> Result<(), String> {
    if names.is_empty() {
        return Err("it holds no names".to_owned());
    }
    let mut seen = HashSet::new();
    for Name { name, vectors } in names {
        if name.is_empty() || name != name.trim() || name.contains(char::is_control) {
            return Err(format!("{name:?} is no name: it must be text on one line, without spaces around it"));
        }
        if name == unknown {
            return Err(format!("{name:?} is what strangers are called (output.unknown); choose another name"));
        }
        if !seen.insert(name) {
            return Err(format!("{name:?} is there twice; put all vectors of a name into one entry"));
        }
        if vectors.is_empty() {
            return Err(format!("{name:?} has no vectors"));
        }
    }
    Ok(())
}

fn check_vectors(Name { name, vectors }: &Name, length: usize, distance: Distance) -> Result<(), String> {
    for vector in vectors {
        if vector.len() != length {
            return Err(format!("a vector of {name:?} has {} numbers, the network gives {length}", vector.len()));
        }
        if !vector.iter().all(|value| value.is_finite()) {
            return Err(format!("a vector of {name:?} holds something that is no number"));
        }
        if distance == Distance::Cosine && vector.iter().all(|&value| value == 0.0) {
            return Err(format!("a vector of {name:?} is zero: it has no direction to compare"));
        }
    }
    Ok(())
}

fn euclidean(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
}

/// A vector without a direction is as far as those at right angles.
fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let lengths = (product(one, one) * product(other, other)).sqrt();
    if lengths > 0.0 { (1.0 - product(one, other) / lengths).max(0.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::super::manifest::{Distance, Embedding, FileRef};
    use super::Gallery;

    fn spec(distance: Distance) -> Embedding {
        let gallery = FileRef { file: "gallery.json".to_owned(), sha256: String::new() };
        Embedding { gallery, distance, threshold: 0.5, unknown: "nobody".to_owned(), top_k: 2 }
    }

    const ANNA_AND_BEN: &str = r#"[{"name": "Anna", "vectors": [[1, 0], [0.6, 0.8]]}, {"name": "Ben", "vectors": [[-1, 0]]}]"#;

    #[test]
    fn the_nearest_name_is_the_label_if_it_is_near_enough() {
        let gallery = Gallery::parse(&spec(Distance::Euclidean), ANNA_AND_BEN.as_bytes(), 2).unwrap();
        // The vector, the label, and of the nearest name its distance and score.
        let table = [
            ([1.0, 0.0], "Anna", ("Anna", 0.0, 1.0)),
            ([0.6, 0.9], "Anna", ("Anna", 0.1, 0.9)),
            ([-1.0, 0.5], "Ben", ("Ben", 0.5, 0.5)),
            ([-1.0, 0.6], "nobody", ("Ben", 0.6, 0.4)),
            ([-9.0, 0.0], "nobody", ("Ben", 8.0, 0.0)),
        ];
        for (vector, label, (nearest, distance, score)) in table {
            let answer = gallery.answer(&vector, 2);
            let best = &answer.predictions[0];
            assert_eq!((answer.label.as_str(), best.label.as_str(), answer.predictions.len()), (label, nearest, 2), "{vector:?}");
            let is_near = |a: f32, b: f32| (a - b).abs() < 1e-5;
            assert!(is_near(best.distance.unwrap(), distance) && is_near(best.probability, score), "{vector:?}: {best:?}");
        }
    }

    #[test]
    fn the_cosine_knows_no_lengths() {
        let gallery = Gallery::parse(&spec(Distance::Cosine), ANNA_AND_BEN.as_bytes(), 2).unwrap();
        assert_eq!(gallery.answer(&[100.0, 0.0], 1).label, "Anna");
        assert_eq!(gallery.answer(&[-0.01, 0.001], 1).label, "Ben");
        let nowhere = gallery.answer(&[0.0, 0.0], 1);
        assert_eq!((nowhere.label.as_str(), nowhere.predictions[0].distance), ("nobody", Some(1.0)));
    }

    #[test]
    fn galleries_that_do_not_fit_are_refused_with_a_sentence() {
        let table = [
            ("{}", "it cannot be read"),
            ("[]", "it holds no names"),
            (r#"[{"name": "", "vectors": [[1, 0]]}]"#, "\"\" is no name"),
            (r#"[{"name": "A\nB", "vectors": [[1, 0]]}]"#, "on one line"),
            (r#"[{"name": "nobody", "vectors": [[1, 0]]}]"#, "what strangers are called"),
            (r#"[{"name": "A", "vectors": []}]"#, "has no vectors"),
            (r#"[{"name": "A", "vectors": [[1, 0]]}, {"name": "A", "vectors": [[0, 1]]}]"#, "is there twice"),
            (r#"[{"name": "A", "vectors": [[1, 0, 0]]}]"#, "has 3 numbers, the network gives 2"),
            // Too large for an f32: refused by serde_json with its feature float_roundtrip, by us without it.
            (r#"[{"name": "A", "vectors": [[1, 1e39]]}]"#, "number"),
            (r#"[{"name": "A", "vectors": [[0, 0]]}]"#, "is zero"),
            (r#"[{"name": "A", "vectors": [[1, 0]], "age": 7}]"#, "unknown field `age`"),
        ];
        for (json, says) in table {
            let error = Gallery::parse(&spec(Distance::Cosine), json.as_bytes(), 2).expect_err(json).to_string();
            assert!(error.contains(says), "{json}: {error}");
        }
    }
}
