//! Names that somebody may have meant.

/// Names this alike, between 0 and 1, may be meant for one another: about every third letter may be wrong.
const ALIKE: f64 = 0.6;

/// Those of `known` that `name` may have been meant for, the nearest first, at most three.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let likeness = |other: &str| {
        let contained = name.len() > 2 && (other.contains(name) || name.contains(other));
        strsim::normalized_damerau_levenshtein(name, other).max(if contained { ALIKE } else { 0.0 })
    };
    let mut near: Vec<(f64, &str)> = known.map(|other| (likeness(other), other)).filter(|(likeness, _)| *likeness >= ALIKE).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.into_iter().map(|(_, other)| other).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first() {
        let known = ["imagenet", "faces", "imagenet-eu"];
        assert_eq!(nearest("imagnet", known.into_iter()), ["imagenet", "imagenet-eu"]);
        assert_eq!(nearest("mx", ["min", "max"].into_iter()), ["max"]);
        assert_eq!(nearest("eu", known.into_iter()), Vec::<&str>::new());
    }
}
