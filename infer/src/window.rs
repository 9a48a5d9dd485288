//! Windows that slide over a feature map, and the zeros around it.

use std::ops::Range;

/// A window on a feature map of `rows` × `columns` pixels with zeros around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Rows and columns of the feature map.
    pub(crate) input: [usize; 2],
    /// Rows and columns of the window.
    pub(crate) sides: [usize; 2],
    /// How far it moves down and to the right.
    pub(crate) strides: [usize; 2],
    /// Rows above and columns left of the feature map.
    pub(crate) before: [usize; 2],
    /// Rows below and columns right of it.
    pub(crate) after: [usize; 2],
}

impl Window {
    /// Rows and columns with the padding.
    pub(crate) fn padded(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.before[axis] + self.input[axis] + self.after[axis])
    }

    /// Rows and columns of the output. `None` when the window is larger than the padded feature map.
    pub(crate) fn output(&self) -> Option<[usize; 2]> {
        let steps = |axis: usize| Some(self.padded()[axis].checked_sub(self.sides[axis])? / self.strides[axis] + 1);
        Some([steps(0)?, steps(1)?])
    }

    /// Whether there are no zeros around.
    pub(crate) fn is_bare(&self) -> bool {
        self.before == [0, 0] && self.after == [0, 0]
    }

    /// Which rows (axis 0) or columns (axis 1) of the feature map a window covers.
    pub(crate) fn covers(&self, axis: usize, index: usize) -> Range<usize> {
        let (begin, before) = (index * self.strides[axis], self.before[axis]);
        begin.saturating_sub(before)..(begin + self.sides[axis]).saturating_sub(before).min(self.input[axis])
    }

    /// Pixels of the feature map.
    pub(crate) fn pixels(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Copies a feature map whose pixels have `depth` numbers into `to`, with the zeros around it.
    pub(crate) fn pad(&self, depth: usize, from: &[f32], to: &mut [f32]) {
        let ([_, columns], [_, width]) = (self.input, self.padded());
        let (above, below) = (self.before[0] * width * depth, self.after[0] * width * depth);
        let (head, rest) = to.split_at_mut(above);
        let (middle, tail) = rest.split_at_mut(self.input[0] * width * depth);
        head.fill(0.0);
        tail[..below].fill(0.0);
        for (line, source) in middle.chunks_exact_mut(width * depth).zip(from.chunks_exact(columns * depth)) {
            let (left, rest) = line.split_at_mut(self.before[1] * depth);
            let (inside, right) = rest.split_at_mut(columns * depth);
            left.fill(0.0);
            inside.copy_from_slice(source);
            right.fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn zeros_are_around_and_the_rest_in_place() {
        let window = Window { input: [1, 2], sides: [3, 1], strides: [1, 1], before: [1, 0], after: [0, 2] };
        assert_eq!((window.padded(), window.output()), ([2, 4], None));
        let mut padded = [9.0; 17];
        window.pad(2, &[1.0, 2.0, 3.0, 4.0], &mut padded);
        assert_eq!(padded, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 9.0]);
    }
}
