//! The transforms of Winograd's convolution F(2×2, 3×3): four results of a 3 × 3 window from 16 products for each channel,
//! where the plain sum needs 36. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). Between the
//! two transforms lie 16 matrix multiplications. Knows nothing of whole images.

use super::Simd;
use crate::pack::Activation;

/// Numbers of a tile of the input, 4 × 4, and matrices that are multiplied.
pub(crate) const POINTS: usize = 16;

/// Tiles of the padded input, two pixels apart, transformed: Bᵀ·d·B of each channel.
#[derive(Debug)]
pub(crate) struct Forward<'a> {
    /// Rows of pixels of channels, four for each row of tiles, of which two are the next row's, too.
    pub(crate) input: &'a [f32],
    /// Pixels in a row of the input.
    pub(crate) width: usize,
    /// Rows and columns of tiles.
    pub(crate) tiles: [usize; 2],
    /// Channels.
    pub(crate) depth: usize,
}

/// The products of each tile transformed back, Aᵀ·m·A, to two rows of two pixels; then bias, residual and activation.
#[derive(Debug)]
pub(crate) struct Backward<'a> {
    /// The 16 products of all tiles, one matrix of tiles and channels after the other.
    pub(crate) products: &'a [f32],
    /// Rows and columns of tiles.
    pub(crate) tiles: [usize; 2],
    /// Rows and columns of the output; with an odd number, the last tiles give one less.
    pub(crate) size: [usize; 2],
    /// Channels.
    pub(crate) depth: usize,
    /// For each channel.
    pub(crate) bias: &'a [f32],
    /// Whether what lies in the output is added before the activation.
    pub(crate) is_residual: bool,
    /// At the end.
    pub(crate) activation: Activation,
}

impl Forward<'_> {
    /// Whether everything that is read or written lies within its slice.
    ///
    /// # Panics
    /// When something does not.
    pub(super) fn check(&self, output: usize) {
        let Self { input, width, tiles: [rows, columns], depth } = self;
        assert!(columns * 2 + 2 <= *width, "tiles reach beyond their row");
        let read = (rows * 2 + 2).saturating_mul(*width).saturating_mul(*depth);
        assert!(read <= input.len(), "tiles reach beyond the input");
        assert!(POINTS.saturating_mul(rows * columns).saturating_mul(*depth) <= output, "results reach beyond the output");
    }
}

impl Backward<'_> {
    /// Whether everything that is read or written lies within its slice.
    ///
    /// # Panics
    /// When something does not.
    pub(super) fn check(&self, output: usize) {
        let Self { products, tiles, size, depth, bias, .. } = self;
        assert!((0..2).all(|axis| size[axis] <= tiles[axis] * 2), "there are too few tiles");
        assert!(POINTS.saturating_mul(tiles[0] * tiles[1]).saturating_mul(*depth) <= products.len(), "tiles reach beyond the products");
        let written = (size[0] * size[1]).saturating_mul(*depth);
        assert!(written <= output && *depth <= bias.len(), "results reach beyond the output or the bias");
    }
}

/// Runs a checked job.
///
/// # Safety
/// The CPU has the instructions, `job` was checked, and `output` is valid for the length that it was checked with.
#[inline(always)]
pub(super) unsafe fn forward<S: Simd>(job: &Forward<'_>, output: *mut f32) {
    let [rows, columns] = job.tiles;
    for tile in 0..rows * columns {
        let from = (tile / columns * 2 * job.width + tile % columns * 2) * job.depth;
        for channel in (0..job.depth).step_by(S::LANES) {
            // SAFETY: the caller's promise.
            unsafe {
                let to = output.add(tile * job.depth + channel);
                forward_tile::<S>(job, job.input.as_ptr().add(from + channel), to, job.depth - channel);
            }
        }
    }
}

/// One vector of channels of one tile.
///
/// # Safety
/// As [`forward`]; `from` and `to` are the tile's first numbers, of which the first `rest` channels are the job's.
#[inline(always)]
unsafe fn forward_tile<S: Simd>(job: &Forward<'_>, from: *const f32, to: *mut f32, rest: usize) {
    let step = job.tiles[0] * job.tiles[1] * job.depth;
    // SAFETY: the caller's promise.
    unsafe {
        let load = |row: usize, column: usize| {
            let from = from.add((row * job.width + column) * job.depth);
            if rest >= S::LANES { S::load(from) } else { S::load_some(from, rest) }
        };
        let mut tile = [[S::splat(0.0); 4]; 4];
        for column in 0..4 {
            let [a, b, c, d] = forward_four::<S>([load(0, column), load(1, column), load(2, column), load(3, column)]);
            (tile[0][column], tile[1][column], tile[2][column], tile[3][column]) = (a, b, c, d);
        }
        for row in 0..4 {
            let four = forward_four::<S>(tile[row]);
            for column in 0..4 {
                let to = to.add((row * 4 + column) * step);
                if rest >= S::LANES { S::store(to, four[column]) } else { S::store_some(to, four[column], rest) }
            }
        }
    }
}

/// Bᵀ · four numbers.
///
/// # Safety
/// The CPU has the instructions.
#[inline(always)]
unsafe fn forward_four<S: Simd>([a, b, c, d]: [S::V; 4]) -> [S::V; 4] {
    // SAFETY: the caller's promise.
    unsafe { [S::subtract(a, c), S::add(b, c), S::subtract(c, b), S::subtract(b, d)] }
}

/// Runs a checked job.
///
/// # Safety
/// The CPU has the instructions, `job` was checked, and `output` is valid for the length that it was checked with.
#[inline(always)]
pub(super) unsafe fn backward<S: Simd>(job: &Backward<'_>, output: *mut f32) {
    let columns = job.tiles[1];
    for tile in 0..job.tiles[0] * columns {
        for channel in (0..job.depth).step_by(S::LANES) {
            // SAFETY: the caller's promise.
            unsafe { backward_tile::<S>(job, [tile / columns, tile % columns], channel, output) };
        }
    }
}

/// One vector of channels of one tile.
///
/// # Safety
/// As [`backward`], of a tile and a channel of the job.
#[inline(always)]
unsafe fn backward_tile<S: Simd>(job: &Backward<'_>, [down, right]: [usize; 2], channel: usize, output: *mut f32) {
    let (step, rest) = (job.tiles[0] * job.tiles[1] * job.depth, job.depth - channel);
    // SAFETY: the caller's promise; pixels beyond the output are left out.
    unsafe {
        let load = |from: *const f32| if rest >= S::LANES { S::load(from) } else { S::load_some(from, rest) };
        let from = job.products.as_ptr().add((down * job.tiles[1] + right) * job.depth + channel);
        let mut half = [[S::splat(0.0); 4]; 2];
        for column in 0..4 {
            let point = |row: usize| load(from.add((row * 4 + column) * step));
            let [a, b] = backward_four::<S>([point(0), point(1), point(2), point(3)]);
            (half[0][column], half[1][column]) = (a, b);
        }
        let bias = load(job.bias.as_ptr().add(channel));
        for row in 0..2 {
            let two = backward_four::<S>(half[row]);
            for column in 0..2 {
                let (row, column, mut sum) = (down * 2 + row, right * 2 + column, S::add(two[column], bias));
                if row >= job.size[0] || column >= job.size[1] {
                    continue;
                }
                let place = (row * job.size[1] + column) * job.depth + channel;
                let to = output.add(place);
                if job.is_residual {
                    sum = S::add(sum, load(to));
                }
                if let Activation::Clip(low, high) = job.activation {
                    sum = S::min(S::splat(high), S::max(S::splat(low), sum));
                }
                if rest >= S::LANES { S::store(to, sum) } else { S::store_some(to, sum, rest) }
            }
        }
    }
}

/// Aᵀ · four numbers.
///
/// # Safety
/// The CPU has the instructions.
#[inline(always)]
unsafe fn backward_four<S: Simd>([a, b, c, d]: [S::V; 4]) -> [S::V; 2] {
    // SAFETY: the caller's promise.
    unsafe { [S::add(S::add(a, b), c), S::subtract(S::subtract(b, c), d)] }
}
