//! Ours and the peer's values as bars, as SVG. Pure; knows nothing of what was measured.

use std::fmt::Write as _;

use super::report::Measure;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 430.0;
const RIGHT: f64 = 90.0;
const ROW: f64 = 44.0;
const TOP: f64 = 40.0;
/// Told apart by those who see colours otherwise, too (Okabe and Ito).
const OURS: &str = "#0072b2";
const PEER: &str = "#e69f00";

/// A pair of bars for each measure that a peer has, too; the longer one of a pair is as long as the picture. None without any.
pub(super) fn svg(measures: &[Measure]) -> Option<String> {
    let pairs: Vec<_> = measures.iter().filter_map(|measure| Some((measure, measure.peer.as_ref()?))).collect();
    let (_, (peer, _)) = pairs.first()?;
    let height = TOP + ROW * f64::from(u32::try_from(pairs.len()).ok()?);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for (x, name, colour) in [(LEFT, "ours", OURS), (LEFT + 80.0, *peer, PEER)] {
        let (mark, text) = (x, x + 18.0);
        let _ = write!(svg, "<rect x=\"{mark}\" y=\"12\" width=\"12\" height=\"12\" fill=\"{colour}\"/>");
        let _ = writeln!(svg, "<text x=\"{text}\" y=\"23\">{}</text>", escaped(name));
    }
    let mut y = TOP;
    for (measure, (_, theirs)) in pairs {
        let (ours, theirs) = (measure.ours.median(), theirs.median());
        let longest = ours.max(theirs).max(f64::MIN_POSITIVE);
        let (label, middle) = (escaped(&format!("{}, {}", measure.measure, measure.unit)), y + 20.0);
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{label}</text>", LEFT - 10.0);
        for (value, colour, y) in [(ours, OURS, y + 2.0), (theirs, PEER, y + 19.0)] {
            let length = (WIDTH - LEFT - RIGHT) * value / longest;
            let _ = write!(svg, "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"15\" fill=\"{colour}\"/>");
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", LEFT + length + 6.0, y + 12.0, super::report::number(value));
        }
        y += ROW;
    }
    Some(svg + "</svg>\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::super::report::Samples;
    use super::*;

    #[test]
    fn the_longer_bar_of_each_pair_fills_the_picture() {
        let samples = |value: f64| Samples::new([value]).unwrap();
        let measure = |measure: &str, ours, peer: Option<f64>| {
            let peer = peer.map(|peer| ("Flask & boto3", samples(peer)));
            Measure { measure: measure.to_owned(), unit: "ms", ours: samples(ours), peer, goal: None }
        };
        let svg = svg(&[measure("a", 1.0, Some(4.0)), measure("alone", 1.0, None), measure("b", 10.0, Some(5.0))]).unwrap();
        assert!(svg.contains("width=\"110.0\"") && svg.contains("Flask &amp; boto3"), "{svg}");
        assert_eq!(svg.matches("width=\"440.0\"").count(), 2, "{svg}");
        assert!(!svg.contains("alone"), "{svg}");
        assert!(super::svg(&[measure("alone", 1.0, None)]).is_none());
    }
}
