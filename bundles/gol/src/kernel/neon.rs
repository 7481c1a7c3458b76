//! The kernel for AArch64: NEON, which every AArch64 CPU under Linux has; 128 cells a vector.

use super::lanes::Lanes;
use std::arch::aarch64::*;

/// 128 cells.
#[derive(Clone, Copy)]
pub(super) struct Neon(uint64x2_t);

impl Lanes for Neon {
    const WORDS: usize = 2;

    #[inline(always)]
    unsafe fn load(cells: *const u64) -> Self {
        // SAFETY: two words can be read, the caller promises
        Neon(unsafe { vld1q_u64(cells) })
    }

    #[inline(always)]
    unsafe fn load_west(cells: *const u64) -> Self {
        // SAFETY: two words and the one before can be read, the caller promises; shift and insert: the low bit from before
        unsafe {
            let (here, before) = (Self::load(cells).0, Self::load(cells.sub(1)).0);
            Neon(vsliq_n_u64::<1>(vshrq_n_u64::<63>(before), here))
        }
    }

    #[inline(always)]
    unsafe fn load_east(cells: *const u64) -> Self {
        // SAFETY: two words and the one after can be read, the caller promises; shift and insert: the high bit from after
        unsafe {
            let (here, after) = (Self::load(cells).0, Self::load(cells.add(1)).0);
            Neon(vsriq_n_u64::<1>(vshlq_n_u64::<63>(after), here))
        }
    }

    #[inline(always)]
    unsafe fn store(self, cells: *mut u64) {
        // SAFETY: two words can be written, the caller promises
        unsafe { vst1q_u64(cells, self.0) }
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: NEON is part of the base architecture
        Neon(unsafe { veorq_u64(self.0, other.0) })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: NEON is part of the base architecture
        Neon(unsafe { vandq_u64(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: NEON is part of the base architecture
        Neon(unsafe { vorrq_u64(self.0, other.0) })
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        // SAFETY: NEON is part of the base architecture
        Neon(unsafe { vbicq_u64(self.0, other.0) })
    }
}
