//! Memory that vectors are loaded from: aligned to cache lines, since a vector across two lines costs two loads.

/// Bytes of a cache line, and of the widest vector.
pub(crate) const CACHE_LINE: usize = 64;
const FLOATS: usize = CACHE_LINE / size_of::<f32>();

#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
struct Line([f32; FLOATS]);

/// Numbers whose first lies at the begin of a cache line.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Aligned {
    lines: Vec<Line>,
}

impl Aligned {
    /// At least `length` zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        Self { lines: vec![Line([0.0; FLOATS]); length.div_ceil(FLOATS)] }
    }

    /// Grows to at least `length` numbers; what it held stays.
    pub(crate) fn grow(&mut self, length: usize) {
        let lines = length.div_ceil(FLOATS);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0.0; FLOATS]));
        }
    }

    /// All numbers.
    pub(crate) fn as_slice(&self) -> &[f32] {
        let length = self.lines.len() * FLOATS;
        // SAFETY: lines lie one after the other, and each is FLOATS numbers without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), length) }
    }

    /// All numbers, to be written.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        let length = self.lines.len() * FLOATS;
        // SAFETY: as above, and borrowed as mutably as the lines are.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), length) }
    }
}

/// What stages keep between their steps, reused from image to image.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The input with zeros around it.
    pub(crate) padded: Aligned,
    /// What was expanded.
    pub(crate) wide: Aligned,
    /// What the depthwise convolution gave.
    pub(crate) deep: Aligned,
}

#[cfg(test)]
mod tests {
    use super::{Aligned, CACHE_LINE};

    #[test]
    fn is_aligned_zeroed_and_keeps_its_numbers() {
        let mut memory = Aligned::zeros(17);
        assert_eq!((memory.as_slice().len(), memory.as_slice().as_ptr().addr() % CACHE_LINE), (32, 0));
        memory.as_mut_slice()[16] = 1.0;
        memory.grow(40);
        memory.grow(3);
        assert_eq!(memory.as_slice().len(), 48);
        assert_eq!(memory.as_slice().iter().sum::<f32>(), 1.0);
        assert!(Aligned::default().as_slice().is_empty());
    }
}
