//! An inverted residual, as `MobileNet` and `EfficientNet-Lite` are made of: expand to many channels, convolve each by itself,
//! project to few, perhaps add the input. What is expanded never leaves the cache: it is made band by band, a few
//! channels at a time, and used at once.

use std::ops::Range;

use super::Stage;
use super::convolution::{Convolution, Part};
use crate::instruction_set::InstructionSet;
use crate::kernels::{Depthwise, Gemm, Grid, Residual, Taps, depthwise, gemm};
use crate::memory::Scratch;
use crate::pack::{Packed, Panel};
use crate::window::Window;

/// Numbers of a band's expanded rows, about: half of them fill a second-level cache of 1 MiB.
const BAND: usize = 128 * 1024;

/// What an inverted residual is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Convolution to more channels, mostly of single pixels; without it, the input has them already.
    pub(crate) expand: Option<Convolution>,
    /// The window of the depthwise convolution.
    pub(crate) window: Window,
    /// Channels of the depthwise convolution; all its weights have them filled up to whole vectors.
    pub(crate) taps: Taps,
    /// Convolution of single pixels to fewer channels.
    pub(crate) project: Packed,
    /// Channels of the input, where nothing expands it.
    pub(crate) depth: usize,
    /// Whether the input is added to the output.
    pub(crate) is_residual: bool,
}

/// An inverted residual.
#[derive(Debug)]
pub(crate) struct InvertedResidual {
    set: InstructionSet,
    parts: Parts,
    /// Rows and columns of the output.
    size: [usize; 2],
    /// Channels that are worked on at once.
    panels: Vec<Panel>,
    /// Rows of the output in a band.
    band: usize,
}

/// The rows that are worked on.
#[derive(Debug, Clone, Copy)]
struct Band {
    /// Its first row of the output.
    first: usize,
    /// Its rows of the output.
    rows: usize,
    /// Rows of the padded input that it needs.
    needs: usize,
    /// How many of those the band before it had, too.
    has: usize,
}

impl InvertedResidual {
    /// `None` when the window does not fit its input.
    pub(crate) fn new(set: InstructionSet, parts: Parts) -> Option<Self> {
        let size = parts.window.output()?;
        let panels = match &parts.expand {
            Some(expand) => expand.weights().panels().to_vec(),
            None => Panel::split(set, (parts.depth, parts.taps.channels())),
        };
        let line = parts.window.padded()[1] * parts.taps.channels();
        let overlap = parts.taps.side - parts.taps.stride;
        let band = ((BAND / line).saturating_sub(overlap) / parts.taps.stride).clamp(1, size[0]);
        let band = size[0].div_ceil(size[0].div_ceil(band));
        Some(Self { set, parts, size, panels, band })
    }

    /// Rows of the padded input that `rows` of the output need.
    fn needs(&self, rows: usize) -> usize {
        (rows - 1) * self.parts.taps.stride + self.parts.taps.side
    }

    fn bands(&self) -> impl Iterator<Item = Band> {
        (0..self.size[0]).step_by(self.band).map(|first| {
            let rows = self.band.min(self.size[0] - first);
            Band { first, rows, needs: self.needs(rows), has: if first == 0 { 0 } else { self.parts.taps.side - self.parts.taps.stride } }
        })
    }

    /// Makes the band's rows of a panel's channels: padded, expanded. `place` holds what the band before it left there.
    fn widen(&self, band: Band, index: usize, input: &[f32], place: &mut [f32]) {
        let Parts { window, taps, .. } = &self.parts;
        let panel = self.panels[index];
        let ([height, columns], [above, left]) = (window.input, window.before);
        let line = window.padded()[1] * panel.width();
        if band.has > 0 {
            let begin = self.band * taps.stride * line;
            place.copy_within(begin..begin + band.has * line, 0);
        }
        let top = band.first * taps.stride;
        // Rows of the band that are rows of the input; the others are padding.
        let inside = above.saturating_sub(top).max(band.has)..(above + height).saturating_sub(top).min(band.needs);
        let inside = inside.start..inside.end.max(inside.start);
        place[band.has * line..inside.start * line].fill(0.0);
        place[inside.end * line..band.needs * line].fill(0.0);
        for row in place[inside.start * line..inside.end * line].chunks_exact_mut(line) {
            row[..left * panel.width()].fill(0.0);
            row[(left + columns) * panel.width()..].fill(0.0);
        }
        if !inside.is_empty() {
            let rows = top + inside.start - above..top + inside.end - above;
            self.expand(index, rows, input, &mut place[inside.start * line + left * panel.width()..]);
        }
    }

    /// Expands rows to a panel's channels, or takes these channels of the input.
    fn expand(&self, index: usize, rows: Range<usize>, input: &[f32], output: &mut [f32]) {
        let Parts { expand, window, depth, project, .. } = &self.parts;
        let (panel, columns, line) = (self.panels[index], window.input[1], window.padded()[1]);
        if let Some(expand) = expand {
            let next = self.panels.get(index + 1).map(|next| expand.weights().weights(*next));
            let part = Part {
                rows,
                panels: index..index + 1,
                results: Grid { row: line * panel.width(), pixel: panel.width() },
                residual: Residual::None,
                upcoming: next.or_else(|| project.panels().first().map(|first| project.weights(*first))),
            };
            return expand.part(part, input, output);
        }
        let count = panel.width().min(depth - panel.first);
        for (row, input) in input[rows.start * columns * depth..].chunks_exact(columns * depth).take(rows.len()).enumerate() {
            let output = output[row * line * panel.width()..].chunks_exact_mut(panel.width());
            for (to, from) in output.zip(input.chunks_exact(*depth)) {
                to[..count].copy_from_slice(&from[panel.first..panel.first + count]);
                to[count..].fill(0.0);
            }
        }
    }

    /// Convolves a panel's channels of a band by themselves.
    fn deepen(&self, band: Band, panel: Panel, input: &[f32], output: &mut [f32]) {
        let channels = self.parts.taps.channels();
        let job = Depthwise {
            taps: &self.parts.taps,
            panel,
            size: [band.rows, self.size[1]],
            input,
            input_row: self.parts.window.padded()[1] * panel.width(),
            results: Grid { row: self.size[1] * channels, pixel: channels },
        };
        depthwise(self.set, &job, &mut output[panel.first..]);
    }

    fn project(&self, band: Band, deep: &[f32], input: &[f32], output: &mut [f32]) {
        let Parts { project, is_residual, .. } = &self.parts;
        let (columns, channels) = (self.size[1], self.parts.taps.channels());
        let from = band.first * columns * project.columns;
        let job = Gemm {
            weights: project,
            panels: 0..project.panels().len(),
            size: [1, band.rows * columns],
            input: deep,
            patches: Grid { row: 0, pixel: channels },
            runs: &[0],
            run: channels,
            results: Grid { row: 0, pixel: project.columns },
            residual: if *is_residual { Residual::Of(&input[from..]) } else { Residual::None },
            upcoming: None,
        };
        gemm(self.set, &job, &mut output[from..]);
    }
}

impl Stage for InvertedResidual {
    fn name(&self) -> &'static str {
        "InvertedResidual"
    }

    fn input(&self) -> usize {
        match &self.parts.expand {
            Some(expand) => expand.input(),
            None => self.parts.window.pixels() * self.parts.depth,
        }
    }

    fn output(&self) -> Vec<usize> {
        let [rows, columns] = self.size;
        vec![rows, columns, self.parts.project.columns]
    }

    fn products(&self) -> usize {
        let Parts { expand, taps, project, .. } = &self.parts;
        let pixel = taps.side * taps.side * taps.channels() + project.rows * project.columns;
        expand.as_ref().map_or(0, Stage::products) + self.size[0] * self.size[1] * pixel
    }

    fn run(&self, input: &[f32], output: &mut [f32], scratch: &mut Scratch) {
        let channels = self.parts.taps.channels();
        let area = self.needs(self.band) * self.parts.window.padded()[1];
        scratch.wide.grow(area * channels);
        scratch.deep.grow(self.band * self.size[1] * channels);
        let Scratch { padded, wide, deep } = scratch;
        let (wide, deep) = (wide.as_mut_slice(), deep.as_mut_slice());
        let padded = self.parts.expand.as_ref().map_or(input, |expand| expand.pad(input, padded));
        for band in self.bands() {
            for (index, panel) in self.panels.iter().enumerate() {
                let place = &mut wide[panel.first * area..(panel.first + panel.width()) * area];
                self.widen(band, index, padded, place);
                self.deepen(band, *panel, place, deep);
            }
            self.project(band, deep, input, output);
        }
    }
}
