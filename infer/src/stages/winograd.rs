//! A convolution with a window of 3 × 3 that moves by one pixel, as Winograd's F(2×2, 3×3) or F(4×4, 3×3) computes it: with 4/9 or
//! 1/4 of the products. It is worth it where its weights, which are 16/9 or 4 times as many, are used often enough.

use super::Stage;
use super::convolution::Kernels;
use crate::instruction_set::InstructionSet;
use crate::kernels::{Backward, FAR, Forward, Gemm, Grid, NEAR, Residual, TileSize, gemm, winograd_backward, winograd_forward};
use crate::memory::{Aligned, Scratch};
use crate::pack::{Activation, Packed};
use crate::window::Window;

/// Points of the tiles that are worked on at once, about: their inputs and products stay in the second-level cache.
const POINTS: usize = 2048;
/// Channels of input and output, multiplied, that are too many: the weights would have to be fetched from far.
const MOST_WEIGHTS: usize = 128 * 128;
/// Tiles of 2 × 2 that are too few to be worth a walk through 16 matrices.
const LEAST_TWO: usize = 16;
/// Tiles of 4 × 4 that are too few to be worth a walk through 36 matrices.
const LEAST_FOUR: usize = 24;

/// A convolution.
#[derive(Debug)]
pub(crate) struct Winograd {
    set: InstructionSet,
    window: Window,
    tile: TileSize,
    /// Rows and columns of the output.
    size: [usize; 2],
    depth: usize,
    /// The transformed kernels, point by point.
    weights: Vec<Packed>,
    bias: Aligned,
    activation: Activation,
    is_added: bool,
}

impl Winograd {
    /// `None` when the window is another one, or plain summing is quicker.
    pub(crate) fn new(set: InstructionSet, window: Window, kernels: &Kernels<'_>, is_added: bool) -> Option<Self> {
        let Kernels { weights, bias, depth, activation } = *kernels;
        let size = window.output()?;
        let is_worth_it = depth >= set.lanes() && depth * bias.len() <= MOST_WEIGHTS;
        if window.sides != [3, 3] || window.strides != [1, 1] || !is_worth_it {
            return None;
        }
        let tile = [(TileSize::Four, LEAST_FOUR), (TileSize::Two, LEAST_TWO)].into_iter().find_map(|(tile, least)| {
            let tiles: usize = size.iter().map(|length| length.div_ceil(tile.side())).product();
            (tiles >= least).then_some(tile)
        })?;
        let transformed: Vec<Vec<f32>> = weights.chunks_exact(9).map(|kernel| transform(tile, kernel)).collect();
        let weights = (0..tile.points()).map(|point| {
            let weight = |row: usize, column: usize| transformed[column * depth + row][point];
            Packed::new(set, (depth, bias.len()), weight, &[], Activation::None)
        });
        let mut aligned = Aligned::zeros(bias.len());
        aligned.as_mut_slice()[..bias.len()].copy_from_slice(bias);
        Some(Self { set, window, tile, size, depth, weights: weights.collect(), bias: aligned, activation, is_added })
    }

    /// Channels of the output.
    fn columns(&self) -> usize {
        self.weights[0].columns
    }

    /// The input with zeros around it: as many as the window asks for, and what fills up the last tiles.
    fn pad<'a>(&self, input: &'a [f32], memory: &'a mut Aligned) -> (&'a [f32], usize) {
        let mut window = self.window;
        for axis in 0..2 {
            window.after[axis] += self.size[axis].next_multiple_of(self.tile.side()) - self.size[axis];
        }
        let [rows, columns] = window.padded();
        memory.grow(rows * columns * self.depth);
        window.pad(self.depth, input, memory.as_mut_slice());
        (memory.as_slice(), columns)
    }

    /// Multiplies the points of tiles with the kernels'.
    fn multiply(&self, tiles: usize, points: &[f32], products: &mut [f32]) {
        let columns = self.columns();
        for (point, weights) in self.weights.iter().enumerate() {
            let job = Gemm {
                weights,
                panels: 0..weights.panels().len(),
                size: [1, tiles],
                input: &points[point * tiles * self.depth..],
                patches: Grid { row: 0, pixel: self.depth },
                runs: &[0],
                run: self.depth,
                results: Grid { row: 0, pixel: columns },
                residual: Residual::None,
                upcoming: self.weights.get(point + 1).and_then(|next| Some(next.weights(*next.panels().first()?))),
            };
            gemm(self.set, &job, &mut products[point * tiles * columns..]);
        }
    }
}

impl Stage for Winograd {
    fn name(&self) -> &'static str {
        "Winograd"
    }

    fn input(&self) -> usize {
        self.window.pixels() * self.depth
    }

    fn is_added(&self) -> bool {
        self.is_added
    }

    fn output(&self) -> Vec<usize> {
        let [rows, columns] = self.size;
        vec![rows, columns, self.columns()]
    }

    fn products(&self) -> usize {
        self.size[0] * self.size[1] * 9 * self.depth * self.columns()
    }

    fn run(&self, input: &[f32], output: &mut [f32], scratch: &mut Scratch) {
        let Scratch { padded, wide, deep } = scratch;
        let (side, points) = (self.tile.side(), self.tile.points());
        let (depth, columns, [rows, width]) = (self.depth, self.columns(), self.size.map(|length| length.div_ceil(side)));
        let band = (POINTS / points).div_ceil(width).min(rows);
        wide.grow(points * band * width * depth);
        deep.grow(points * band * width * columns);
        let (input, line) = self.pad(input, padded);
        for first in (0..rows).step_by(band) {
            let tiles = [band.min(rows - first), width];
            let forward = Forward { tile: self.tile, input: &input[first * side * line * depth..], width: line, tiles, depth };
            winograd_forward(self.set, &forward, wide.as_mut_slice());
            self.multiply(tiles[0] * width, wide.as_slice(), deep.as_mut_slice());
            let backward = Backward {
                tile: self.tile,
                products: deep.as_slice(),
                tiles,
                size: [(tiles[0] * side).min(self.size[0] - first * side), self.size[1]],
                depth: columns,
                bias: self.bias.as_slice(),
                is_residual: self.is_added,
                activation: self.activation,
            };
            winograd_backward(self.set, &backward, &mut output[first * side * self.size[1] * columns..]);
        }
    }
}

/// G · kernel · Gᵀ, of a kernel of 3 × 3.
fn transform(tile: TileSize, kernel: &[f32]) -> Vec<f32> {
    let line = |[a, b, c]: [f64; 3]| match tile {
        TileSize::Two => vec![a, (a + b + c) / 2.0, (a - b + c) / 2.0, c],
        TileSize::Four => {
            let (near, far) = (f64::from(NEAR), f64::from(FAR));
            let at = |point: f64, other: f64| (a + point * b + point * point * c) / (2.0 * point * point * (point * point - other * other));
            vec![a / (near * far).powi(2), at(near, far), at(-near, far), at(far, near), at(-far, near), c]
        }
    };
    let columns: [Vec<f64>; 3] = std::array::from_fn(|column| line(std::array::from_fn(|row| f64::from(kernel[row * 3 + column]))));
    let points = (0..tile.side() + 2).flat_map(|row| line([columns[0][row], columns[1][row], columns[2][row]]));
    #[allow(clippy::cast_possible_truncation)] // computed as f64 to be rounded once
    points.map(|number| number as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::{TileSize, transform};

    #[test]
    fn a_kernel_of_one_point_is_spread() {
        let mut kernel = [0.0; 9];
        kernel[4] = 4.0;
        let points = transform(TileSize::Two, &kernel);
        assert_eq!(points, [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
