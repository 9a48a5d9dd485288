//! Weights as the kernels read them: columns (output channels) in panels a few vectors wide, so that a kernel walks
//! through a panel from its begin to its end. Columns are filled up with zeros to whole vectors.

use std::ops::Range;

use crate::instruction_set::InstructionSet;
use crate::memory::Aligned;

/// Vectors of a panel, at most: as many as leave registers for a tile of several rows.
const WIDEST: usize = 3;
/// The same with AVX-512 for weights of few rows. Such a panel stays in the first cache; from the second, weights do not come as fast
/// as tiles of the few rows that there are registers for then would use them.
const WIDEST_OF_FEW: usize = 4;
/// Rows that are few: 40 KiB of weights.
const FEW: usize = 160;

/// What is done to each number at the end of a convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Activation {
    /// Nothing.
    None,
    /// Raised to the first, then lowered to the second: `ReLU` is `Clip(0, ∞)`. A NaN stays one, as in tract.
    Clip(f32, f32),
}

/// Some columns of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panel {
    /// Its first column.
    pub(crate) first: usize,
    /// Its width in vectors, 1 to 4.
    pub(crate) vectors: usize,
    lanes: usize,
}

impl Panel {
    /// Its width in columns.
    pub(crate) const fn width(self) -> usize {
        self.vectors * self.lanes
    }

    /// Splits the columns of weights with so many rows into panels whose widths differ by one vector at most: a narrow panel would wait for its loads.
    pub(crate) fn split(set: InstructionSet, (rows, columns): (usize, usize)) -> Vec<Self> {
        let (lanes, is_wide) = (set.lanes(), set == InstructionSet::Avx512 && rows <= FEW);
        let vectors = columns.div_ceil(lanes);
        let count = vectors.div_ceil(if is_wide { WIDEST_OF_FEW } else { WIDEST });
        let mut done = 0;
        let next = |index: usize| {
            let (first, width) = (done, (vectors - done).div_ceil(count - index));
            done += width;
            Self { first: first * lanes, vectors: width, lanes }
        };
        (0..count).map(next).collect()
    }
}

/// A matrix of weights with its bias and activation.
#[derive(Debug)]
pub(crate) struct Packed {
    /// Number of rows: products that are summed up.
    pub(crate) rows: usize,
    /// Number of columns.
    pub(crate) columns: usize,
    /// At the end.
    pub(crate) activation: Activation,
    panels: Vec<Panel>,
    weights: Aligned,
    bias: Aligned,
}

impl Packed {
    /// Packs `weight(row, column)`. A bias is given for each of the first columns; the others have none.
    pub(crate) fn new(
        set: InstructionSet,
        (rows, columns): (usize, usize),
        weight: impl Fn(usize, usize) -> f32,
        bias: &[f32],
        activation: Activation,
    ) -> Self {
        let panels = Panel::split(set, (rows, columns));
        let filled = columns.next_multiple_of(set.lanes());
        let (mut weights, mut biases) = (Aligned::zeros(rows * filled), Aligned::zeros(filled));
        biases.as_mut_slice()[..bias.len()].copy_from_slice(bias);
        for panel in &panels {
            let place = &mut weights.as_mut_slice()[panel.first * rows..][..panel.width() * rows];
            for (row, line) in place.chunks_exact_mut(panel.width()).enumerate() {
                for (column, number) in (panel.first..columns).zip(line) {
                    *number = weight(row, column);
                }
            }
        }
        Self { rows, columns, activation, panels, weights, bias: biases }
    }

    /// Its panels, from left to right.
    pub(crate) fn panels(&self) -> &[Panel] {
        &self.panels
    }

    /// The weights of a panel: one row after the other.
    pub(crate) fn weights(&self, panel: Panel) -> &[f32] {
        &self.weights.as_slice()[self.place(panel)]
    }

    /// Where the panel's weights lie.
    fn place(&self, panel: Panel) -> Range<usize> {
        panel.first * self.rows..(panel.first + panel.width()) * self.rows
    }

    /// The bias of each column of a panel.
    pub(crate) fn bias(&self, panel: Panel) -> &[f32] {
        &self.bias.as_slice()[panel.first..panel.first + panel.width()]
    }

    /// How many columns of a panel are no filling.
    pub(crate) fn valid(&self, panel: Panel) -> usize {
        panel.width().min(self.columns - panel.first)
    }
}

#[cfg(test)]
mod tests {
    use super::{Activation, Packed, Panel};
    use crate::instruction_set::InstructionSet;

    #[test]
    fn panels_are_nearly_equally_wide() {
        let panels = |set, rows, columns| Panel::split(set, (rows, columns)).iter().map(|panel| panel.vectors).collect::<Vec<_>>();
        let widths = |columns| panels(InstructionSet::Avx512, 100, columns);
        assert_eq!(widths(16), [1]);
        assert_eq!(widths(49), [4]);
        assert_eq!(widths(80), [3, 2]);
        assert_eq!(widths(112), [4, 3]);
        assert_eq!(widths(0), [] as [usize; 0]);
        assert_eq!(panels(InstructionSet::Avx512, 300, 64), [2, 2]);
        assert_eq!(panels(InstructionSet::Avx2, 100, 64), [3, 3, 2]);
    }

    #[test]
    fn every_weight_is_where_the_kernels_look() {
        let packed = Packed::new(InstructionSet::Avx2, (2, 27), |row, column| (100 * row + column) as f32, &[7.0; 27], Activation::None);
        let [first, second] = packed.panels() else { panic!("{:?}", packed.panels()) };
        assert_eq!((first.vectors, second.vectors, packed.valid(*first), packed.valid(*second)), (2, 2, 16, 11));
        assert_eq!(packed.weights(*first)[17], 101.0);
        assert_eq!(packed.weights(*second)[..12], [16.0, 17.0, 18.0, 19.0, 20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 26.0, 0.0]);
        assert_eq!((packed.bias(*second)[10], packed.bias(*second)[11]), (7.0, 0.0));
    }
}
