//! Backlog, workers and cost over time, as SVG, or as PNG drawn from it. Knows nothing of policies.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use sim::run::{Moment, Played};

use super::ends_with;

const WIDTH: f64 = 960.0;
const PANEL: f64 = 190.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const GAP: f64 = 50.0;
const LEGEND_COLUMNS: usize = 4;
/// So many points a line has at most.
const POINTS: usize = 800;
/// Told apart by those who see colours otherwise, too (Okabe and Ito).
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"];

/// What all panels share.
struct Frame {
    /// Seconds of the last moment.
    last: f64,
    /// All panels have the same lines: one legend above serves them.
    shared: bool,
}

struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

struct Panel {
    title: &'static str,
    lines: Vec<Line>,
}

/// Draws `played` into `path`, by its ending; costs in US dollars if their price is known.
///
/// # Errors
/// When the ending says no format, or the file cannot be written.
pub(super) fn write(path: &Path, played: &[Played], usd_per_hour: Option<f64>) -> Result<()> {
    let svg = svg(&panels(played, usd_per_hour));
    let bytes = if ends_with(path, "svg") {
        svg.into_bytes()
    } else if ends_with(path, "png") {
        png(&svg)?
    } else {
        bail!("--chart {}: give a file that ends with .svg or .png", path.display());
    };
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn png(svg: &str) -> Result<Vec<u8>> {
    let mut options = resvg::usvg::Options::default();
    options.fontdb_mut().load_system_fonts();
    if options.fontdb.is_empty() {
        bail!("no font is installed to write with: install one (Debian: fonts-dejavu-core), or draw a .svg");
    }
    let tree = resvg::usvg::Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size();
    let mut picture = resvg::tiny_skia::Pixmap::new(size.width() * 2, size.height() * 2).context("the picture is too large")?;
    resvg::render(&tree, resvg::tiny_skia::Transform::from_scale(2.0, 2.0), &mut picture.as_mut());
    picture.encode_png().context("the picture cannot be encoded")
}

fn panels(played: &[Played], usd_per_hour: Option<f64>) -> Vec<Panel> {
    let each = |value: &dyn Fn(&Moment) -> f64| played.iter().map(|one| line(&one.policy, one, value)).collect();
    let workers = match played {
        [one] => vec![
            line("wanted", one, &|moment| f64::from(moment.desired)),
            line("billed", one, &|moment| whole(moment.running)),
            line("ready", one, &|moment| whole(moment.ready)),
        ],
        _ => each(&|moment| whole(moment.ready)),
    };
    #[allow(clippy::cast_precision_loss)] // images are far below 2⁵³
    let backlog = each(&|moment| moment.backlog as f64);
    let (cost, per_second) = match usd_per_hour {
        Some(usd) => ("cost, US dollars", usd / 3600.0),
        None => ("cost, billed instance-seconds", 1.0),
    };
    vec![
        Panel { title: "images that wait", lines: backlog },
        Panel { title: if played.len() == 1 { "workers" } else { "workers that are ready" }, lines: workers },
        Panel { title: cost, lines: each(&|moment| moment.billed_seconds * per_second) },
    ]
}

fn line(name: &str, played: &Played, value: &dyn Fn(&Moment) -> f64) -> Line {
    let step = played.moments.len().div_ceil(POINTS).max(1);
    // Of each stretch the highest: a short peak is not lost.
    let highest = |stretch: &[Moment]| (stretch[0].second, stretch.iter().map(value).fold(0.0, f64::max));
    Line { name: name.to_owned(), points: played.moments.chunks(step).map(highest).collect() }
}

#[allow(clippy::cast_precision_loss)] // a number of instances
fn whole(number: usize) -> f64 {
    number as f64
}

fn svg(panels: &[Panel]) -> String {
    let points = || panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
    let last = points().map(|(second, _)| *second).fold(1.0, f64::max);
    let shared = panels.iter().all(|panel| panel.lines.len() == panels[0].lines.len()) && panels[0].lines.len() > 1;
    let names: Vec<&str> = panels[0].lines.iter().map(|line| line.name.as_str()).collect();
    let above = if shared { whole(names.len().div_ceil(LEGEND_COLUMNS)) * 18.0 } else { 0.0 };
    let height = TOP + above + whole(panels.len()) * (PANEL + GAP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"DejaVu Sans, Verdana, sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    if shared {
        legend(&mut svg, &names, LEFT, 20.0);
    }
    let (mut top, frame) = (TOP + above, Frame { last, shared });
    for panel in panels {
        draw(&mut svg, panel, top, &frame);
        top += PANEL + GAP;
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, panel: &Panel, top: f64, frame: &Frame) {
    let highest = panel.lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value).fold(0.0, f64::max).max(1e-9);
    let (right, bottom) = (WIDTH - 20.0, top + PANEL);
    let x = |second: f64| LEFT + (right - LEFT) * second / frame.last;
    let y = |value: f64| bottom - PANEL * value / highest;
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}</text>", top - 10.0, panel.title);
    for part in [0.0, 0.5, 1.0] {
        let (at, label) = (y(highest * part), number(highest * part));
        let _ = writeln!(svg, "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 6.0, at + 4.0);
    }
    for (part, anchor) in [(0.0, "middle"), (0.25, "middle"), (0.5, "middle"), (0.75, "middle"), (1.0, "end")] {
        let (at, label) = (x(frame.last * part), crate::words::seconds((frame.last * part).round()));
        let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text>", bottom + 16.0);
    }
    for (index, line) in panel.lines.iter().enumerate() {
        let points: Vec<String> = line.points.iter().map(|(second, value)| format!("{:.1},{:.1}", x(*second), y(*value))).collect();
        let (colour, dashes) = style(index);
        let _ = writeln!(svg, "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{dashes} points=\"{}\"/>", points.join(" "));
    }
    if !frame.shared && panel.lines.len() > 1 {
        let names: Vec<&str> = panel.lines.iter().map(|line| line.name.as_str()).collect();
        legend(svg, &names, LEFT + 200.0, top - 10.0);
    }
}

/// A colour, and dashes once all colours were used.
fn style(index: usize) -> (&'static str, &'static str) {
    let dashes = if index < COLOURS.len() { "" } else { " stroke-dasharray=\"6 3\"" };
    (COLOURS[index % COLOURS.len()], dashes)
}

fn legend(svg: &mut String, names: &[&str], left: f64, top: f64) {
    let column = (WIDTH - left) / whole(LEGEND_COLUMNS);
    for (index, name) in names.iter().enumerate() {
        let (x, y) = (left + column * whole(index % LEGEND_COLUMNS), top + 18.0 * whole(index / LEGEND_COLUMNS));
        let (colour, dashes) = style(index);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.0}\" x2=\"{:.0}\" y1=\"{:.0}\" y2=\"{:.0}\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>",
            x + 24.0,
            y - 4.0,
            y - 4.0
        );
        let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{y:.0}\">{}</text>", x + 30.0, escaped(name));
    }
}

fn number(value: f64) -> String {
    if value == 0.0 || value >= 10.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
