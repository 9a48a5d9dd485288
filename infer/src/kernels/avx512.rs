//! The kernels' vectors in AVX-512: 16 lanes, 32 registers, tails by mask. Knows one intrinsic for each operation.

use std::arch::x86_64::{
    __m512, __mmask16, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_set1_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::{Simd, compiled, intrinsics};

#[derive(Clone, Copy)]
struct Avx512;

/// The lowest `count` lanes.
#[inline(always)]
fn lanes(count: usize) -> __mmask16 {
    if count < 16 { (1 << count) - 1 } else { __mmask16::MAX }
}

impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    const ROWS: [usize; 4] = [8, 8, 8, 6];

    intrinsics! {
        load(from: *const f32) -> __m512 = _mm512_loadu_ps(from);
        load_some(from: *const f32, count: usize) -> __m512 = _mm512_maskz_loadu_ps(lanes(count), from);
        store(to: *mut f32, value: __m512) = _mm512_storeu_ps(to, value);
        store_some(to: *mut f32, value: __m512, count: usize) = _mm512_mask_storeu_ps(to, lanes(count), value);
        splat(value: f32) -> __m512 = _mm512_set1_ps(value);
        multiply_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        subtract(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
        prefetch(line: *const f32) = _mm_prefetch::<_MM_HINT_T0>(line.cast());
        prefetch_far(line: *const f32) = _mm_prefetch::<_MM_HINT_T1>(line.cast());
    }
}

compiled!(Avx512, "avx512f");
