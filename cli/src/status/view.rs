//! Fleets as a table: a pure function of fleets and the terminal's width.

use crds::{ClassifierFleet, condition};
use kube::ResourceExt as _;
use unicode_width::UnicodeWidthStr as _;

use super::bar;
use super::column::{ALL, Cell, Column, DISPENSABLE, backlog};
use crate::paint::{Paint, Tone};
use crate::words::cut;

/// How fleets are shown.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Columns of the terminal; none: as wide as it gets, one line for each fleet, for programs.
    pub width: Option<usize>,
    /// Fleets of several namespaces.
    pub namespaces: bool,
    /// The backlog of a full bar: the highest that was seen.
    pub peak: i64,
    /// Colours.
    pub paint: Paint,
}

/// Lines that a fleet's decision may take.
const SENTENCE_LINES: usize = 2;
/// The bar means something from so many jobs on.
const LEAST_PEAK: i64 = 10;

/// The highest backlog of `fleets`, to be remembered as [`View::peak`].
#[must_use]
pub fn peak(fleets: &[&ClassifierFleet]) -> i64 {
    fleets.iter().map(|fleet| backlog(fleet)).max().unwrap_or(0).max(LEAST_PEAK)
}

/// The table, a line each; fleets in the order of their names.
#[must_use]
pub fn table(fleets: &[&ClassifierFleet], view: &View) -> Vec<String> {
    let mut fleets = fleets.to_vec();
    fleets.sort_by_key(|fleet| (fleet.namespace(), fleet.name_any()));
    let rows: Vec<Vec<Cell>> = fleets.iter().map(|fleet| ALL.iter().map(|column| column.cell(fleet, view)).collect()).collect();
    let widths: Vec<usize> = (0..ALL.len()).map(|at| width(at, &rows)).collect();
    let shown = shown(&widths, view);
    let mut lines = vec![heading(&shown, &widths, view)];
    for (fleet, row) in fleets.iter().zip(&rows) {
        lines.push(line(&shown, &widths, view, |at| (&row[at].text, row[at].tone)));
        lines.extend(sentences(fleet, view));
    }
    lines
}

fn width(at: usize, rows: &[Vec<Cell>]) -> usize {
    let widest = |least: usize| rows.iter().map(|row| row[at].text.width()).max().unwrap_or(0).max(least);
    match ALL[at] {
        // Else all columns behind them would move with each change.
        Column::Bar => bar::WIDTH,
        Column::State => widest("ScalingDown".len()),
        column => widest(column.title().len()),
    }
}

/// The columns that there is room for.
fn shown(widths: &[usize], view: &View) -> Vec<usize> {
    let unwanted = |column: Column| match column {
        Column::Namespace => !view.namespaces,
        Column::Bar => view.width.is_none(),
        _ => false,
    };
    let mut shown: Vec<usize> = (0..ALL.len()).filter(|at| !unwanted(ALL[*at])).collect();
    let needed = |shown: &[usize]| shown.iter().map(|at| widths[*at]).sum::<usize>() + 2 * shown.len().saturating_sub(1);
    for column in DISPENSABLE {
        if view.width.is_some_and(|width| needed(&shown) > width) {
            shown.retain(|at| ALL[*at] != column);
        }
    }
    shown
}

fn heading(shown: &[usize], widths: &[usize], view: &View) -> String {
    line(shown, widths, view, |at| (ALL[at].title(), Tone::Dim))
}

fn line<'a>(shown: &[usize], widths: &[usize], view: &View, cell: impl Fn(usize) -> (&'a str, Tone)) -> String {
    let mut line = String::new();
    let mut used = 0;
    for (number, at) in shown.iter().enumerate() {
        let (text, tone) = cell(*at);
        let room = view.width.map_or(usize::MAX, |width| width.saturating_sub(used));
        let text = cut(text, room);
        let pad = " ".repeat(widths[*at].min(room).saturating_sub(text.width()));
        let painted = view.paint.paint(tone, &text);
        line += &if ALL[*at].is_number() { pad + &painted } else { painted + &pad };
        used += widths[*at] + 2;
        if number + 1 < shown.len() {
            line += "  ";
        }
    }
    line.trim_end().to_owned()
}

/// What is wrong, and how the number came about.
fn sentences(fleet: &ClassifierFleet, view: &View) -> Vec<String> {
    let Some(width) = view.width else { return Vec::new() };
    let Some(status) = &fleet.status else { return paragraph("The operator has not seen this fleet.", width, Tone::Bad, view) };
    let ready = status.conditions.iter().find(|condition| condition.type_ == condition::READY);
    let fault = ready.filter(|ready| ready.status == "False").map(|ready| paragraph(&ready.message, width, Tone::Bad, view));
    let why = status.decision.as_ref().map(|decision| paragraph(&decision.steps.join(" "), width, Tone::Dim, view));
    fault.into_iter().chain(why).flatten().collect()
}

/// `text` within `width`, indented, in a few lines at most.
fn paragraph(text: &str, width: usize, tone: Tone, view: &View) -> Vec<String> {
    let room = width.saturating_sub(2).max(8);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let full = |line: &String| !line.is_empty() && line.width() + 1 + word.width() > room;
        if lines.last().is_none_or(full) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            *line += if line.is_empty() { "" } else { " " };
            *line += word;
        }
    }
    if lines.len() > SENTENCE_LINES {
        lines.truncate(SENTENCE_LINES);
        if let Some(last) = lines.last_mut() {
            *last += " …";
        }
    }
    let lines = lines.iter().filter(|line| !line.is_empty());
    lines.map(|line| format!("  {}", view.paint.paint(tone, &cut(line, room)))).collect()
}
