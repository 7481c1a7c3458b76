//! The kernel for AVX-512: 512 cells a vector, any function of three planes in one instruction.

use super::lanes::Lanes;
use std::arch::x86_64::*;

/// 512 cells.
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512i);

/// `vpternlog`'s truth table of a function of three bits: bit `4a + 2b + c` is its value.
const fn table(function: [u8; 8]) -> i32 {
    let (mut table, mut row) = (0, 0);
    while row < 8 {
        table |= (function[row] as i32) << row;
        row += 1;
    }
    table
}

const SUM: i32 = table([0, 1, 1, 0, 1, 0, 0, 1]);
const CARRY: i32 = table([0, 0, 0, 1, 0, 1, 1, 1]);
/// `(a ^ b) & c`
const DIFFER_AND: i32 = table([0, 0, 0, 1, 0, 1, 0, 0]);
/// a chooses: not b, else c
const NOT_B_ELSE_C: i32 = table([0, 1, 0, 1, 1, 1, 0, 0]);
/// `c & !(a ^ b)`
const SAME_AND: i32 = table([0, 1, 0, 0, 0, 0, 0, 1]);

// The functions below are inlined into one that enables AVX-512 and is called only where the CPU has it: `Lanes` is private
// to the kernels and `Kernel::band` is the way in.
impl Lanes for Avx512 {
    const WORDS: usize = 8;

    #[inline(always)]
    unsafe fn load(cells: *const u64) -> Self {
        // SAFETY: eight words can be read, the caller promises; the load needs no alignment
        Avx512(unsafe { _mm512_loadu_si512(cells.cast()) })
    }

    #[inline(always)]
    unsafe fn load_west(cells: *const u64) -> Self {
        // SAFETY: eight words and the one before can be read, the caller promises
        unsafe {
            let (here, before) = (Self::load(cells).0, Self::load(cells.sub(1)).0);
            Avx512(_mm512_shldi_epi64::<1>(here, before))
        }
    }

    #[inline(always)]
    unsafe fn load_east(cells: *const u64) -> Self {
        // SAFETY: eight words and the one after can be read, the caller promises
        unsafe {
            let (here, after) = (Self::load(cells).0, Self::load(cells.add(1)).0);
            Avx512(_mm512_shrdi_epi64::<1>(here, after))
        }
    }

    #[inline(always)]
    unsafe fn store(self, cells: *mut u64) {
        // SAFETY: eight words can be written, the caller promises
        unsafe { _mm512_storeu_si512(cells.cast(), self.0) }
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: AVX-512 is there, see above
        Avx512(unsafe { _mm512_xor_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: AVX-512 is there, see above
        Avx512(unsafe { _mm512_and_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: AVX-512 is there, see above
        Avx512(unsafe { _mm512_or_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        // SAFETY: AVX-512 is there, see above
        Avx512(unsafe { _mm512_andnot_si512(other.0, self.0) })
    }

    #[inline(always)]
    fn sum(a: Self, b: Self, c: Self) -> Self {
        // SAFETY: AVX-512 is there, see above
        Avx512(unsafe { _mm512_ternarylogic_epi64::<SUM>(a.0, b.0, c.0) })
    }

    #[inline(always)]
    fn carry(a: Self, b: Self, c: Self) -> Self {
        // SAFETY: AVX-512 is there, see above
        Avx512(unsafe { _mm512_ternarylogic_epi64::<CARRY>(a.0, b.0, c.0) })
    }

    #[inline(always)]
    fn rule(cells: Self, ones: Self, twos: Self, twos_low: Self, fours: Self) -> Self {
        // SAFETY: AVX-512 is there, see above
        unsafe {
            let odd_twos = _mm512_xor_si512(twos.0, twos_low.0);
            let stays = _mm512_ternarylogic_epi64::<DIFFER_AND>(fours.0, twos_low.0, cells.0);
            let lives = _mm512_ternarylogic_epi64::<NOT_B_ELSE_C>(odd_twos, fours.0, stays);
            Avx512(_mm512_ternarylogic_epi64::<SAME_AND>(ones.0, odd_twos, lives))
        }
    }
}
