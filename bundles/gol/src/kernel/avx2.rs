//! The kernel for AVX2: 256 cells a vector.

use super::lanes::Lanes;
use std::arch::x86_64::*;

/// 256 cells.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256i);

// The functions below are inlined into one that enables AVX2 and is called only where the CPU has it: `Lanes` is private to
// the kernels and `Kernel::band` is the way in.
impl Lanes for Avx2 {
    const WORDS: usize = 4;

    #[inline(always)]
    unsafe fn load(cells: *const u64) -> Self {
        // SAFETY: four words can be read, the caller promises; the load needs no alignment
        Avx2(unsafe { _mm256_loadu_si256(cells.cast()) })
    }

    #[inline(always)]
    unsafe fn load_west(cells: *const u64) -> Self {
        // SAFETY: four words and the one before can be read, the caller promises
        unsafe {
            let (here, before) = (Self::load(cells).0, Self::load(cells.sub(1)).0);
            Avx2(_mm256_or_si256(_mm256_slli_epi64::<1>(here), _mm256_srli_epi64::<63>(before)))
        }
    }

    #[inline(always)]
    unsafe fn load_east(cells: *const u64) -> Self {
        // SAFETY: four words and the one after can be read, the caller promises
        unsafe {
            let (here, after) = (Self::load(cells).0, Self::load(cells.add(1)).0);
            Avx2(_mm256_or_si256(_mm256_srli_epi64::<1>(here), _mm256_slli_epi64::<63>(after)))
        }
    }

    #[inline(always)]
    unsafe fn store(self, cells: *mut u64) {
        // SAFETY: four words can be written, the caller promises
        unsafe { _mm256_storeu_si256(cells.cast(), self.0) }
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: AVX2 is there, see above
        Avx2(unsafe { _mm256_xor_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: AVX2 is there, see above
        Avx2(unsafe { _mm256_and_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: AVX2 is there, see above
        Avx2(unsafe { _mm256_or_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        // SAFETY: AVX2 is there, see above
        Avx2(unsafe { _mm256_andnot_si256(other.0, self.0) })
    }
}
