//! What was measured of each model, and as which measures it is shown.

use std::collections::BTreeMap;

use anyhow::Result;

use super::super::report::{Measure, Samples};

/// Decoding and resizing a photo; both sides call it so.
pub(super) const PREPARE: &str = "prepare";
/// tract as it is.
pub(super) const PLAIN: &str = "plain";
const ONNXRUNTIME: &str = "onnxruntime";
const PILLOW: &str = "Pillow";

/// The quickest run of each round, in milliseconds, by what ran.
#[derive(Debug, Default)]
pub(super) struct Found {
    model: String,
    ours: BTreeMap<String, Vec<f64>>,
    theirs: BTreeMap<String, Vec<f64>>,
}

impl Found {
    pub(super) fn new(model: String) -> Self {
        Self { model, ..Self::default() }
    }

    pub(super) fn ours(&mut self, name: &str, milliseconds: f64) {
        self.ours.entry(name.to_owned()).or_default().push(milliseconds);
    }

    pub(super) fn theirs(&mut self, name: &str, milliseconds: f64) {
        self.theirs.entry(name.to_owned()).or_default().push(milliseconds);
    }

    /// The networks, and preparing photos where `prepared` asks for it.
    fn measures(&self, prepared: bool) -> Result<Vec<Measure>> {
        let mut measures = Vec::new();
        for (name, ours) in &self.ours {
            let (measure, theirs, peer, goal) = match name.as_str() {
                PREPARE if !prepared => continue,
                PREPARE => ("decode + resize a photo".to_owned(), PREPARE, PILLOW, None),
                PLAIN => (format!("{}, not fused", self.model), ONNXRUNTIME, ONNXRUNTIME, None),
                set => (format!("{}, fused for {set}", self.model), ONNXRUNTIME, ONNXRUNTIME, goal(&self.model, set)),
            };
            let peer = self.theirs.get(theirs).map(|values| Samples::new(values.iter().copied())).transpose()?.map(|values| (peer, values));
            measures.push(Measure { measure, unit: "ms", ours: Samples::new(ours.iter().copied())?, peer, goal });
        }
        Ok(measures)
    }
}

/// The last round.
impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self
            .ours
            .iter()
            .map(|(name, values)| (format!("our {name}"), values))
            .chain(self.theirs.iter().map(|(name, values)| (name.clone(), values)));
        let all: Vec<String> = all.filter_map(|(name, values)| Some(format!("{name} {:.2} ms", values.last()?))).collect();
        f.write_str(&all.join(", "))
    }
}

/// What fused networks should reach, where onnxruntime uses the same instructions or better ones.
fn goal(model: &str, set: &str) -> Option<&'static str> {
    match (model, set) {
        ("efficientnet-lite0", "AVX-512") => Some("ratio at most 0.90"),
        (_, "AVX-512") => Some("ratio at most 1.00"),
        (_, "AVX2") => Some("ratio at most 1.50 where onnxruntime has AVX-512"),
        _ => None,
    }
}

pub(super) fn measures(found: &[Found]) -> Result<Vec<Measure>> {
    let measures = found.iter().enumerate().map(|(index, found)| found.measures(index == 0));
    Ok(measures.collect::<Result<Vec<_>>>()?.concat())
}

pub(super) fn caption(rounds: u32, runs: u32) -> String {
    format!("One image, one thread, {rounds} rounds of {runs} runs; the quickest run of each round counts. PEER: {ONNXRUNTIME}, {PILLOW}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_is_a_measure_and_photos_are_shown_once() {
        let found = |model: &str| {
            let mut found = Found::new(model.to_owned());
            for (name, milliseconds) in [("AVX-512", 6.0), (PLAIN, 27.0), (PREPARE, 2.0)] {
                found.ours(name, milliseconds);
            }
            found.theirs(ONNXRUNTIME, 7.5);
            found.theirs(PREPARE, 4.0);
            found
        };
        let measures = measures(&[found("efficientnet-lite0"), found("other")]).unwrap();
        let shown: Vec<_> =
            measures.iter().map(|measure| (measure.measure.as_str(), measure.peer.as_ref().unwrap().0, measure.goal)).collect();
        let expected = [
            ("efficientnet-lite0, fused for AVX-512", ONNXRUNTIME, Some("ratio at most 0.90")),
            ("efficientnet-lite0, not fused", ONNXRUNTIME, None),
            ("decode + resize a photo", PILLOW, None),
            ("other, fused for AVX-512", ONNXRUNTIME, Some("ratio at most 1.00")),
            ("other, not fused", ONNXRUNTIME, None),
        ];
        assert_eq!(shown, expected);
        assert_eq!(
            found("a").to_string(),
            "our AVX-512 6.00 ms, our plain 27.00 ms, our prepare 2.00 ms, onnxruntime 7.50 ms, prepare 4.00 ms"
        );
    }
}
