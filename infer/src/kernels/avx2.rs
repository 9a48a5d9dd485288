//! The kernels' vectors in AVX2: 8 lanes, 16 registers, tails by mask. Knows one intrinsic for each operation.

use std::arch::x86_64::{
    __m256, __m256i, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_cmpgt_epi32, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi32,
    _mm256_storeu_ps, _mm256_sub_ps,
};

use super::{Simd, compiled, intrinsics};

#[derive(Clone, Copy)]
struct Avx2;

impl Avx2 {
    intrinsics! {
        lanes(count: usize) -> __m256i = {
            let count = i32::try_from(count).unwrap_or(i32::MAX);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
        };
    }
}

impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const ROWS: [usize; 4] = [6, 6, 4, 3];

    intrinsics! {
        load(from: *const f32) -> __m256 = _mm256_loadu_ps(from);
        load_some(from: *const f32, count: usize) -> __m256 = _mm256_maskload_ps(from, Self::lanes(count));
        store(to: *mut f32, value: __m256) = _mm256_storeu_ps(to, value);
        store_some(to: *mut f32, value: __m256, count: usize) = _mm256_maskstore_ps(to, Self::lanes(count), value);
        splat(value: f32) -> __m256 = _mm256_set1_ps(value);
        multiply_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        subtract(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b);
        prefetch(line: *const f32) = _mm_prefetch::<_MM_HINT_T0>(line.cast());
        prefetch_far(line: *const f32) = _mm_prefetch::<_MM_HINT_T1>(line.cast());
    }
}

compiled!(Avx2, "avx,avx2,fma");
