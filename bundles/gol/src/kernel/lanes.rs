//! The generation step on any width of vector: bit-plane adders, one bit a cell.
//!
//! The three cells of a row that touch a column are added with one full adder (a low and a high bit plane); three such
//! rows are added with two more. The nine-cell sum `T` (the cell itself counted) decides: a cell lives next when `T` is 3,
//! or when `T` is 4 and it lives now, which is B3/S23.

/// A vector of cells, 64 a word, bit 0 of a word westernmost.
pub(super) trait Lanes: Copy {
    /// Words in the vector.
    const WORDS: usize;

    /// The cells at `cells`.
    ///
    /// # Safety
    /// `WORDS` words from `cells` can be read, and the CPU has the instructions.
    unsafe fn load(cells: *const u64) -> Self;
    /// Each cell's western neighbour.
    ///
    /// # Safety
    /// As [`Self::load`], and the word before `cells` can be read.
    unsafe fn load_west(cells: *const u64) -> Self;
    /// Each cell's eastern neighbour.
    ///
    /// # Safety
    /// As [`Self::load`], and the word after the vector can be read.
    unsafe fn load_east(cells: *const u64) -> Self;
    /// Writes the cells to `cells`.
    ///
    /// # Safety
    /// `WORDS` words from `cells` can be written, and the CPU has the instructions.
    unsafe fn store(self, cells: *mut u64);
    /// `self ^ other`
    fn xor(self, other: Self) -> Self;
    /// `self & other`
    fn and(self, other: Self) -> Self;
    /// `self | other`
    fn or(self, other: Self) -> Self;
    /// `self & !other`
    fn and_not(self, other: Self) -> Self;

    /// Low bit plane of `a + b + c`.
    #[inline(always)]
    fn sum(a: Self, b: Self, c: Self) -> Self {
        a.xor(b).xor(c)
    }

    /// High bit plane of `a + b + c`.
    #[inline(always)]
    fn carry(a: Self, b: Self, c: Self) -> Self {
        a.and(b).or(c.and(a.xor(b)))
    }

    /// The next generation of `cells`, from the planes of weight 1 (`ones`) and of weight 2 (`twos_low`: the low plane of
    /// three of them added, `fours` its carry, `twos` the fourth).
    #[inline(always)]
    fn rule(cells: Self, ones: Self, twos: Self, twos_low: Self, fours: Self) -> Self {
        let odd_twos = twos.xor(twos_low);
        let three = ones.and(odd_twos).and_not(fours);
        let four = fours.xor(twos_low).and(cells).and_not(ones.or(odd_twos));
        three.or(four)
    }
}

/// One row's part of the sum: low and high plane of the three cells around each column, and the cells.
struct Row<V> {
    low: V,
    high: V,
    cells: V,
}

impl<V: Lanes> Row<V> {
    /// # Safety
    /// As [`Lanes::load_west`] and [`Lanes::load_east`].
    #[inline(always)]
    unsafe fn load(at: *const u64) -> Self {
        // SAFETY: the caller's
        let (west, cells, east) = unsafe { (V::load_west(at), V::load(at), V::load_east(at)) };
        Row { low: V::sum(west, cells, east), high: V::carry(west, cells, east), cells }
    }
}

/// Computes `rows` rows of `stride` words at `dst` from `rows + 2` rows at `src`: row `i` from rows `i` to `i + 2`.
///
/// Down the rows a column of vectors at a time, so that a row's sums are computed once and stay in registers.
///
/// # Safety
/// `stride` is a multiple of `V::WORDS`; `(rows + 2) * stride` words at `src`, one word before and one after them can be
/// read; `rows * stride` words at `dst` can be written and are none of those; the CPU has `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn band<V: Lanes>(src: *const u64, dst: *mut u64, stride: usize, rows: usize) {
    for column in (0..stride).step_by(V::WORDS) {
        // SAFETY: rows 0 to rows + 1 of src and 0 to rows - 1 of dst, as the caller promises
        unsafe {
            let mut above = Row::<V>::load(src.add(column));
            let mut here = Row::<V>::load(src.add(stride + column));
            for row in 0..rows {
                let below = Row::<V>::load(src.add((row + 2) * stride + column));
                let ones = V::sum(above.low, here.low, below.low);
                let twos = V::carry(above.low, here.low, below.low);
                let twos_low = V::sum(above.high, here.high, below.high);
                let fours = V::carry(above.high, here.high, below.high);
                V::rule(here.cells, ones, twos, twos_low, fours).store(dst.add(row * stride + column));
                above = here;
                here = below;
            }
        }
    }
}
