//! The kernel for any CPU: four plain words a vector, which the compiler puts into what vector registers it may assume
//! (SSE2 on x86-64, NEON on AArch64).

use super::lanes::Lanes;

/// 256 cells.
#[derive(Clone, Copy)]
pub(super) struct Words([u64; 4]);

impl Words {
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(u64, u64) -> u64) -> Self {
        let (Words([a, b, c, d]), Words([e, f, g, h])) = (self, other);
        Words([op(a, e), op(b, f), op(c, g), op(d, h)])
    }
}

impl Lanes for Words {
    const WORDS: usize = 4;

    #[inline(always)]
    unsafe fn load(cells: *const u64) -> Self {
        // SAFETY: four words can be read, the caller promises; words are aligned as u64
        Words(unsafe { cells.cast::<[u64; 4]>().read() })
    }

    #[inline(always)]
    unsafe fn load_west(cells: *const u64) -> Self {
        // SAFETY: four words and the one before can be read, the caller promises
        let (here, before) = unsafe { (Self::load(cells), Self::load(cells.sub(1))) };
        here.zip(before, |here, before| here << 1 | before >> 63)
    }

    #[inline(always)]
    unsafe fn load_east(cells: *const u64) -> Self {
        // SAFETY: four words and the one after can be read, the caller promises
        let (here, after) = unsafe { (Self::load(cells), Self::load(cells.add(1))) };
        here.zip(after, |here, after| here >> 1 | after << 63)
    }

    #[inline(always)]
    unsafe fn store(self, cells: *mut u64) {
        // SAFETY: four words can be written, the caller promises
        unsafe { cells.cast::<[u64; 4]>().write(self.0) }
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }
}
