//! A rectangle of cells with a halo around it, one bit a cell.
//!
//! A row is a run of words: seven spare ones, one for the western halo, the cells from word 8 on (bit 0 westernmost), the
//! eastern halo in the bits after the last cell. Rows above and below the cells are the northern and southern halo. So a
//! row of cells begins on a cache line, and any width does.

use crate::kernel::BLOCK;

/// The widest halo: what the western halo's word holds.
pub const MAX_HALO: usize = 64;

/// Words of a row before its first cell.
const WEST: usize = BLOCK;
/// Spare words before the first row and after the last, so that each row has a word on both sides.
const MARGIN: usize = BLOCK;

/// A cache line of cells: what makes rows aligned.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; BLOCK]);

/// Cache-aligned words, all zero at first.
pub(crate) struct Words(Vec<Line>);

impl Words {
    /// `words` words, rounded up to whole cache lines.
    pub(crate) fn new(words: usize) -> Self {
        Words(vec![Line([0; BLOCK]); words.div_ceil(BLOCK)])
    }

    /// The words.
    pub(crate) fn get(&self) -> &[u64] {
        // SAFETY: a Line is BLOCK words without padding, and the vector's lines are contiguous
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * BLOCK) }
    }

    /// The words, to write.
    pub(crate) fn get_mut(&mut self) -> &mut [u64] {
        // SAFETY: a Line is BLOCK words without padding, and the vector's lines are contiguous
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * BLOCK) }
    }
}

/// Consecutive rows of a board's geometry, with [`MARGIN`] words on both ends.
pub(crate) struct Rows {
    words: Words,
    stride: usize,
}

impl Rows {
    /// `rows` rows of `stride` words, all dead.
    pub(crate) fn new(rows: usize, stride: usize) -> Self {
        Rows { words: Words::new(rows * stride + 2 * MARGIN), stride }
    }

    /// Rows `first` to `first + rows` and a word on both sides, as [`crate::kernel::Kernel::band`] reads them.
    pub(crate) fn with_neighbours(&self, first: usize, rows: usize) -> &[u64] {
        let start = MARGIN + first * self.stride;
        &self.words.get()[start - 1..start + rows * self.stride + 1]
    }

    /// Rows `first` to `first + rows`.
    pub(crate) fn rows(&self, first: usize, rows: usize) -> &[u64] {
        let start = MARGIN + first * self.stride;
        &self.words.get()[start..start + rows * self.stride]
    }

    /// Rows `first` to `first + rows`, to write.
    pub(crate) fn rows_mut(&mut self, first: usize, rows: usize) -> &mut [u64] {
        let start = MARGIN + first * self.stride;
        let stride = self.stride;
        &mut self.words.get_mut()[start..start + rows * stride]
    }

    /// Moves rows `from` to `from + rows` to the front.
    pub(crate) fn keep(&mut self, from: usize, rows: usize) {
        let start = MARGIN + from * self.stride;
        let stride = self.stride;
        self.words.get_mut().copy_within(start..start + rows * stride, MARGIN);
    }
}

/// The measures of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Cells from west to east.
    pub(crate) width: usize,
    /// Cells from north to south.
    pub(crate) height: usize,
    /// Words a row.
    pub(crate) stride: usize,
}

impl Geometry {
    /// Zeroes in a row what lies west of the first cell.
    pub(crate) fn clear_west(&self, row: &mut [u64]) {
        row[..WEST].fill(0);
    }

    /// Zeroes in a row what lies east of the last cell.
    pub(crate) fn clear_east(&self, row: &mut [u64]) {
        let word = WEST + self.width / 64;
        row[word] &= low_bits(self.width % 64);
        row[word + 1..].fill(0);
    }
}

/// A rectangle of `width` × `height` cells with a halo of `halo` cells on each side.
pub struct Board {
    width: usize,
    height: usize,
    halo: usize,
    rows: Rows,
}

impl Board {
    /// A dead board. `halo` is from 1 to [`MAX_HALO`] and no wider than the board is wide or high; `None` otherwise.
    pub fn new(width: usize, height: usize, halo: usize) -> Option<Self> {
        let fits = (1..=MAX_HALO.min(width).min(height)).contains(&halo);
        let stride = (WEST + (width + MAX_HALO).div_ceil(64)).next_multiple_of(BLOCK);
        fits.then(|| Board { width, height, halo, rows: Rows::new(height + 2 * halo, stride) })
    }

    /// Cells from west to east.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Cells from north to south.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The halo's width, in cells.
    pub fn halo(&self) -> usize {
        self.halo
    }

    /// The board's measures.
    pub(crate) fn geometry(&self) -> Geometry {
        Geometry { width: self.width, height: self.height, stride: self.rows.stride }
    }

    /// Rows `y` to `y + rows`, `y` from `-halo`.
    pub(crate) fn rows(&self, y: isize, rows: usize) -> &[u64] {
        self.rows.rows(self.index(y), rows)
    }

    /// Rows `y` to `y + rows`, to write.
    pub(crate) fn rows_mut(&mut self, y: isize, rows: usize) -> &mut [u64] {
        let first = self.index(y);
        self.rows.rows_mut(first, rows)
    }

    fn index(&self, y: isize) -> usize {
        (y + self.halo as isize) as usize
    }

    /// The cell at column `x`, row `y`; the halo's cells have coordinates below 0 and from the width or height on.
    pub fn cell(&self, x: isize, y: isize) -> bool {
        self.bits(x, y, 1) != 0
    }

    /// Sets the cell at column `x`, row `y`.
    pub fn set_cell(&mut self, x: isize, y: isize, alive: bool) {
        self.set_bits(x, y, 1, u64::from(alive));
    }

    /// `count` (1 to 64) cells from (`x`, `y`) eastwards, the first in bit 0.
    pub fn bits(&self, x: isize, y: isize, count: usize) -> u64 {
        let row = self.rows(y, 1);
        let at = (x + (WEST * 64) as isize) as usize;
        let (word, shift) = (at / 64, at % 64);
        let mut bits = row[word] >> shift;
        if shift + count > 64 {
            bits |= row[word + 1] << (64 - shift);
        }
        bits & low_bits(count)
    }

    /// Writes `count` (1 to 64) cells from (`x`, `y`) eastwards, the first from bit 0.
    pub fn set_bits(&mut self, x: isize, y: isize, count: usize, bits: u64) {
        let row = self.rows_mut(y, 1);
        let at = (x + (WEST * 64) as isize) as usize;
        let (word, shift) = (at / 64, at % 64);
        let (mask, bits) = (low_bits(count), bits & low_bits(count));
        row[word] = row[word] & !(mask << shift) | bits << shift;
        if shift + count > 64 {
            let spill = 64 - shift;
            row[word + 1] = row[word + 1] & !(mask >> spill) | bits >> spill;
        }
    }

    /// The words that hold row `y`'s cells and nothing else: bits past the width are cleared in what the iterator yields.
    pub(crate) fn row_words(&self, y: usize) -> impl Iterator<Item = u64> + '_ {
        let row = &self.rows(y as isize, 1)[WEST..];
        (0..self.width.div_ceil(64)).map(move |word| row[word] & low_bits((self.width - word * 64).min(64)))
    }

    /// Makes the board a torus of its own: each halo cell is the cell on the opposite side.
    pub fn wrap(&mut self) {
        let (width, height, halo) = (self.width as isize, self.height as isize, self.halo as isize);
        for y in 0..height {
            let (west, east) = (self.bits(0, y, self.halo), self.bits(width - halo, y, self.halo));
            self.set_bits(-halo, y, self.halo, east);
            self.set_bits(width, y, self.halo, west);
        }
        let (stride, rows) = (self.rows.stride, self.halo);
        let words = self.rows.words.get_mut();
        let row = |y: isize| MARGIN + (y + halo) as usize * stride;
        words.copy_within(row(height - halo)..row(height - halo) + rows * stride, row(-halo));
        words.copy_within(row(0)..row(0) + rows * stride, row(height));
    }

    /// How many cells live.
    pub fn population(&self) -> u64 {
        (0..self.height).flat_map(|y| self.row_words(y)).map(|word| u64::from(word.count_ones())).sum()
    }

    /// A hash of the living cells, the board's first cell being at (`x`, `y`) of a larger one. The sum (wrapping) of the
    /// hashes of a board's parts is the hash of the whole, so that regions can be hashed where they are.
    pub fn hash(&self, x: u64, y: u64) -> u64 {
        let mut hash = 0u64;
        for row in 0..self.height {
            for (word, mut cells) in self.row_words(row).enumerate() {
                while cells != 0 {
                    let column = x + word as u64 * 64 + u64::from(cells.trailing_zeros());
                    hash = hash.wrapping_add(mix((y + row as u64) << 32 ^ column));
                    cells &= cells - 1;
                }
            }
        }
        hash
    }
}

/// The `count` (0 to 64) low bits.
fn low_bits(count: usize) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// SplitMix64's output function (Steele, Lea, Flood 2014): a bijection that leaves no bit where it was.
pub(crate) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
