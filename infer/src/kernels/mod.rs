//! What is computed with vectors. Owns the checks that make the kernels safe to call, and the choice of the instruction
//! set; must not know of networks or of tract. The kernels themselves are written once, for any [`Simd`].
#![allow(clippy::needless_range_loop, reason = "loops over constant indices are unrolled, so that arrays of vectors stay in registers")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod depthwise;
mod gemm;
mod pool;
mod winograd;

pub(crate) use depthwise::{Depthwise, Taps};
pub(crate) use gemm::{Gemm, Grid, Residual};
pub(crate) use pool::{PoolKind, Pooling};
pub(crate) use winograd::{Backward, FAR, Forward, NEAR, TileSize};

use crate::instruction_set::InstructionSet;

/// Vectors of one instruction set.
///
/// # Safety
/// Every function may be called only where the CPU has the instruction set, and must be inlined into a function that
/// enables it. Those with a pointer need it valid for what they say.
trait Simd: Copy {
    /// A vector of numbers.
    type V: Copy;
    /// Numbers in a vector.
    const LANES: usize;
    /// Rows of a tile that is one, two, three or four vectors wide: sums, weights and one number fit the registers.
    const ROWS: [usize; 4];

    /// Reads `LANES` numbers.
    unsafe fn load(from: *const f32) -> Self::V;
    /// Reads the first `count` numbers; the others are 0.
    unsafe fn load_some(from: *const f32, count: usize) -> Self::V;
    /// Writes `LANES` numbers.
    unsafe fn store(to: *mut f32, value: Self::V);
    /// Writes the first `count` numbers.
    unsafe fn store_some(to: *mut f32, value: Self::V, count: usize);
    /// The number in all lanes.
    unsafe fn splat(value: f32) -> Self::V;
    /// a · b + c, rounded once.
    unsafe fn multiply_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// a + b.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// a − b.
    unsafe fn subtract(a: Self::V, b: Self::V) -> Self::V;
    /// The larger; b where either is NaN.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; b where either is NaN.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// Asks for a cache line, to be used soon. Any address will do.
    unsafe fn prefetch(line: *const f32);
    /// Asks for a cache line into the second cache. Any address will do.
    unsafe fn prefetch_far(line: *const f32);
}

/// Multiplies: see [`Gemm`].
///
/// # Panics
/// When `job` reaches beyond its slices or `output`, or the CPU lacks the instruction set.
pub(crate) fn gemm(set: InstructionSet, job: &Gemm<'_>, output: &mut [f32]) {
    job.check(output.len());
    assert!(set.is_supported(), "the CPU has no {set}");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the CPU has the instruction set, and `check` saw that nothing is beyond the slices.
    unsafe {
        match set {
            InstructionSet::Avx512 => avx512::gemm(job, output.as_mut_ptr()),
            InstructionSet::Avx2 => avx2::gemm(job, output.as_mut_ptr()),
        }
    }
}

/// Convolves each channel by itself: see [`Depthwise`].
///
/// # Panics
/// When `job` reaches beyond its slices or `output`, or the CPU lacks the instruction set.
pub(crate) fn depthwise(set: InstructionSet, job: &Depthwise<'_>, output: &mut [f32]) {
    job.check(output.len(), set.lanes());
    assert!(set.is_supported(), "the CPU has no {set}");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the CPU has the instruction set, and `check` saw that nothing is beyond the slices.
    unsafe {
        match set {
            InstructionSet::Avx512 => avx512::depthwise(job, output.as_mut_ptr()),
            InstructionSet::Avx2 => avx2::depthwise(job, output.as_mut_ptr()),
        }
    }
}

/// Pools: see [`Pooling`].
///
/// # Panics
/// When `job` reaches beyond its slices or `output`, or the CPU lacks the instruction set.
pub(crate) fn pool(set: InstructionSet, job: &Pooling<'_>, output: &mut [f32]) {
    job.check(output.len());
    assert!(set.is_supported(), "the CPU has no {set}");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the CPU has the instruction set, and `check` saw that nothing is beyond the slices.
    unsafe {
        match set {
            InstructionSet::Avx512 => avx512::pool(job, output.as_mut_ptr()),
            InstructionSet::Avx2 => avx2::pool(job, output.as_mut_ptr()),
        }
    }
}

/// Transforms tiles of an input: see [`Forward`].
///
/// # Panics
/// When `job` reaches beyond its slices or `output`, or the CPU lacks the instruction set.
pub(crate) fn winograd_forward(set: InstructionSet, job: &Forward<'_>, output: &mut [f32]) {
    job.check(output.len());
    assert!(set.is_supported(), "the CPU has no {set}");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the CPU has the instruction set, and `check` saw that nothing is beyond the slices.
    unsafe {
        match set {
            InstructionSet::Avx512 => avx512::winograd_forward(job, output.as_mut_ptr()),
            InstructionSet::Avx2 => avx2::winograd_forward(job, output.as_mut_ptr()),
        }
    }
}

/// Transforms products back to an output: see [`Backward`].
///
/// # Panics
/// When `job` reaches beyond its slices or `output`, or the CPU lacks the instruction set.
pub(crate) fn winograd_backward(set: InstructionSet, job: &Backward<'_>, output: &mut [f32]) {
    job.check(output.len());
    assert!(set.is_supported(), "the CPU has no {set}");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the CPU has the instruction set, and `check` saw that nothing is beyond the slices.
    unsafe {
        match set {
            InstructionSet::Avx512 => avx512::winograd_backward(job, output.as_mut_ptr()),
            InstructionSet::Avx2 => avx2::winograd_backward(job, output.as_mut_ptr()),
        }
    }
}

/// Writes the functions of [`Simd`], each of one intrinsic.
macro_rules! intrinsics {
    ($($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)? = $body:expr;)*) => {
        $(#[inline(always)]
        unsafe fn $name($($argument: $kind),*) $(-> $result)? {
            // SAFETY: what the intrinsic asks for, the trait asks of its callers.
            unsafe { $body }
        })*
    };
}

/// Compiles the kernels for one [`Simd`] with its instructions enabled.
macro_rules! compiled {
    ($simd:ty, $features:literal) => {
        /// # Safety
        /// The CPU has the instruction set, `job` was checked against the length of the output.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn gemm(job: &$crate::kernels::Gemm<'_>, output: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { $crate::kernels::gemm::run::<$simd>(job, output) }
        }

        /// # Safety
        /// The CPU has the instruction set, `job` was checked against the length of the output.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn depthwise(job: &$crate::kernels::Depthwise<'_>, output: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { $crate::kernels::depthwise::run::<$simd>(job, output) }
        }

        /// # Safety
        /// The CPU has the instruction set, `job` was checked against the length of the output.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn pool(job: &$crate::kernels::Pooling<'_>, output: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { $crate::kernels::pool::run::<$simd>(job, output) }
        }

        /// # Safety
        /// The CPU has the instruction set, `job` was checked against the length of the output.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn winograd_forward(job: &$crate::kernels::Forward<'_>, output: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { $crate::kernels::winograd::forward::<$simd>(job, output) }
        }

        /// # Safety
        /// The CPU has the instruction set, `job` was checked against the length of the output.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn winograd_backward(job: &$crate::kernels::Backward<'_>, output: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { $crate::kernels::winograd::backward::<$simd>(job, output) }
        }
    };
}

use {compiled, intrinsics};
