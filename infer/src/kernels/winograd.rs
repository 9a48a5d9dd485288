//! The transforms of Winograd's convolution F(n×n, 3×3): n × n results of a 3 × 3 window from (n + 2)² products for each channel,
//! where the plain sum needs 9·n². Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). Between the
//! two transforms lie (n + 2)² matrix multiplications. Knows nothing of whole images.

use super::Simd;
use crate::pack::Activation;

/// Results of a tile: 2 × 2, or 4 × 4, which needs fewer products and is a little less exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TileSize {
    /// 2 × 2 from 4 × 4.
    Two,
    /// 4 × 4 from 6 × 6.
    Four,
}

impl TileSize {
    /// Pixels of a tile's side.
    pub(crate) const fn side(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Numbers of a tile of the input, and matrices that are multiplied.
    pub(crate) const fn points(self) -> usize {
        (self.side() + 2) * (self.side() + 2)
    }
}

/// Where polynomials are evaluated for 4 × 4 results: at 0, ±NEAR, ±FAR and infinity. All of their products that occur are exact;
/// ±1 and ±2, the usual points, would leave errors several times as large.
pub(crate) const NEAR: f32 = 0.625;
/// See [`NEAR`].
pub(crate) const FAR: f32 = 1.5;

/// Tiles of the padded input, two pixels more than their results, transformed: Bᵀ·d·B of each channel.
#[derive(Debug)]
pub(crate) struct Forward<'a> {
    /// Results of a tile.
    pub(crate) tile: TileSize,
    /// Rows of pixels of channels, of each row of tiles the last two are the next row's, too.
    pub(crate) input: &'a [f32],
    /// Pixels in a row of the input.
    pub(crate) width: usize,
    /// Rows and columns of tiles.
    pub(crate) tiles: [usize; 2],
    /// Channels.
    pub(crate) depth: usize,
}

/// The products of each tile transformed back, Aᵀ·m·A, to its pixels; then bias, residual and activation.
#[derive(Debug)]
pub(crate) struct Backward<'a> {
    /// Results of a tile.
    pub(crate) tile: TileSize,
    /// The products of all tiles, one matrix of tiles and channels after the other.
    pub(crate) products: &'a [f32],
    /// Rows and columns of tiles.
    pub(crate) tiles: [usize; 2],
    /// Rows and columns of the output; the last tiles may give less.
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
        let Self { tile, input, width, tiles: [rows, columns], depth } = self;
        assert!(columns * tile.side() + 2 <= *width, "tiles reach beyond their row");
        let read = (rows * tile.side() + 2).saturating_mul(*width).saturating_mul(*depth);
        assert!(read <= input.len(), "tiles reach beyond the input");
        assert!(tile.points().saturating_mul(rows * columns).saturating_mul(*depth) <= output, "results reach beyond the output");
    }
}

impl Backward<'_> {
    /// Whether everything that is read or written lies within its slice.
    ///
    /// # Panics
    /// When something does not.
    pub(super) fn check(&self, output: usize) {
        let Self { tile, products, tiles, size, depth, bias, .. } = self;
        assert!((0..2).all(|axis| size[axis] <= tiles[axis] * tile.side()), "there are too few tiles");
        let read = tile.points().saturating_mul(tiles[0] * tiles[1]).saturating_mul(*depth);
        assert!(read <= products.len(), "tiles reach beyond the products");
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
    // SAFETY: the caller's promise.
    unsafe {
        match job.tile {
            TileSize::Two => forward_tiles::<S, 4>(job, output),
            TileSize::Four => forward_tiles::<S, 6>(job, output),
        }
    }
}

/// Tiles of `P` × `P` pixels.
///
/// # Safety
/// As [`forward`].
#[inline(always)]
unsafe fn forward_tiles<S: Simd, const P: usize>(job: &Forward<'_>, output: *mut f32) {
    let [rows, columns] = job.tiles;
    for tile in 0..rows * columns {
        let from = (tile / columns * (P - 2) * job.width + tile % columns * (P - 2)) * job.depth;
        for channel in (0..job.depth).step_by(S::LANES) {
            // SAFETY: the caller's promise.
            unsafe {
                let to = output.add(tile * job.depth + channel);
                forward_tile::<S, P>(job, job.input.as_ptr().add(from + channel), to, job.depth - channel);
            }
        }
    }
}

/// One vector of channels of one tile.
///
/// # Safety
/// As [`forward`]; `from` and `to` are the tile's first numbers, of which the first `rest` channels are the job's.
#[inline(always)]
unsafe fn forward_tile<S: Simd, const P: usize>(job: &Forward<'_>, from: *const f32, to: *mut f32, rest: usize) {
    let step = job.tiles[0] * job.tiles[1] * job.depth;
    // SAFETY: the caller's promise.
    unsafe {
        let load = |row: usize, column: usize| {
            let from = from.add((row * job.width + column) * job.depth);
            if rest >= S::LANES { S::load(from) } else { S::load_some(from, rest) }
        };
        let mut tile = [[S::splat(0.0); P]; P];
        for column in 0..P {
            let line = forward_line::<S, P>(std::array::from_fn(|row| load(row, column)));
            for row in 0..P {
                tile[row][column] = line[row];
            }
        }
        for row in 0..P {
            let line = forward_line::<S, P>(tile[row]);
            for column in 0..P {
                let to = to.add((row * P + column) * step);
                if rest >= S::LANES { S::store(to, line[column]) } else { S::store_some(to, line[column], rest) }
            }
        }
    }
}

/// Bᵀ · 4 or 6 numbers.
///
/// # Safety
/// The CPU has the instructions.
#[inline(always)]
unsafe fn forward_line<S: Simd, const P: usize>(line: [S::V; P]) -> [S::V; P] {
    let mut to = line;
    // SAFETY: the caller's promise.
    unsafe {
        if P == 4 {
            to[0] = S::subtract(line[0], line[2]);
            to[1] = S::add(line[1], line[2]);
            to[2] = S::subtract(line[2], line[1]);
            to[3] = S::subtract(line[1], line[3]);
        } else {
            let (near, far) = (S::splat(NEAR), S::splat(FAR));
            let (without_near, without_far) = (S::splat(-NEAR * NEAR), S::splat(-FAR * FAR));
            let (sum, product) = (S::splat(-NEAR * NEAR - FAR * FAR), S::splat(NEAR * NEAR * FAR * FAR));
            let (even, odd) = (S::multiply_add(without_far, line[2], line[4]), S::multiply_add(without_far, line[1], line[3]));
            to[1] = S::multiply_add(near, odd, even);
            to[2] = S::multiply_add(S::splat(-NEAR), odd, even);
            let (even, odd) = (S::multiply_add(without_near, line[2], line[4]), S::multiply_add(without_near, line[1], line[3]));
            to[3] = S::multiply_add(far, odd, even);
            to[4] = S::multiply_add(S::splat(-FAR), odd, even);
            to[0] = S::multiply_add(product, line[0], S::multiply_add(sum, line[2], line[4]));
            to[5] = S::multiply_add(product, line[1], S::multiply_add(sum, line[3], line[5]));
        }
    }
    to
}

/// Runs a checked job.
///
/// # Safety
/// The CPU has the instructions, `job` was checked, and `output` is valid for the length that it was checked with.
#[inline(always)]
pub(super) unsafe fn backward<S: Simd>(job: &Backward<'_>, output: *mut f32) {
    let columns = job.tiles[1];
    for tile in 0..job.tiles[0] * columns {
        let place = [tile / columns, tile % columns];
        for channel in (0..job.depth).step_by(S::LANES) {
            // SAFETY: the caller's promise.
            unsafe {
                match job.tile {
                    TileSize::Two => backward_tile::<S, 2, 4>(job, place, channel, output),
                    TileSize::Four => backward_tile::<S, 4, 6>(job, place, channel, output),
                }
            }
        }
    }
}

/// One vector of channels of one tile of `T` × `T` results.
///
/// # Safety
/// As [`backward`], of a tile and a channel of the job.
#[inline(always)]
unsafe fn backward_tile<S: Simd, const T: usize, const P: usize>(
    job: &Backward<'_>,
    [down, right]: [usize; 2],
    channel: usize,
    output: *mut f32,
) {
    let (step, rest) = (job.tiles[0] * job.tiles[1] * job.depth, job.depth - channel);
    // SAFETY: the caller's promise; pixels beyond the output are left out.
    unsafe {
        let load = |from: *const f32| if rest >= S::LANES { S::load(from) } else { S::load_some(from, rest) };
        let from = job.products.as_ptr().add((down * job.tiles[1] + right) * job.depth + channel);
        let mut half = [[S::splat(0.0); P]; T];
        for column in 0..P {
            let line = backward_line::<S, T, P>(std::array::from_fn(|row| load(from.add((row * P + column) * step))));
            for row in 0..T {
                half[row][column] = line[row];
            }
        }
        let bias = load(job.bias.as_ptr().add(channel));
        for row in 0..T {
            let line = backward_line::<S, T, P>(half[row]);
            for column in 0..T {
                let (row, column, mut sum) = (down * T + row, right * T + column, S::add(line[column], bias));
                if row >= job.size[0] || column >= job.size[1] {
                    continue;
                }
                let to = output.add((row * job.size[1] + column) * job.depth + channel);
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

/// Aᵀ · 4 or 6 numbers.
///
/// # Safety
/// The CPU has the instructions.
#[inline(always)]
unsafe fn backward_line<S: Simd, const T: usize, const P: usize>(line: [S::V; P]) -> [S::V; T] {
    let mut to = [line[0]; T];
    // SAFETY: the caller's promise.
    unsafe {
        let (sum, difference) = (S::add(line[1], line[2]), S::subtract(line[1], line[2]));
        if T == 2 {
            to[0] = S::add(line[0], sum);
            to[1] = S::subtract(difference, line[3]);
        } else {
            let (far, apart) = (S::add(line[3], line[4]), S::subtract(line[3], line[4]));
            to[0] = S::add(S::add(line[0], sum), far);
            let weighted = |near: f32, difference: S::V, far: f32, apart: S::V, more: S::V| {
                S::multiply_add(S::splat(near), difference, S::multiply_add(S::splat(far), apart, more))
            };
            to[1] = weighted(NEAR, difference, FAR, apart, S::splat(0.0));
            to[2] = weighted(NEAR * NEAR, sum, FAR * FAR, far, S::splat(0.0));
            to[3] = weighted(NEAR * NEAR * NEAR, difference, FAR * FAR * FAR, apart, line[5]);
        }
    }
    to
}
